"""`recorded:NAME`: answers a language model once gave to exactly these requests, replayed.

With `CUPEL_RECORD_BASE_URL` set to an OpenAI-compatible address, a request without a recorded answer is
asked there, under the model name NAME, and the answer is appended to the file.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from cupel.errors import RecordingMissingError, SettingError
from cupel.models.capabilities import Capabilities
from cupel.models.endpoints import Endpoint
from cupel.models.messages import to_wire
from cupel.models.recordings import Recorder, Recording, recorder, request_digest, request_key
from cupel.models.settings import CallSettings
from cupel.project import address_problem

_PATIENCE_S = 86_400.0
"""Who answers while recording may be a person."""


class RecordedModel(BaseChatModel):
    """Replays `NAME.jsonl` of the recordings folder."""

    recording: str
    max_output_tokens: int = 4096

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        asked, key = _request(messages, kwargs)
        answers = recorder(self.recording)
        # off the loop: the first look reads the file
        recording = await asyncio.to_thread(answers.get, key)
        if recording is None:
            recording = await self._record(answers, key, asked, messages, kwargs)
        return _replay(recording)

    def _generate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        asked, key = _request(messages, kwargs)
        answers = recorder(self.recording)
        recording = answers.get(key)
        if recording is None:
            raise _missing(self.recording, answers, key, asked)
        return _replay(recording)

    async def _record(
        self,
        answers: Recorder,
        key: str,
        asked: list[dict[str, Any]],
        messages: list[BaseMessage],
        kwargs: dict[str, Any],
    ) -> Recording:
        url = os.environ.get("CUPEL_RECORD_BASE_URL", "").strip()
        if not url:
            raise await asyncio.to_thread(_missing, self.recording, answers, key, asked)
        if problem := address_problem(url):
            raise SettingError(f"CUPEL_RECORD_BASE_URL: {url!r} is no address; {problem}")
        where = Endpoint(url.rstrip("/"), os.environ.get("CUPEL_RECORD_API_KEY", "").strip())
        live = await asyncio.to_thread(_live, where, self.recording, self.max_output_tokens)
        message = await live.ainvoke(messages, **kwargs)
        new = Recording(
            key=key,
            model=message.response_metadata["model_name"],
            content=str(message.content),
            finish_reason=message.response_metadata["finish_reason"] or "stop",
            request_digest=request_digest(asked),
            usage=_usage(message),
        )
        await asyncio.to_thread(answers.add, new)
        return new

    @property
    def _llm_type(self) -> str:
        return "recorded-chat"


def _live(where: Endpoint, model: str, max_output_tokens: int) -> BaseChatModel:
    from cupel.models.http import Terms
    from cupel.models.openai_chat import OpenAIChat

    settings = CallSettings(max_output_tokens=max_output_tokens, timeout_s=_PATIENCE_S)
    terms = Terms.of("recorded", model, where, Capabilities(), settings)
    return OpenAIChat.open(terms)


def _request(messages: list[BaseMessage], kwargs: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    asked = [to_wire(message) for message in messages]
    schema = (kwargs.get("response_format") or {}).get("json_schema", {}).get("schema")
    return asked, request_key(asked, schema)


def _replay(answer: Recording) -> ChatResult:
    usage = None
    if {"input_tokens", "output_tokens"} <= answer.usage.keys():
        fresh, output = answer.usage["input_tokens"], answer.usage["output_tokens"]
        usage = UsageMetadata(input_tokens=fresh, output_tokens=output, total_tokens=fresh + output)
    details = {"finish_reason": answer.finish_reason, "model_name": answer.model, "recorded": answer.date}
    message = AIMessage(content=answer.content, usage_metadata=usage, response_metadata=details)
    return ChatResult(generations=[ChatGeneration(message=message)])


def _usage(message: AIMessage) -> dict[str, int]:
    usage = message.usage_metadata
    if usage is None:
        return {}
    return {"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"]}


def _missing(name: str, answers: Recorder, key: str, asked: list[dict[str, Any]]) -> RecordingMissingError:
    there = f"{len(answers)} others" if answers.path.is_file() else "no such file"
    return RecordingMissingError(
        f"{answers.path} has no answer to request {key} ({there}), which ends in a message beginning "
        f"{request_digest(asked)!r}. Recordings answer only what was asked when they were made, and the prompt, schema or document is "
        "another: for a document of your own name another model (a provider's, whose key is set; `cupel doctor` says which), or set "
        "CUPEL_RECORD_BASE_URL to an OpenAI-compatible address and run the same command to record it",
        model=f"recorded:{name}",
    )
