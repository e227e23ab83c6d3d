"""`openai:`, `openrouter:` and `local:`, through langchain-openai's ChatOpenAI."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import httpx2
import openai
from httpx_aiohttp.httpx2 import AiohttpTransport
from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from cupel.models.exchange import Terms, keep
from cupel.models.http_chat import HttpChat
from cupel.models.transport import CONNECT_S, NoCookies, of_this_loop, proxy_for, tls


class OpenAIChat(HttpChat, ChatOpenAI):
    """ChatOpenAI on the connections of whichever event loop a call is made in."""

    broken: ClassVar[type[Exception]] = openai.APIConnectionError

    @classmethod
    def open(cls, terms: Terms) -> OpenAIChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        timeout = httpx2.Timeout(None, connect=min(terms.timeout_s, CONNECT_S))
        made = cls(
            model=terms.model,
            base_url=terms.where.url,
            api_key=SecretStr(terms.where.key or "none"),
            openai_proxy=None,
            http_client=_unused_client(),
            http_async_client=_client(terms.where.url, timeout),
            http_socket_options=(),
            timeout=timeout,
            max_retries=0,
            use_responses_api=False,
            output_version="v0",
            disable_streaming=True,
            cache=False,
        )
        made._terms = terms
        if terms.provider != "openai":
            # read from the environment by the SDK, and nobody else's business
            made.root_async_client.organization = made.root_async_client.project = None
        return made

    def _as_sent(self, messages: list[BaseMessage]) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = self._get_request_payload(messages)["messages"]
        return sent


class _Transport(httpx2.AsyncBaseTransport):
    """Hands a request to the running loop's connections."""

    def __init__(self, url: str) -> None:
        proxy = proxy_for(url)
        self._proxy = None if proxy is None else httpx2.Proxy(proxy)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        below = await of_this_loop(
            self, lambda session: AiohttpTransport(verify=tls(), proxy=self._proxy, client=session)
        )
        return await below.handle_async_request(request)


def _client(url: str, timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=_Transport(url),
        timeout=timeout,
        verify=tls(),
        trust_env=False,
        follow_redirects=True,
        cookies=NoCookies(),
        event_hooks={"response": [keep]},
    )


@functools.cache
def _unused_client() -> httpx2.Client:
    """Synchronous callers go the asynchronous way too; without it every model would read the certificates."""
    return httpx2.Client(verify=tls(), trust_env=False)
