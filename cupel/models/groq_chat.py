"""`groq:`, through langchain-groq's ChatGroq."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_groq import ChatGroq
from pydantic import SecretStr

from cupel.models.http import Terms
from cupel.models.http_chat import HttpChat


class GroqChat(HttpChat, ChatGroq):
    """ChatGroq on the connections of whichever event loop a call is made in."""

    @classmethod
    def open(cls, terms: Terms) -> GroqChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        return cls._build(
            terms,
            # the SDK appends this path itself
            base_url=terms.where.url.removesuffix("/v1").removesuffix("/openai"),
            api_key=SecretStr(terms.where.key),
            groq_proxy=None,
        )

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
