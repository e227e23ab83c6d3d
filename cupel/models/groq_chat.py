"""`groq:`, through langchain-groq's ChatGroq."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import groq
import httpx
from httpx_aiohttp import AiohttpTransport
from langchain_core.messages import BaseMessage
from langchain_groq import ChatGroq
from pydantic import SecretStr

from cupel.models.exchange import Terms, keep
from cupel.models.http_chat import HttpChat
from cupel.models.transport import CONNECT_S, NoCookies, of_this_loop, proxy_for, tls


class GroqChat(HttpChat, ChatGroq):
    """ChatGroq on the connections of whichever event loop a call is made in."""

    broken: ClassVar[type[Exception]] = groq.APIConnectionError

    @classmethod
    def open(cls, terms: Terms) -> GroqChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        timeout = httpx.Timeout(None, connect=min(terms.timeout_s, CONNECT_S))
        made = cls(
            model=terms.model,
            # the SDK appends this path itself
            base_url=terms.where.url.removesuffix("/v1").removesuffix("/openai"),
            api_key=SecretStr(terms.where.key),
            groq_proxy=None,
            http_client=_unused_client(),
            http_async_client=_client(terms.where.url, timeout),
            timeout=timeout,
            max_retries=0,
            disable_streaming=True,
            cache=False,
        )
        made._terms = terms
        return made

    def _as_sent(self, messages: list[BaseMessage]) -> list[dict[str, Any]]:
        return self._create_message_dicts(messages, None)[0]

    @property
    def _default_params(self) -> dict[str, Any]:
        # without the nulls and defaults, such as a temperature of 0.7: the terms have all there is to say
        return {"model": self.model_name, "stream": False}


class _Transport(httpx.AsyncBaseTransport):
    """Hands a request to the running loop's connections."""

    def __init__(self, url: str) -> None:
        proxy = proxy_for(url)
        self._proxy = None if proxy is None else httpx.Proxy(proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        below = await of_this_loop(
            self, lambda session: AiohttpTransport(verify=tls(), proxy=self._proxy, client=session)
        )
        return await below.handle_async_request(request)


def _client(url: str, timeout: httpx.Timeout) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=_Transport(url),
        timeout=timeout,
        verify=tls(),
        trust_env=False,
        follow_redirects=True,
        cookies=NoCookies(),
        event_hooks={"response": [keep]},
    )


@functools.cache
def _unused_client() -> httpx.Client:
    """Synchronous callers go the asynchronous way too; without it every model would read the certificates."""
    return httpx.Client(verify=tls(), trust_env=False)
