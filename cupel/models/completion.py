"""One call to one model: messages and a schema in, text, usage and rate-limit headers out."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cupel.models.capabilities import capabilities
from cupel.models.errors import ReplyCutOffError
from cupel.models.factory import find_model, open_model
from cupel.models.prices import estimate_tokens, reported_tokens
from cupel.models.settings import DEFAULT_SETTINGS, CallSettings
from cupel.redaction import mask
from cupel.text import storable

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.runnables import RunnableConfig

Token = tuple[str, float, list[tuple[str, float]]]
"""Its text, its log-probability, and the likeliest tokens in its place with theirs, where they were sent."""

Message = dict[str, str]
"""`{"role": "system" | "user" | "assistant", "content": text}`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What came back, good or poor."""

    text: str
    """Empty for a refusal, null content or no choice at all; may be cut off, see `finish_reason`."""

    refusal: str | None = None
    finish_reason: str = "stop"
    """The provider's word (`stop`, `length`, `content_filter` …), `no_choices`, or `json_validate_failed`."""

    input_tokens: int
    """Of the prompt, cached ones included."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0
    """Of the prompt, those the provider put into its cache: dearer than fresh ones."""

    output_tokens: int
    tokens: list[Token] | None = None
    """Each token of the reply with what it was worth; None where the provider sent none."""

    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case: those about limits, `date` and `x-request-id`."""

    latency_s: float = 0.0
    cost_usd: float | None = None
    """What the provider says it billed; None where it does not say."""

    @property
    def logprobs(self) -> list[float] | None:
        """The log-probability of each token."""
        return None if self.tokens is None else [token[1] for token in self.tokens]


async def complete(
    model_id: str,
    messages: Sequence[Message],
    *,
    schema: dict[str, Any] | None = None,
    schema_name: str = "record",
    settings: CallSettings = DEFAULT_SETTINGS,
    config: RunnableConfig | None = None,
) -> Completion:
    """Ask `model_id` once, through its LangChain chat model. Nothing is retried here.

    A poor answer (refusal, filtered, cut off, empty, not JSON) is returned as it is; only a call without
    any answer raises.

    Args:
        model_id: `provider:model`.
        messages: The conversation, the stable part first.
        schema: JSON Schema of the reply as it is sent (see `cupel.task.rendering.wire_schema`), not changed after
            the first call; None for free text. Sent as the model's capabilities allow: strict schema, JSON
            mode (the prompt must say "JSON"), or not at all.
        schema_name: What the provider shows the schema as.
        settings: Temperature, limits, log-probabilities.
        config: LangChain's, for run name, tags and metadata of the trace.

    Raises:
        ProviderCallError: No answer; `status_code` and `headers` say what the provider said.
        SettingError: The model cannot be reached as set up.
        RecordingMissingError: A `recorded:` model has no such answer.
    """
    model = await open_connection(model_id, settings)
    from cupel.models.messages import to_langchain

    bound = {} if schema is None else response_format(model_id, messages, schema, schema_name)
    started = time.perf_counter()
    message = await model.ainvoke([to_langchain(each) for each in messages], config, **bound)
    return completion_of(message, messages, bound, time.perf_counter() - started)


async def open_connection(model_id: str, settings: CallSettings) -> BaseChatModel:
    """The chat model `complete` asks; it raises SettingError as `complete` does."""
    model = find_model(model_id, settings)
    # off the loop: the first model of a provider imports its SDK and reads certificates
    return model if model is not None else await asyncio.to_thread(open_model, model_id, settings)


def response_format(
    model_id: str, messages: Sequence[Message], schema: dict[str, Any], name: str
) -> dict[str, Any]:
    """What asks for the schema, as far as the model can be asked for one; empty where it cannot."""
    structured = capabilities(model_id, os.environ).structured
    if structured == "json_schema":
        return {"response_format": _json_schema(schema, name)}
    # JSON mode is refused by the providers when no message says what is wanted
    if structured == "json_object" and any("json" in each["content"].lower() for each in messages):
        return {"response_format": {"type": "json_object"}}
    return {}


_formats: dict[tuple[int, str], tuple[dict[str, Any], dict[str, Any]]] = {}
"""By identity of the schema, which is kept so that the identity stays its own."""


def _json_schema(schema: dict[str, Any], name: str) -> dict[str, Any]:
    held = _formats.get((id(schema), name))
    if held is None:
        if len(_formats) >= 256:
            _formats.clear()
        inner = {"name": name, "strict": True, "schema": schema}
        held = _formats[id(schema), name] = (schema, {"type": "json_schema", "json_schema": inner})
    return held[1]


def completion_of(
    message: Any, messages: Sequence[Message], bound: dict[str, Any], latency_s: float
) -> Completion:
    """A provider's message with its usage, estimated where it sent none: rather too many tokens than too few."""
    details = message.response_metadata
    usage = message.usage_metadata
    text = message.content if isinstance(message.content, str) else str(message.text)
    if not text.strip():  # some models answer by a tool call though no tool was offered
        calls = [*message.tool_calls, *message.invalid_tool_calls]
        text = next((_arguments(call["args"]) for call in calls), "")
    if usage is None:
        asked = sum(estimate_tokens(each["content"]) for each in messages) + 4 * len(messages)
        asked += estimate_tokens(str(bound), json=True) if bound else 0
        usage = {"input_tokens": asked, "output_tokens": estimate_tokens(text, json=True)}
    asked = reported_tokens(usage["input_tokens"])
    caching = usage.get("input_token_details") or {}
    read = min(reported_tokens(caching.get("cache_read")), asked)
    plain = storable(text)
    shown = mask(plain)
    return Completion(
        text=shown,
        refusal=mask(storable(details["refusal"])) if details.get("refusal") else None,
        finish_reason=details.get("finish_reason") or "stop",
        input_tokens=asked,
        cached_tokens=read,
        cache_write_tokens=min(reported_tokens(caching.get("cache_creation")), asked - read),
        output_tokens=reported_tokens(usage["output_tokens"]),
        cost_usd=details.get("cost_usd"),
        tokens=_tokens(details.get("logprobs"), told=shown == plain),
        headers=details.get("headers") or {},
        latency_s=latency_s,
    )


def _arguments(args: Any) -> str:
    try:
        return args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
    except RecursionError:
        raise ReplyCutOffError("the reply nests deeper than can be read") from None


def _tokens(shown: Any, *, told: bool) -> list[Token] | None:
    """Each token with what it was worth; without its text where the reply holds a secret, which may lie across several."""
    listed = shown.get("content") if isinstance(shown, dict) else None
    if not isinstance(listed, list):
        return None
    tokens: list[Token] = [
        (str(one.get("token") or "") if told else "", float(worth), _alternatives(one, told))
        for one in listed
        if isinstance(one, dict) and isinstance(worth := one.get("logprob"), (int, float))
    ]
    return tokens or None


def _alternatives(token: dict[str, Any], told: bool) -> list[tuple[str, float]]:
    others = token.get("top_logprobs")
    if not others or not isinstance(others, list):
        return []
    return [
        (str(other.get("token") or "") if told else "", float(other["logprob"]))
        for other in others
        if isinstance(other, dict) and isinstance(other.get("logprob"), (int, float))
    ]
