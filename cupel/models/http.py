"""One request as bytes, and what becomes of it: a reply read to its end, or an error of ours.

LangChain's classes write a request and read a good answer; the way between the two is here, on the running
loop's connections. The providers' SDKs take it through types, signatures and clients of their own: three
quarters of the CPU of a call (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from cupel.models.capabilities import Capabilities
from cupel.models.connections import AGENT, CONNECT_S, proxy_for, session_of_this_loop, tls
from cupel.models.endpoints import Endpoint, announce
from cupel.models.errors import (
    ProviderConnectionError,
    ProviderTimeoutError,
    ReplyCutOffError,
    check_no_redirect,
    system_error,
)
from cupel.models.replies import OK, Reply, keep_headers
from cupel.models.settings import CallSettings
from cupel.redaction import mask_bytes

MAX_REPLY_BYTES = 8_000_000
"""Of a reply as it is read, unpacked; a hundred times what the longest record takes."""

MAX_REPLY_PARTS = 1_000_000
"""Values of a reply's JSON: as objects of Python, a few bytes of it take a hundred times the memory."""

TOO_LARGE = f"the reply is larger than {MAX_REPLY_BYTES / 1e6:g} MB and was cut off"
TOO_MANY = f"the reply has more than {MAX_REPLY_PARTS:,} values and was not read"

_ERRORS_FROM = 400


@dataclass(frozen=True, slots=True)
class Terms:
    """Who is asked, and the part of every request that does not change."""

    provider: str
    model: str
    where: Endpoint
    settings: CallSettings
    fixed: dict[str, Any]

    @classmethod
    def of(
        cls, provider: str, model: str, where: Endpoint, can: Capabilities, settings: CallSettings
    ) -> Terms:
        """The terms for a model, which is sent only what it is able to take."""
        fixed: dict[str, Any] = dict.fromkeys(can.max_tokens_names, settings.max_output_tokens)
        if can.temperature:
            fixed["temperature"] = settings.temperature
        if settings.logprobs and can.logprobs:
            fixed["logprobs"] = True
            if most := max(settings.alternatives, can.fewest_alternatives):
                fixed["top_logprobs"] = most
        return cls(provider, model, where, settings, fixed | dict(can.extra))

    @property
    def model_id(self) -> str:
        """The model id, for errors."""
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The way to one model: address, headers, proxy and time, made ready once for all its requests."""

    url: str
    proxy: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeout: aiohttp.ClientTimeout
    terms: Terms

    @classmethod
    def of(cls, terms: Terms, headers: Mapping[str, str]) -> Line:
        """The way to a model; `headers` go beside those every provider needs."""
        tls()  # certificates are read here, in the thread that opens a model: a session opens in the loop
        url = f"{terms.where.url}/chat/completions"
        ours = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": AGENT}
        key = {"Authorization": f"Bearer {terms.where.key}"} if terms.where.key else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(terms.settings.timeout_s, CONNECT_S))
        proxy = proxy_for(url)
        announce(terms.provider, terms.where, os.environ, proxy=proxy)
        return cls(url, proxy, {**ours, **key, **headers}, timeout, terms)

    async def post(self, body: bytes, more_headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request.

        Raises:
            ProviderTimeoutError: No answer in time.
            ProviderConnectionError: No connection, or one that broke.
            ReplyCutOffError: An answer that is larger than any, or does not end in time.
        """
        headers = {**self.headers, **more_headers} if more_headers else self.headers
        session = await session_of_this_loop()
        answered = False
        try:
            async with (
                asyncio.timeout(self.terms.settings.timeout_s),
                session.post(
                    self.url, data=body, headers=headers, proxy=self.proxy, timeout=self.timeout,
                    allow_redirects=False,
                ) as response,
            ):  # fmt: skip
                check_no_redirect(response.status, response.headers, model=self.terms.model_id)
                answered = response.status == OK
                content = mask_bytes(await read_whole(response, self.terms.model_id))
                return Reply(response.status, keep_headers(response.raw_headers), content)
        except TimeoutError as error:
            if answered:
                raise ReplyCutOffError(
                    f"the reply was still coming after {self.terms.settings.timeout_s:g} s and was cut off; "
                    "raise --timeout-s if the model is only slow",
                    model=self.terms.model_id,
                ) from error
            raise ProviderTimeoutError(
                f"no answer within {self.terms.settings.timeout_s:g} s", model=self.terms.model_id
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            said = str(error) or type(error).__name__
            failed = ProviderConnectionError(
                f"connection to {self.terms.where.url} failed: {said}", model=self.terms.model_id
            )
            failed.was_sent = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
            raise failed from system_error(error)


async def read_whole(response: aiohttp.ClientResponse, model: str) -> bytes:
    """A reply to its end, or to the size no reply has: an endless one would take all memory, packed or not.

    Of an error the beginning is enough.

    Raises:
        ReplyCutOffError: A good one is larger; that is this document's problem.
    """
    parts: list[bytes] = []
    size = 0
    # aiohttp unpacks a few hundred kilobytes at a time, however much a packed part would come to
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_REPLY_BYTES:
            if response.status < _ERRORS_FROM:
                raise ReplyCutOffError(TOO_LARGE, model=model)
            break
    content = b"".join(parts)
    if has_too_many_parts(content):
        raise ReplyCutOffError(TOO_MANY, model=model)
    return content


def has_too_many_parts(content: bytes) -> bool:
    """Whether it may have more values than can be read; commas and brackets in texts count too.

    >>> has_too_many_parts(b"[" + b"[]," * 600_000 + b"[]]"), has_too_many_parts(b" " * 8_000_000)
    (True, False)
    """
    return len(content) > MAX_REPLY_PARTS and sum(map(content.count, (b",", b"[", b"{"))) > MAX_REPLY_PARTS


def encode(body: Mapping[str, Any]) -> bytes:
    r"""A request's body as JSON; what UTF-8 cannot say is replaced: a lone surrogate must not end a run.

    >>> encode({"content": "Ευρώπη \ud800"}).decode()
    '{"content": "Ευρώπη ?"}'
    """
    try:
        return orjson.dumps(body)
    except TypeError:  # also for an integer of a schema beyond 64 bits
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
