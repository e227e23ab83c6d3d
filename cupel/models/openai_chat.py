"""`openai:`, `openrouter:` and `local:`, through langchain-openai's ChatOpenAI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai.chat_models.base import ChatOpenAI  # alone: the package brings Azure, embeddings, …
from pydantic import SecretStr

from cupel.models.http import Terms
from cupel.models.http_chat import HttpChat


class OpenAIChat(HttpChat, ChatOpenAI):
    """ChatOpenAI on the connections of whichever event loop a call is made in."""

    @classmethod
    def open(cls, terms: Terms) -> OpenAIChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        return cls._build(
            terms,
            base_url=terms.where.url,
            api_key=SecretStr(terms.where.key or "none"),
            openai_proxy=None,
            use_responses_api=False,
            output_version="v0",
        )

    def _own_headers(self) -> Mapping[str, str]:
        # what the environment says of OpenAI is nobody else's business
        return _headers(os.environ, self.openai_organization) if self._terms.provider == "openai" else {}

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        written: dict[str, Any] = self._get_request_payload(messages, stop=stop, **kwargs)
        return written

    def _read(self, answer: dict[str, Any]) -> ChatResult:
        return self._create_chat_result(answer)


def _headers(env: Mapping[str, str], organization: str | None) -> dict[str, str]:
    r"""Those the SDK takes from the environment: organisation, project, and one's own, a line each.

    >>> _headers({"OPENAI_CUSTOM_HEADERS": "X-Team: a\nX-Cost: b"}, "org-1")
    {'OpenAI-Organization': 'org-1', 'X-Team': 'a', 'X-Cost': 'b'}
    """
    named = {"OpenAI-Organization": organization, "OpenAI-Project": env.get("OPENAI_PROJECT_ID")}
    lines = env.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    own = {
        name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon
    }
    return {name: value for name, value in named.items() if value} | own
