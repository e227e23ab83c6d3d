"""A provider's answer as a LangChain message; whatever it sends, a message or an error of ours comes out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata

from cupel.models.errors import ProviderCallError, ProviderConnectionError, ReplyCutOffError
from cupel.models.prices import reported_tokens
from cupel.redaction import mask_values
from cupel.task import opens_more

OK = 200
_KEPT = (b"x-ratelimit", b"ratelimit", b"retry-after", b"x-request-id", b"date")
HELD_BACK = frozenset({"json_validate_failed", "tool_use_failed", "output_parse_failed"})
"""Groq's codes for a reply it would not pass on; `failed_generation` may hold it. They pass by themselves."""

_THOUGHTS = frozenset({"thinking", "reasoning", "redacted_thinking"})
_BLANK = b" \t\r\n\xef\xbb\xbf"
_EVENTS = (b"data:", b"event:", b":")
_SHOWN = 100_000
_DIGITS = 300
_TOO_DEEP = "the reply nests deeper than can be read"
_LONGEST_WORD = 32
_MAX_USD = 1_000_000.0
_SAID = ("delta", "message")
_ENDS = {
    **dict.fromkeys(("max_tokens", "max_output_tokens", "model_length", "token_limit"), "length"),
    **dict.fromkeys(
        (
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "sensitive",
            "guardrail_intervened",
        ),
        "content_filter",
    ),
}
"""Words of Gemini, Anthropic, Mistral, Bedrock and Zhipu, as gateways pass them on, and ours for them."""

_BROKEN_OFF = frozenset({"insufficient_system_resource", "error", "abort", "malfunction", "network_error"})
"""Words of DeepSeek, OpenRouter, vLLM and Zhipu for a reply that is not the model's fault: it passes by itself."""

_NOTHING: dict[str, Any] = {"finish_reason": "no_choices"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    headers: dict[str, str]
    """Names in lower case; only those about limits, `date` and `x-request-id`."""

    content: bytes


def keep_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers anyone reads, names in lower case.

    >>> keep_headers([(b"Retry-After", b"2"), (b"Server", b"x")])
    {'retry-after': '2'}
    """
    return {
        lower.decode("latin-1"): value.decode("latin-1")
        for name, value in raw
        if (lower := name.lower()).startswith(_KEPT)
    }


def parse(content: bytes) -> Any:
    r"""The JSON of an answer, without the secrets that its bytes did not show; None for what is none.

    The bytes were masked as they came (`cupel.models.http`). A key that is spelt in escapes, in another encoding, or in
    pieces of a stream is whole only here.

    >>> parse(b'{"logprob": -Infinity}')
    {'logprob': -inf}
    >>> parse(b'data: {"choices": [{"delta": {"content": "Hel"}}]}\n\ndata: {"choices": [{"delta": {"content": "lo"}}]}')
    {'choices': [{'finish_reason': 'length', 'message': {'content': 'Hello'}}]}
    """
    try:
        data = orjson.loads(content)
    except ValueError:
        return mask_values(_parse_oddly(content))
    return mask_values(data) if b"\\u" in content else data


def _parse_oddly(content: bytes) -> Any:
    # some servers write infinities, which are no JSON but mean something, or another encoding than UTF-8
    data = _loads(content)
    if data is not None:
        return data
    if content.lstrip(_BLANK).startswith(_EVENTS):
        return _joined(content)
    return _loads(content.decode("utf-8", "replace"))


def _joined(content: bytes) -> Any:
    """A completion that was streamed though nobody asked for it: its pieces put together; None for what is none."""
    whole: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    ended = "length"  # until it says that it is done
    for line in content.decode("utf-8", "replace").split("\n"):
        name, _, data = line.partition(":")
        if name.strip("\ufeff") != "data":
            continue
        piece = _loads(data)
        if not isinstance(piece, dict):
            ended = "stop" if data.strip() == "[DONE]" else ended
            continue
        first = next((one for one in _list(piece.get("choices")) if isinstance(one, dict)), {})
        whole |= {name: value for name, value in piece.items() if value is not None and name != "choices"}
        choice |= {name: value for name, value in first.items() if value is not None and name not in _SAID}
        said = _dict(first.get("delta")) or _dict(first.get("message"))
        for name in ("content", "reasoning", "reasoning_content", "refusal"):
            texts.setdefault(name, []).append(_text(said.get(name)))
        texts.setdefault("arguments", []).extend(map(_tool_text, _list(said.get("tool_calls"))))
    if not texts:
        return None
    message: dict[str, Any] = {name: "".join(parts) for name, parts in texts.items() if any(parts)}
    if arguments := message.pop("arguments", ""):
        message["tool_calls"] = [{"function": {"arguments": arguments}}]
    return {**whole, "choices": [{"finish_reason": ended, **choice, "message": message}]}


def _loads(text: str | bytes) -> Any:
    try:
        return None if opens_more(_plain(text)) else json.loads(text, parse_int=_number)
    except ValueError:
        return None


def _plain(text: str | bytes) -> str:
    """With every bracket and quote at its place, whatever the bytes in between mean."""
    return text if isinstance(text, str) else text.decode("latin-1")


def _number(digits: str) -> float:
    """An integer; one that Python would not read is as good as infinite."""
    return int(digits) if len(digits) <= _DIGITS else math.inf


def to_message(reply: Reply, *, model: str, answer: Any = None) -> AIMessage:
    """Read an answer, good or poor; `response_metadata` has `finish_reason`, `headers` and the rest.

    Args:
        reply: The HTTP answer.
        answer: Its JSON where it was read already.
        model: Named in errors.

    Raises:
        ProviderCallError: The provider sent an error, if need be behind status 200.
        ProviderConnectionError: Status 200, but no JSON object.
        ReplyCutOffError: Status 200, but nested beyond reading.
    """
    try:
        return _message(reply, answer if isinstance(answer, dict) else _object(reply, model), model)
    except RecursionError:  # wherever in it that stands
        raise ReplyCutOffError(_TOO_DEEP, model=model) from None


def _message(reply: Reply, data: dict[str, Any], model: str) -> AIMessage:
    if reply.status != OK or data.get("error"):
        return _read_error(reply, data, model)
    choice = _choice(data)
    if choice.get("error"):
        return _read_error(reply, choice, model)
    message = _dict(choice.get("message")) or _dict(choice.get("delta")) or {"content": choice.get("text")}
    ended = str(choice.get("finish_reason") or choice.get("done_reason") or "")
    if ended.lower() in _BROKEN_OFF:
        raise ProviderCallError(f"the model broke off: {ended}", model=model, status=503)
    details: dict[str, Any] = {
        "finish_reason": _ENDS.get(ended.lower(), ended[:_LONGEST_WORD]),
        "model_name": str(data.get("model") or ""),
        "headers": reply.headers,
        "cost_usd": billed_usd(data.get("usage")),
    }
    if message.get("refusal"):
        details["refusal"] = str(message["refusal"])
    if choice.get("logprobs"):
        details["logprobs"] = choice["logprobs"]
    return AIMessage(
        content=_said(message),
        usage_metadata=usage_of(data.get("usage")),
        response_metadata=details,
    )


def _choice(data: dict[str, Any]) -> dict[str, Any]:
    """The first choice; Ollama's own API has what is in it at the top."""
    first = next(iter(_list(data.get("choices"))), None)
    if isinstance(first, dict):
        return first
    return data if isinstance(data.get("message"), dict) else _NOTHING


def _object(reply: Reply, model: str) -> dict[str, Any]:
    data = parse(reply.content)
    if isinstance(data, list) and len(data) == 1 and _dict(data[0]).get("error"):
        data = data[0]  # so Gemini sends its errors
    if isinstance(data, dict):
        return data
    text = reply.content[:_SHOWN].decode("utf-8", "replace").strip()
    if reply.status == OK:
        if opens_more(_plain(reply.content)):
            raise ReplyCutOffError(_TOO_DEEP, model=model)
        raise ProviderConnectionError(
            f"answered with something that is no JSON object: {text[:200]!r}",
            model=model,
            headers=reply.headers,
        )
    return {"error": {"message": text or "no message"}}


def _read_error(reply: Reply, data: dict[str, Any], model: str) -> AIMessage:
    """The text Groq held back because it is not valid JSON; any other error is raised."""
    error = data.get("error") or data.get("message") or data.get("detail")
    fields = error if isinstance(error, dict) else {"message": error or data}
    code, held_back = str(fields.get("code") or ""), _text(fields.get("failed_generation"))
    if code == "json_validate_failed" or (code in HELD_BACK and "{" in held_back):
        return AIMessage(
            content=_arguments(held_back),
            response_metadata={"finish_reason": code, "headers": reply.headers},
        )
    body = {name: str(fields[name]) for name in ("message", "code", "type", "param") if fields.get(name)}
    body["message"] = body.get("message") or str(fields)
    if raw := _dict(fields.get("metadata")).get("raw"):
        body["message"] += f": {raw}"  # OpenRouter's own message says only that its provider failed
    raise ProviderCallError(
        body["message"],
        model=model,
        # OpenRouter answers 200 and puts the real status into the body
        status=reply.status if reply.status != OK else _status(fields.get("code")),
        headers=reply.headers,
        body=body,
    )


def _status(code: Any) -> int:
    """The status an error behind status 200 stands for; 502 where it names none."""
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(message: dict[str, Any]) -> str:
    """What a message says, wherever a server puts it: the content and tools' arguments, else what it reasoned."""
    said = [
        _text(message.get("content")),
        *map(_tool_text, _list(message.get("tool_calls"))),
        _tool_text({"function": message.get("function_call")}),
    ]
    thought = (_text(message.get(name)) for name in ("reasoning", "reasoning_content", "thinking"))
    # "Let me note this down." and the record as a call: who reads it finds the record in both
    return "\n".join(filter(str.strip, said)) or next(filter(str.strip, thought), "")


def _tool_text(call: Any) -> str:
    """The arguments of a tool call: some models answer by one though no tool was offered."""
    given = _dict(_dict(call).get("function")).get("arguments")
    return given if isinstance(given, str) else "" if given is None else json.dumps(given, ensure_ascii=False)


def _arguments(held_back: str) -> str:
    """The record inside a tool call that was written as text, or the text itself."""
    given = _dict(_loads(held_back)).get("arguments")
    return (
        given
        if isinstance(given, str)
        else held_back
        if given is None
        else json.dumps(given, ensure_ascii=False)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(content: Any) -> str:
    """The content as text; some servers send it in parts, and thoughts are parts of their own, or a record as it is."""
    if isinstance(content, list):
        return "".join(_text(part) for part in content if not isinstance(part, list))
    if isinstance(content, dict):
        is_part = "type" in content or content.keys() == {"text"}
        said = "" if content.get("type") in _THOUGHTS else content.get("text")
        return (said if isinstance(said, str) else "") if is_part else json.dumps(content, ensure_ascii=False)
    return content if isinstance(content, str) else ""


TICKS_PER_USD = 10**10
"""xAI tells costs in these (docs.x.ai/developers/cost-tracking)."""


def billed_usd(usage: Any) -> float | None:
    """What the provider says the call cost, in US dollars; None where it does not say (most).

    OpenRouter does in `cost` (with a key of one's own behind it, what the provider behind it bills comes on top),
    Perplexity in `cost.total_cost`, xAI in ticks, DeepInfra in `estimated_cost`.

    >>> billed_usd({"cost": 0.0033}), billed_usd({"cost_in_usd_ticks": 37756000}), billed_usd({"prompt_tokens": 1})
    (0.0033, 0.0037756, None)
    """
    bill = _dict(usage)
    upstream = _dict(bill.get("cost_details")).get("upstream_inference_cost") if bill.get("is_byok") else 0
    own = bill.get("cost")
    own = own.get("total_cost") if isinstance(own, dict) else own
    usd, ticks = _amount(own), _amount(bill.get("cost_in_usd_ticks"))
    if usd is not None:
        more = _amount(upstream or 0)
        usd = None if more is None else usd + more
    else:
        usd = _amount(bill.get("estimated_cost")) if ticks is None else ticks / TICKS_PER_USD
    return usd if usd is not None and usd <= _MAX_USD else None


def _amount(value: Any) -> float | None:
    """A sum of money as a provider wrote it; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def usage_of(usage: Any) -> UsageMetadata | None:
    """The tokens of a call in every dialect; None where the provider sent none.

    Reasoning is billed as output. Some count it beside `completion_tokens`: `total_tokens` shows it, or that there is
    more of it than of those. What was read from a cache, or written to it, is part of the prompt's tokens; Anthropic
    counts it beside them.

    >>> usage_of({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 2000})["output_tokens"]
    1000
    >>> usage_of({"completion_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 900}})["output_tokens"]
    1000
    >>> usage_of({"prompt_tokens": "1000", "completion_tokens": 100.0})["input_tokens"]
    1000
    >>> usage_of({"input_tokens": 3, "cache_creation_input_tokens": 12304, "output_tokens": 550})["input_tokens"]
    12307
    """
    if not isinstance(usage, dict) or not usage:
        return None
    asked = reported_tokens(usage.get("prompt_tokens") or usage.get("input_tokens"))
    said = reported_tokens(usage.get("completion_tokens") or usage.get("output_tokens"))
    total = reported_tokens(usage.get("total_tokens"))
    details = _dict(usage.get("prompt_tokens_details")) or _dict(usage.get("input_tokens_details"))
    read = _first_tokens(details, _READ) or _first_tokens(usage, _READ)
    written = _first_tokens(details, _WRITTEN) or _first_tokens(usage, _WRITTEN)
    if _are_beside(usage, asked, said, total, read + written):
        asked += read + written
    read = min(read, asked)
    parts = _dict(usage.get("completion_tokens_details")) or _dict(usage.get("output_tokens_details"))
    reasoned = _first_tokens(parts, ("reasoning_tokens",))
    output = max(said, total - asked, said + reasoned if reasoned > said else 0)
    return UsageMetadata(
        input_tokens=asked,
        output_tokens=output,
        total_tokens=asked + output,
        input_token_details={"cache_read": read, "cache_creation": min(written, asked - read)},
    )


_READ = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_WRITTEN = (
    "cache_write_tokens", "cached_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens",
)  # fmt: skip


def _first_tokens(counts: dict[str, Any], names: Iterable[str]) -> int:
    return next((tokens for name in names if (tokens := reported_tokens(counts.get(name)))), 0)


def _are_beside(usage: dict[str, Any], asked: int, said: int, total: int, cached: int) -> bool:
    """Whether what a cache had or got is counted beside the prompt, as Anthropic does; gateways do either."""
    if not any(name in usage for name in ("cache_read_input_tokens", "cache_creation_input_tokens")):
        return False
    if cached > asked:
        return True
    return total == asked + cached + said if total else "prompt_tokens" not in usage
