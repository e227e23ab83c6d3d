"""What the chat models of all HTTP providers share, whichever class of LangChain's is below them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from pydantic import PrivateAttr

from cupel.models.http import Line, Terms, encode
from cupel.models.replies import OK, Reply, billed_usd, parse, to_message, usage_of

_QUIET = frozenset({"response_format"})
"""Arguments that mean nothing to LangChain itself, only to the provider."""


class _Bypassed:
    """In the place of an SDK's client, whose making costs as much as a hundred calls."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the SDK's client has no part in this model, so no {name!r}; use ainvoke")


_BYPASSED = _Bypassed()


class HttpChat(BaseChatModel):
    """Mixed in before LangChain's class for a provider, which writes the request and reads a good answer."""

    _terms: Terms = PrivateAttr()
    _line: Line = PrivateAttr()

    @classmethod
    def _build(cls, terms: Terms, **own: Any) -> Self:
        """The chat model for these terms, with what only this provider's class takes."""
        shared: dict[str, Any] = {
            "model": terms.model, "timeout": terms.settings.timeout_s, "client": _BYPASSED, "async_client": _BYPASSED,
            "max_retries": 0, "disable_streaming": True, "cache": False,
        }  # fmt: skip
        chat = cls(**shared, **own)
        chat._terms = terms
        chat._line = Line.of(terms, chat._own_headers())
        return chat

    def _own_headers(self) -> Mapping[str, str]:
        """Headers that only this provider takes."""
        return {}

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002  # LangChain's signature
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Ask once. Where nobody listens, without the bookkeeping for listeners: a third of the CPU of a call."""
        if not kwargs.keys() <= _QUIET or self._is_heard(config):
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        result = await self._agenerate(self._convert_input(input).to_messages(), stop, **kwargs)
        generation = result.generations[0]
        message = generation.message
        assert isinstance(message, AIMessage)
        message.response_metadata = {
            **(result.llm_output or {}),
            **(generation.generation_info or {}),
            **message.response_metadata,
        }
        return message

    def _is_heard(self, config: RunnableConfig | None) -> bool:
        """Whether any handler would be told of a call: LangChain itself gathers them, from all their places."""
        callbacks = None if config is None else config.get("callbacks")
        if callbacks is None:
            callbacks = (var_child_runnable_config.get() or {}).get("callbacks")
        return bool(AsyncCallbackManager.configure(callbacks, self.callbacks, self.verbose).handlers)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        headers, extra = kwargs.pop("extra_headers", None), kwargs.pop("extra_body", None)
        body = {**self._terms.fixed, **self._request(messages, stop, kwargs), **(extra or {})}
        return self._result(await self._line.post(encode(body), headers))

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """The request as LangChain's class for the provider writes it."""
        raise NotImplementedError

    def _read(self, answer: dict[str, Any]) -> ChatResult:
        """The answer as LangChain's class for the provider reads it."""
        raise NotImplementedError

    def _result(self, reply: Reply) -> ChatResult:
        """A plainly good answer as LangChain reads it; any other is a poor one, or an error of ours."""
        answer = parse(reply.content) if reply.status == OK else None
        if isinstance(answer, dict):
            try:
                result = self._read(answer)
            except Exception:  # noqa: BLE001  # it stumbles over answers that say something: no choices, say
                result = ChatResult(generations=[])
            good = _good(result)
            if good is not None:
                good.response_metadata |= {
                    "headers": reply.headers,
                    "cost_usd": billed_usd(answer.get("usage")),
                }
                good.usage_metadata = usage_of(answer.get("usage"))
                return result
        message = to_message(reply, model=self._terms.model_id, answer=answer)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        """The same for synchronous callers, in a thread and loop of its own."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(lambda: asyncio.run(self._agenerate(messages, stop, **kwargs))).result()

    def _get_ls_params(
        self,
        stop: list[str] | None = None,
        **kwargs: Any,  # noqa: ARG002  # LangChain's signature
    ) -> LangSmithParams:
        terms = self._terms
        params = LangSmithParams(
            ls_provider=terms.provider,
            ls_model_name=terms.model,
            ls_model_type="chat",
            ls_temperature=terms.settings.temperature,
            ls_max_tokens=terms.settings.max_output_tokens,
        )
        if stop:
            params["ls_stop"] = stop
        return params


def _good(result: ChatResult) -> AIMessage | None:
    """The message of an answer there is nothing to add to."""
    if not result.generations:
        return None
    first = result.generations[0]
    message = first.message
    ended = (first.generation_info or {}).get("finish_reason")
    if not isinstance(message, AIMessage) or not message.usage_metadata:
        return None
    if ended == "tool_calls" and message.tool_calls:
        return message
    return message if ended == "stop" and message.content and isinstance(message.content, str) else None
