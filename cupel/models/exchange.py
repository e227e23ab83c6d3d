"""One request through a provider's SDK, and what becomes of it: a message, poor or good, or an error of ours.

The SDKs raise three dozen classes, and stumble over answers that say something (no choices, an error behind
status 200, a withheld text). So the raw reply of every request is kept while it is under way: where the SDK
or LangChain could not read it, or it is not plainly good, `to_message` reads it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from cupel.models.capabilities import Capabilities
from cupel.models.endpoints import Endpoint
from cupel.models.failures import ProviderConnectionError, ProviderTimeoutError
from cupel.models.replies import Reply, kept_headers, to_message


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who is asked, and the part of every request that does not change."""

    where: Endpoint
    provider: str
    model: str
    temperature: float
    max_output_tokens: int
    timeout_s: float
    """For one call, from the connection to the last byte."""

    fixed: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        where: Endpoint,
        can: Capabilities,
        *,
        provider: str,
        model: str,
        temperature: float = 0.0,
        max_output_tokens: int = 4096,
        timeout_s: float = 120.0,
        logprobs: bool = False,
    ) -> Terms:
        """The terms for a model, which is sent only what it is able to take."""
        fixed: dict[str, Any] = dict.fromkeys(can.max_tokens_names, max_output_tokens)
        if can.temperature:
            fixed["temperature"] = temperature
        if logprobs and can.logprobs:
            fixed["logprobs"] = True
        return cls(
            where=where,
            provider=provider,
            model=model,
            temperature=temperature,
            max_output_tokens=max_output_tokens,
            timeout_s=timeout_s,
            fixed=fixed | dict(can.extra),
        )

    @property
    def named(self) -> str:
        """The model id, for errors."""
        return f"{self.provider}:{self.model}"


_kept: ContextVar[list[Any] | None] = ContextVar("cupel_kept_replies", default=None)


async def keep(response: Any) -> None:
    """Response hook of the HTTP clients: the exchange under way may need the raw reply."""
    replies = _kept.get()
    if replies is not None:
        replies.append(response)


async def exchange(asking: Awaitable[ChatResult], terms: Terms, broken: type[Exception]) -> ChatResult:
    """Await an SDK's answer.

    Args:
        asking: The request, not yet begun.
        terms: Who is asked, and how long it may take.
        broken: What the SDK raises when there is no reply.

    Raises:
        ProviderTimeoutError: No answer in time.
        ProviderConnectionError: No connection, or no readable answer.
        ProviderCallError: The provider sent an error, if need be behind status 200.
    """
    replies: list[Any] = []
    token = _kept.set(replies)
    try:
        async with asyncio.timeout(terms.timeout_s):
            result = await asking
    except Exception as error:
        reply = _read(replies)
        if reply is None:
            failure = _failure(error, terms, broken)
            if failure is None:
                raise
            raise failure from error
    else:
        good = _good(result)
        if good is not None:
            good.response_metadata["headers"] = kept_headers(replies[-1].headers.raw) if replies else {}
            return result
        reply = _read(replies)
        if reply is None:
            return result
    finally:
        _kept.reset(token)
    message = to_message(reply, model=terms.named, key=terms.where.key)
    return ChatResult(generations=[ChatGeneration(message=message)])


def _good(result: ChatResult) -> AIMessage | None:
    """The message of an answer there is nothing to add to."""
    if not result.generations:
        return None
    first = result.generations[0]
    message = first.message
    finished = (first.generation_info or {}).get("finish_reason") == "stop"
    if finished and isinstance(message, AIMessage) and message.usage_metadata and message.content:
        return message if isinstance(message.content, str) else None
    return None


def _read(replies: list[Any]) -> Reply | None:
    """The last raw reply, if it arrived to its end."""
    if not replies:
        return None
    response = replies[-1]
    try:
        content = response.content
    except RuntimeError:  # httpx's word for a body that was not read
        return None
    return Reply(response.status_code, kept_headers(response.headers.raw), content)


def _failure(error: Exception, terms: Terms, broken: type[Exception]) -> Exception | None:
    """Our error for an exchange without a reply; None for what is no failure of the connection."""
    if not isinstance(error, (broken, aiohttp.ClientError, OSError)):
        return None
    causes = list(_causes(error))
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return ProviderTimeoutError(f"no answer within {terms.timeout_s:g} s", model=terms.named)
    said = str(causes[-1]) or type(causes[-1]).__name__
    return ProviderConnectionError(f"connection to {terms.where.url} failed: {said}", model=terms.named)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and down to what aiohttp raised: the layers above take a closed connection for a timeout."""
    yield error
    while (cause := error.__cause__) is not None and not isinstance(error, aiohttp.ClientError):
        yield cause
        error = cause
