"""A GGUF file as a LangChain chat model: the engine speaks as OpenAI's API does, so all but the door is shared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from cupel.models.capabilities import Capabilities
from cupel.models.connections import session_of_this_loop
from cupel.models.errors import ProviderConnectionError
from cupel.models.gguf.engine import Engine, open_engine
from cupel.models.http import Line, Terms, encode
from cupel.models.openai_chat import OpenAIChat
from cupel.models.replies import parse
from cupel.models.settings import CallSettings

COUNTING_S = 60.0
"""Counting waits for no generation, only for a processor."""


class GgufChat(OpenAIChat):
    """What an engine says, over the loopback and with a key that only this process has."""

    _engine: Engine = PrivateAttr()
    _can: Capabilities = PrivateAttr()

    @classmethod
    def of(cls, engine: Engine, can: Capabilities, settings: CallSettings) -> GgufChat:
        """The chat model of an engine."""
        chat = cls.open(_terms(engine, can, settings))
        assert isinstance(chat, GgufChat)
        chat._engine, chat._can = engine, can  # noqa: SLF001  # its own, as it is made
        return chat

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if not self._engine.is_up:
            self._engine = await asyncio.to_thread(open_engine, self._terms.model)
        if self._terms.where != self._engine.where:
            self._terms = _terms(self._engine, self._can, self._terms.settings)
            self._line = Line.of(self._terms, self._own_headers())
        with self._engine.tally.call():
            try:
                result = await super()._agenerate(messages, stop, run_manager, **kwargs)
            except ProviderConnectionError:
                await asyncio.to_thread(
                    self._engine.see_end
                )  # so that the next try finds it gone, and starts it
                raise
        message = result.generations[0].message
        if isinstance(message, AIMessage) and message.usage_metadata:
            self._engine.tally.count(message.usage_metadata["output_tokens"])
        return result


async def count_tokens(engine: Engine, messages: Sequence[Mapping[str, str]]) -> int:
    """Tokens of a prompt, by the model's own template and tokenizer.

    Raises:
        ProviderCallError: The engine does not say.
    """
    where = engine.where
    session = await session_of_this_loop()
    try:
        async with (
            asyncio.timeout(COUNTING_S),
            session.post(
                f"{where.url}/chat/completions/input_tokens",
                data=encode({"messages": messages}),
                headers={"Authorization": f"Bearer {where.key}", "Content-Type": "application/json"},
            ) as response,
        ):
            answer = parse(await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ProviderConnectionError(
            f"no count of tokens: {type(error).__name__}", model=engine.model
        ) from None
    if not isinstance(answer, dict) or not isinstance(answer.get("input_tokens"), int):
        raise ProviderConnectionError(f"no count of tokens: {str(answer)[:200]}", model=engine.model)
    return int(answer["input_tokens"])


def _terms(engine: Engine, can: Capabilities, settings: CallSettings) -> Terms:
    return Terms.of("gguf", engine.model.partition(":")[2], engine.where, can, settings)
