"""Chat models that say what they are told to: `scripted:NAME`."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from cupel.models import attach_model, detach_model, estimate_tokens, to_wire

Reply = str | dict[str, Any] | AIMessage | BaseException
"""Text, a record (sent as JSON), a message from `reply`, or an error to raise."""

Script = Reply | Sequence[Reply] | Callable[[list[dict[str, Any]], dict[str, Any] | None], Any]
"""One reply for ever, replies in order, or a function of messages and schema (which may be async)."""


class ScriptExhaustedError(AssertionError):
    """A scripted model was asked more often than it has replies."""


@dataclass(frozen=True, slots=True)
class ScriptedRequest:
    """What a scripted model was asked."""

    messages: list[dict[str, Any]]
    schema: dict[str, Any] | None
    """The schema as it was sent; None for free text."""

    bound: dict[str, Any]
    """All that was bound to the call, such as `response_format`."""


def reply(
    content: str | dict[str, Any] | list[Any],
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    logprobs: Sequence[float] | None = None,
    input_tokens: int | None = None,
    cached_tokens: int = 0,
    output_tokens: int | None = None,
) -> AIMessage:
    """A reply with all its trimmings; a record is written as JSON. Tokens left out are estimated."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    details: dict[str, Any] = {"finish_reason": finish_reason, "model_name": "scripted"}
    if refusal is not None:
        details["refusal"] = refusal
    if logprobs is not None:
        details["logprobs"] = {"content": _tokens(text, logprobs)}
    usage = None
    if input_tokens is not None:
        output = estimate_tokens(text, json=True) if output_tokens is None else output_tokens
        usage = UsageMetadata(
            input_tokens=input_tokens,
            output_tokens=output,
            total_tokens=input_tokens + output,
            input_token_details={"cache_read": cached_tokens},
        )
    return AIMessage(content=text, usage_metadata=usage, response_metadata=details)


def _tokens(text: str, logprobs: Sequence[float]) -> list[dict[str, Any]]:
    """The text in as many tokens as there are log-probabilities, about equally long."""
    ends = [len(text) * number // len(logprobs) for number in range(len(logprobs) + 1)]
    return [
        {"token": text[start:end], "logprob": worth}
        for start, end, worth in zip(ends, ends[1:], logprobs, strict=False)
    ]


class ScriptedChatModel(BaseChatModel):
    """Replies from a script, and keeps what it was asked in `requests`."""

    name_of_script: str = "scripted"
    script: Any
    _requests: list[ScriptedRequest] = PrivateAttr(default_factory=list)
    _counter: Iterator[int] = PrivateAttr(default_factory=itertools.count)

    @property
    def requests(self) -> list[ScriptedRequest]:
        """Everything asked so far, oldest first."""
        return self._requests

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  # LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        said = self._say(messages, kwargs)
        return _result(await said if inspect.isawaitable(said) else said)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  # LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        return _result(self._say(messages, kwargs))

    def _say(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Reply | Awaitable[Reply]:
        schema = (kwargs.get("response_format") or {}).get("json_schema", {}).get("schema")
        request = ScriptedRequest([to_wire(message) for message in messages], schema, kwargs)
        self._requests.append(request)
        if callable(self.script):
            said: Reply | Awaitable[Reply] = self.script(request.messages, schema)
            return said
        return self._next()

    def _next(self) -> Reply:
        if not isinstance(self.script, Sequence) or isinstance(self.script, str):
            said: Reply = self.script
            return said
        number = next(self._counter)
        if number >= len(self.script):
            raise ScriptExhaustedError(
                f"{self.name_of_script} was asked {number + 1} times but has {len(self.script)} replies; "
                f"the last request ends in {self._requests[-1].messages[-1]['content'][:200]!r}"
            )
        return cast("Reply", self.script[number])

    @property
    def _llm_type(self) -> str:
        return "scripted-chat"


def _result(said: Any) -> ChatResult:
    if isinstance(said, BaseException):
        raise said
    message = said if isinstance(said, AIMessage) else reply(said)
    return ChatResult(generations=[ChatGeneration(message=message.model_copy())])


@contextmanager
def scripted(scripts: Mapping[str, Script]) -> Iterator[dict[str, ScriptedChatModel]]:
    """Answer for these model ids from scripts, inside the block.

    Args:
        scripts: Model id, usually `scripted:NAME`, to its script. Any other id is taken over too, so a
            test can stand in for `groq:openai/gpt-oss-20b` and send nothing.

    Yields:
        The models by id; `.requests` has what each was asked.

    Example:
        with scripted({"scripted:cheap": [{"stance": "support"}, TimeoutError()]}) as models:
            ...
        assert len(models["scripted:cheap"].requests) == 2
    """
    models = {name: ScriptedChatModel(name_of_script=name, script=script) for name, script in scripts.items()}
    for name, model in models.items():
        attach_model(name, model)
    try:
        yield models
    finally:
        for name in models:
            detach_model(name)
