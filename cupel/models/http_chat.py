"""What the chat models of all HTTP providers share, whichever SDK is below them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from cupel.models.exchange import Terms, exchange
from cupel.models.wire import encodable


class HttpChat(BaseChatModel):
    """Mixed in before LangChain's class for a provider, which does the asking.

    Messages, response format and what is fixed go through `extra_body`, which the SDKs send as it is: what
    they get by name they hold against the types of all it might be, half the CPU of a call. Any other
    argument takes the way of LangChain's class.
    """

    broken: ClassVar[type[Exception]]
    """What the SDK raises when there is no reply."""

    _terms: Terms = PrivateAttr()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        bound, body = _apart(kwargs, self._terms.fixed)

        def ask(sent: list[BaseMessage]) -> Awaitable[ChatResult]:
            whole = body | {"messages": self._as_sent(sent)}
            return super(HttpChat, self)._agenerate([], stop, run_manager, **bound, extra_body=whole)

        try:
            return await exchange(ask(messages), self._terms, self.broken)
        except UnicodeEncodeError:
            cleaned = [encodable(message) for message in messages]
            return await exchange(ask(cleaned), self._terms, self.broken)

    def _as_sent(self, messages: list[BaseMessage]) -> list[dict[str, Any]]:
        """The messages as LangChain's class for the provider writes them."""
        raise NotImplementedError

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
            ls_temperature=terms.temperature,
            ls_max_tokens=terms.max_output_tokens,
        )
        if stop:
            params["ls_stop"] = stop
        return params


def _apart(kwargs: dict[str, Any], fixed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a call: those LangChain's class is to see, and those for the body as they are."""
    bound = dict(kwargs)
    body = {name: value for name, value in fixed.items() if name not in kwargs}
    if "response_format" in bound:
        body["response_format"] = bound.pop("response_format")
    return bound, body | (bound.pop("extra_body", None) or {})
