"""`groq:`, through langchain-groq's ChatGroq."""

from __future__ import annotations

import functools
from typing import Any

import httpx
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_groq import ChatGroq
from pydantic import SecretStr

from cupel.models.exchange import Line, Terms
from cupel.models.http_chat import HttpChat
from cupel.models.transport import tls


class GroqChat(HttpChat, ChatGroq):
    """ChatGroq on the connections of whichever event loop a call is made in."""

    @classmethod
    def open(cls, terms: Terms) -> GroqChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        blocking, asynchronous = _idle_clients()
        made = cls(
            model=terms.model,
            # the SDK appends this path itself
            base_url=terms.where.url.removesuffix("/v1").removesuffix("/openai"),
            api_key=SecretStr(terms.where.key),
            groq_proxy=None,
            http_client=blocking,
            http_async_client=asynchronous,
            timeout=terms.timeout_s,
            max_retries=0,
            disable_streaming=True,
            cache=False,
        )
        made._terms = terms
        made._line = Line.of(terms, {})
        return made

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        written, params = self._create_message_dicts(messages, stop)
        return {**params, **kwargs, "messages": written}

    def _read(self, answer: dict[str, Any]) -> ChatResult:
        return self._create_chat_result(answer, {})

    @property
    def _default_params(self) -> dict[str, Any]:
        # without the nulls and defaults, such as a temperature of 0.7: the terms have all there is to say
        return {"model": self.model_name, "stream": False}


@functools.cache
def _idle_clients() -> tuple[httpx.Client, httpx.AsyncClient]:
    """What the SDK is given to hold; without them every model would read the certificates."""
    return httpx.Client(verify=tls(), trust_env=False), httpx.AsyncClient(verify=tls(), trust_env=False)
