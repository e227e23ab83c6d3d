"""The batch APIs of OpenAI and Groq: a file of requests goes up, a job answers it within a day at half price.

Both have the same `/files` and `/batches` (platform.openai.com/docs/guides/batch, console.groq.com/docs/batch).
Nothing is retried here, and every failure is one of `cupel.models.errors`, as for a single call.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from cupel.models.connections import proxy_for, session_of_this_loop
from cupel.models.endpoints import announce, endpoint
from cupel.models.errors import (
    ProviderCallError,
    ProviderConnectionError,
    ProviderTimeoutError,
    check_no_redirect,
    system_error,
)
from cupel.models.http import MAX_REPLY_BYTES, has_too_many_parts, read_whole
from cupel.models.ids import ModelId
from cupel.redaction import mask_bytes, mask_values

BATCH_PROVIDERS = ("openai", "groq")
BATCH_SHARE = 0.5
"""What a request in a batch costs, as a share of its price alone."""

MAX_REQUESTS = 50_000
MAX_BYTES = 100_000_000
"""Of one upload: half of what both allow, 200 MB, so that it travels within the time of a call."""

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_ACCEPTED_FROM, _REFUSED_FROM = 200, 300
_PAGE, _PAGES = 100, 20
_TRANSFER_S = 600.0

CUT_OFF = "cut_off"
"""In a line of results that was longer than any reply may be."""

_CUSTOM_ID = re.compile(rb'"custom_id"[ \t]{0,9}:[ \t]{0,9}"([^"\\]{1,200})"')
_HEAD = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """A job as the provider describes it."""

    batch_id: str
    status: str
    """`validating`, `in_progress`, `finalizing`, `cancelling`, or one of `ENDED`."""

    input_file_id: str
    output_file_id: str | None
    error_file_id: str | None
    problem: str
    """What it says of a job that failed as a whole."""

    job: str
    """The name we gave it."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ENDED

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> BatchState:
        """From the provider's object."""
        errors = _list(_dict(data.get("errors")).get("data"))
        problem = "; ".join(str(error.get("message") or error) for error in errors if isinstance(error, dict))
        return cls(
            batch_id=str(data.get("id") or ""),
            status=str(data.get("status") or ""),
            input_file_id=str(data.get("input_file_id") or ""),
            output_file_id=str(data.get("output_file_id") or "") or None,
            error_file_id=str(data.get("error_file_id") or "") or None,
            problem=problem,
            job=str(_dict(data.get("metadata")).get("cupel_job") or ""),
        )


class BatchApi:
    """One provider's batch API, with the address and key the environment names."""

    def __init__(self, model_id: str, env: Mapping[str, str] = os.environ) -> None:
        """Take any model of the provider.

        Raises:
            SettingError: When its key is missing.
        """
        self._model = model_id
        model = ModelId.parse(model_id)
        self._where = endpoint(model, env)
        announce(model.provider, self._where, env, proxy=proxy_for(self._where.url))

    async def upload(self, name: str, lines: str) -> str:
        """Upload a file of requests; returns its id."""
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", lines.encode(), filename=f"{name}.jsonl", content_type="application/jsonl")
        answer = await self._json("POST", "/files", data=form)
        if not answer.get("id"):
            raise ProviderConnectionError("/files: the answer names no file", model=self._model)
        return str(answer["id"])

    async def create(self, file_id: str, job: str) -> BatchState:
        """Start the job on an uploaded file; from here on it costs."""
        order = {
            "input_file_id": file_id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"cupel_job": job},
        }
        return BatchState.of(await self._json("POST", "/batches", json=order))

    async def find(self, file_id: str, job: str) -> BatchState | None:
        """The job of this name or file, if the provider has one: its id may have been lost on the way."""
        after = ""
        for _ in range(_PAGES):
            page = await self._json("GET", f"/batches?limit={_PAGE}{after}")
            states = [BatchState.of(each) for each in _list(page.get("data")) if isinstance(each, dict)]
            for state in states:
                if state.job == job or state.input_file_id == file_id:
                    return state
            if not page.get("has_more") or not states:
                return None
            after = f"&after={states[-1].batch_id}"
        return None

    async def state(self, batch_id: str) -> BatchState:
        """How far a job is."""
        return BatchState.of(await self._json("GET", f"/batches/{batch_id}"))

    async def lines(self, file_id: str) -> AsyncGenerator[dict[str, Any]]:
        """The results in a file as they come; what is no JSON object is left out.

        Of a line longer than any reply there is only whose it is: `custom_id` and `CUT_OFF`.
        """
        async with self._asked("GET", f"/files/{file_id}/content") as response:
            async for written in _lines(response):
                line = mask_bytes(written)
                is_readable = len(line) <= MAX_REPLY_BYTES and not has_too_many_parts(line)
                data = _object(line) if is_readable else _cut_line(line)
                if data is not None:
                    yield data

    async def _json(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        async with self._asked(method, path, **sent) as response:
            data = _object(mask_bytes(await read_whole(response, self._model)))
        if data is None:
            raise ProviderConnectionError(f"{path}: the answer is no JSON object", model=self._model)
        return data

    @asynccontextmanager
    async def _asked(self, method: str, path: str, **sent: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request, its body still to be read within the time of a transfer."""
        session = await session_of_this_loop()
        url = self._where.url + path
        headers = {"authorization": f"Bearer {self._where.key}"}
        try:
            async with (
                asyncio.timeout(_TRANSFER_S),
                session.request(
                    method, url, headers=headers, proxy=proxy_for(url), allow_redirects=False, **sent
                ) as response,
            ):
                check_no_redirect(response.status, response.headers, model=self._model)
                if not _ACCEPTED_FROM <= response.status < _REFUSED_FROM:
                    raise ProviderCallError(
                        f"{path}: {_message_of(mask_bytes(await read_whole(response, self._model)))}",
                        model=self._model,
                        status=response.status,
                        headers={name.lower(): value for name, value in response.headers.items()},
                    )
                yield response
        except TimeoutError as error:
            raise ProviderTimeoutError(
                f"{path}: no answer within {_TRANSFER_S:g} s", model=self._model
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderConnectionError(
                f"connection to {url} failed: {error}", model=self._model
            ) from system_error(error)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a file as it comes; of one longer than any reply, a little more than that."""
    line = bytearray()
    async for part in response.content.iter_any():
        first, *others = part.split(b"\n")
        for ended in [first, *others[:-1]] if others else []:
            yield bytes(line) + ended
            line.clear()
        if len(line) <= MAX_REPLY_BYTES:  # the rest of a longer one is passed over
            line += others[-1] if others else first
    if line:
        yield bytes(line)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if b"\\u" in content:  # in escapes its bytes show no secret
        data = mask_values(data)
    return data if isinstance(data, dict) else None


def _cut_line(line: bytes) -> dict[str, Any] | None:
    """Whose reply a line is that was cut off, where it says so before the reply, as both providers do."""
    named = _CUSTOM_ID.search(line, 0, _HEAD)
    return {"custom_id": named[1].decode("utf-8", "replace"), CUT_OFF: True} if named else None


def _message_of(content: bytes) -> str:
    error = (_object(content) or {}).get("error")
    said = error.get("message") if isinstance(error, dict) else error
    return str(said or content.decode("utf-8", "replace")[:300] or "no message")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
