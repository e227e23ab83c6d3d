"""`openai:`, `openrouter:` and `local:`, through langchain-openai's ChatOpenAI."""

from __future__ import annotations

import functools
from typing import Any

import httpx2
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from cupel.models.exchange import Line, Terms
from cupel.models.http_chat import HttpChat
from cupel.models.transport import tls

_OF_THE_SDK = ("accept", "content-type", "user-agent", "x-stainless-")
"""Headers that describe the SDK's own client."""


class OpenAIChat(HttpChat, ChatOpenAI):
    """ChatOpenAI on the connections of whichever event loop a call is made in."""

    @classmethod
    def open(cls, terms: Terms) -> OpenAIChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        blocking, asynchronous = _idle_clients()
        made = cls(
            model=terms.model,
            base_url=terms.where.url,
            api_key=SecretStr(terms.where.key or "none"),
            openai_proxy=None,
            http_client=blocking,
            http_async_client=asynchronous,
            http_socket_options=(),
            timeout=terms.timeout_s,
            max_retries=0,
            use_responses_api=False,
            output_version="v0",
            disable_streaming=True,
            cache=False,
        )
        made._terms = terms
        # read from the environment by the SDK: organisation, project and one's own, nobody else's business
        theirs = _named(made.root_async_client.default_headers) if terms.provider == "openai" else {}
        made._line = Line.of(terms, theirs)
        return made

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        written: dict[str, Any] = self._get_request_payload(messages, stop=stop, **kwargs)
        return written

    def _read(self, answer: dict[str, Any]) -> ChatResult:
        return self._create_chat_result(answer)


def _named(headers: dict[str, Any]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, str) and not name.lower().startswith(_OF_THE_SDK)
    }


@functools.cache
def _idle_clients() -> tuple[httpx2.Client, httpx2.AsyncClient]:
    """What the SDK is given to hold; without them every model would read the certificates."""
    return httpx2.Client(verify=tls(), trust_env=False), httpx2.AsyncClient(verify=tls(), trust_env=False)
