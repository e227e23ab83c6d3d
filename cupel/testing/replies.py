"""The bodies `ScriptedProvider` sends: completions whole and spoilt, errors, and broken connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cupel.models import estimate_tokens
from cupel.testing.filling import document_of, fill

_HANG_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReply:
    """A whole body of one's own, for what no fault covers; an answer function may return it."""

    body: Any
    """Sent as JSON; bytes are sent as they are."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float | None = None
    """Seconds after which a body of bytes is sent once more, and so on without end; None: sent once."""

    async def send(self, request: web.Request, headers: Mapping[str, str]) -> web.StreamResponse:
        """Send it, with these headers too."""
        all_headers = {**headers, **self.headers}
        if not isinstance(self.body, bytes):
            return web.json_response(self.body, status=self.status, headers=all_headers)
        if self.drip_s is None:
            return web.Response(body=self.body, status=self.status, headers=all_headers)
        response = web.StreamResponse(status=self.status, headers=all_headers)
        await response.prepare(request)
        with suppress(ConnectionError):  # until nobody listens any more
            while True:
                await response.write(self.body)
                await asyncio.sleep(self.drip_s)
        return response


def answer_by_schema(body: dict[str, Any]) -> Any:
    """The answer without a script: a valid record of the schema, its quotes cut from the document."""
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    document = document_of(body["messages"])
    return fill(schema, document) if schema else document[:200]


def prompt_tokens(body: dict[str, Any]) -> int:
    """Tokens of the messages, estimated."""
    return sum(estimate_tokens(str(message.get("content"))) for message in body.get("messages", []))


def longest_reply(body: dict[str, Any]) -> int:
    """The most tokens the reply may have."""
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 0)


def _token(said: str, number: int, count: int, alternatives: int) -> dict[str, Any]:
    """One of so many tokens of a reply, and others that were less likely in its place."""
    text = said[len(said) * number // count : len(said) * (number + 1) // count]
    token: dict[str, Any] = {"token": text, "logprob": -0.1}
    if alternatives:
        others = [{"token": f"~{other}", "logprob": -3.0 - other} for other in range(1, alternatives)]
        token["top_logprobs"] = [{"token": text, "logprob": -0.1}, *others]
    return token


def completion(body: dict[str, Any], said: Any, fault: str | None) -> dict[str, Any]:
    """A chat completion that says `said`, spoilt as `fault` has it."""
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    _spoil(message, choice, text, fault)
    tokens = estimate_tokens(str(message["content"] or ""))
    if body.get("logprobs"):
        said, most = str(message["content"] or ""), int(body.get("top_logprobs") or 0)
        choice["logprobs"] = {"content": [_token(said, number, tokens, most) for number in range(tokens)]}
    prompt = prompt_tokens(body)
    data = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [] if fault == "empty_choices" else [choice],
        "usage": {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens},
    }
    if fault == "no_usage":
        del data["usage"]
    return data


def _spoil(message: dict[str, Any], choice: dict[str, Any], text: str, fault: str | None) -> None:
    if fault == "truncated_json":
        message["content"], choice["finish_reason"] = text[: len(text) // 2], "length"
    elif fault == "invalid_json":
        message["content"] = text.replace('"', "'") + ","
    elif fault == "fenced_json":
        message["content"] = f"```json\n{text}\n```"
    elif fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault == "null_content":
        message["content"] = None
    elif fault == "content_filter":
        message["content"], choice["finish_reason"] = "", "content_filter"


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as OpenAI writes it."""
    error = {"message": message, "type": code, "code": code}
    return web.json_response({"error": error}, status=status, headers=dict(headers or {}))


async def break_off(request: web.Request, fault: str | None) -> web.StreamResponse:
    """An answer to the faults that are not billed and are more than a status."""
    if fault == "hang":
        await asyncio.sleep(_HANG_S)
    if fault == "close" and request.transport is not None:
        request.transport.abort()
    if fault == "html":
        return web.Response(text="<html><body>Bad gateway</body></html>", content_type="text/html")
    if fault == "error_in_200":
        return web.json_response({"error": {"message": "Provider returned error", "code": 502}})
    error = {
        "message": "Failed to generate JSON",
        "code": "json_validate_failed",
        "failed_generation": '{"cut": ',
    }
    return web.json_response({"error": error}, status=400)


async def cut(request: web.Request, said: dict[str, Any], headers: dict[str, str]) -> web.StreamResponse:
    """Half of the completion, then the end of the connection."""
    content = json.dumps(said).encode()
    response = web.StreamResponse(
        headers=headers | {"content-length": str(len(content)), "content-type": "application/json"}
    )
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
