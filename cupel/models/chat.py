"""The chat model for every OpenAI-compatible API: LangChain on top, aiohttp below, nothing between.

A `BaseChatModel`, so callbacks, tracing and `ainvoke` are LangChain's. It sends the request itself: the
provider SDKs walk every message and schema in Python, build a model of every reply, and langchain-groq sits
on an HTTP client whose cost grows with the square of the connections (benchmarks/model_call.py measures
all of them). It never uses the Responses API.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from cupel.models.capabilities import Capabilities
from cupel.models.endpoints import Endpoint
from cupel.models.replies import to_message
from cupel.models.transport import post

_ROLES = {"system": "system", "human": "user", "ai": "assistant", "developer": "developer"}


class ChatCompletions(BaseChatModel):
    """A model behind an OpenAI-compatible chat completions API."""

    provider: str
    model: str
    temperature: float = 0.0
    max_output_tokens: int = 4096
    timeout_s: float = 120.0
    logprobs: bool = False

    _where: Endpoint = PrivateAttr()
    _fixed: dict[str, Any] = PrivateAttr()

    @classmethod
    def open(
        cls,
        where: Endpoint,
        can: Capabilities,
        *,
        provider: str,
        model: str,
        temperature: float,
        max_output_tokens: int,
        timeout_s: float,
        logprobs: bool,
    ) -> ChatCompletions:
        """A model at `where`, sent only what it is able to take."""
        made = cls(
            provider=provider,
            model=model,
            temperature=temperature,
            max_output_tokens=max_output_tokens,
            timeout_s=timeout_s,
            logprobs=logprobs and can.logprobs,
            cache=False,
        )
        made._where = where
        made._fixed = _fixed(made, can)
        return made

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        body = {"model": self.model, "messages": [to_wire(message) for message in messages]}
        body |= self._fixed | kwargs
        if stop:
            body["stop"] = stop
        sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        named = f"{self.provider}:{self.model}"
        reply = await post(self._where, "/chat/completions", sent, timeout_s=self.timeout_s, model=named)
        return ChatResult(
            generations=[ChatGeneration(message=to_message(reply, model=named, key=self._where.key))]
        )

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

    @property
    def _llm_type(self) -> str:
        return f"{self.provider}-chat"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model": self.model, "provider": self.provider, **self._fixed}

    def _get_ls_params(
        self,
        stop: list[str] | None = None,
        **kwargs: Any,  # noqa: ARG002  # LangChain's signature
    ) -> LangSmithParams:
        params = LangSmithParams(
            ls_provider=self.provider,
            ls_model_name=self.model,
            ls_model_type="chat",
            ls_temperature=self.temperature,
            ls_max_tokens=self.max_output_tokens,
        )
        if stop:
            params["ls_stop"] = stop
        return params


def _fixed(model: ChatCompletions, can: Capabilities) -> dict[str, Any]:
    """The part of every request that does not change."""
    fields: dict[str, Any] = dict.fromkeys(can.max_tokens_names, model.max_output_tokens)
    if can.temperature:
        fields["temperature"] = model.temperature
    if model.logprobs:
        fields["logprobs"] = True
    return fields | dict(can.extra)


def to_wire(message: BaseMessage) -> dict[str, Any]:
    """A LangChain message as `{"role": …, "content": …}`."""
    role = getattr(message, "role", None) or _ROLES.get(message.type)
    if role is None:
        raise TypeError(
            f"a {message.type!r} message cannot be sent; use {', '.join(sorted(_ROLES.values()))}"
        )
    return {"role": role, "content": message.content}
