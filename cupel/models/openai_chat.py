"""`openai:`, `openrouter:` and `local:`, through langchain-openai's ChatOpenAI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_openai.chat_models.base import ChatOpenAI  # alone: the package brings Azure, embeddings, …
from pydantic import SecretStr

from cupel.models.http import Line, Terms
from cupel.models.http_chat import BYPASSED, HttpChat


class OpenAIChat(HttpChat, ChatOpenAI):
    """ChatOpenAI on the connections of whichever event loop a call is made in."""

    @classmethod
    def open(cls, terms: Terms) -> OpenAIChat:
        """The chat model for these terms; nothing is retried in it, and nothing streamed."""
        made = cls(
            model=terms.model,
            base_url=terms.where.url,
            api_key=SecretStr(terms.where.key or "none"),
            openai_proxy=None,
            client=BYPASSED,
            async_client=BYPASSED,
            timeout=terms.timeout_s,
            max_retries=0,
            use_responses_api=False,
            output_version="v0",
            disable_streaming=True,
            cache=False,
        )
        made._terms = terms
        told = terms.provider == "openai"  # what the environment says of OpenAI is nobody else's business
        made._line = Line.of(terms, _headers(os.environ, made.openai_organization) if told else {})
        return made

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
