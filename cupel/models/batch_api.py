"""The batch APIs of OpenAI and Groq: a file of requests goes up, a job answers it within a day at half price.

Both have the same `/files` and `/batches` (platform.openai.com/docs/guides/batch, console.groq.com/docs/batch).
Nothing is retried here, and every failure is one of `cupel.models.errors`, as for a single call.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from cupel.models.connections import proxy_for, session_of_this_loop
from cupel.models.endpoints import endpoint
from cupel.models.errors import ProviderCallError, ProviderConnectionError, ProviderTimeoutError
from cupel.models.ids import ModelId

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
        errors = (data.get("errors") or {}).get("data") or []
        problem = "; ".join(str(error.get("message") or error) for error in errors if isinstance(error, dict))
        return cls(
            batch_id=str(data.get("id") or ""),
            status=str(data.get("status") or ""),
            input_file_id=str(data.get("input_file_id") or ""),
            output_file_id=data.get("output_file_id") or None,
            error_file_id=data.get("error_file_id") or None,
            problem=problem,
            job=str((data.get("metadata") or {}).get("cupel_job") or ""),
        )


class BatchApi:
    """One provider's batch API, with the address and key the environment names."""

    def __init__(self, model_id: str, env: Mapping[str, str] = os.environ) -> None:
        """Take any model of the provider.

        Raises:
            SettingError: When its key is missing.
        """
        self._model = model_id
        self._where = endpoint(ModelId.parse(model_id), env)

    async def upload(self, name: str, lines: str) -> str:
        """Upload a file of requests; returns its id."""
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", lines.encode(), filename=f"{name}.jsonl", content_type="application/jsonl")
        return str((await self._json("POST", "/files", data=form))["id"])

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
            states = [BatchState.of(each) for each in page.get("data") or []]
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

    async def lines(self, file_id: str) -> list[dict[str, Any]]:
        """The results in a file; what is no JSON object is left out."""
        content = await self._ask("GET", f"/files/{file_id}/content")
        return [line async for line in _objects(content)]

    async def _json(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        content = await self._ask(method, path, **sent)
        try:
            data = json.loads(content)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise ProviderConnectionError(f"{path}: the answer is no JSON object", model=self._model)
        return data

    async def _ask(self, method: str, path: str, **sent: Any) -> bytes:
        session = await session_of_this_loop()
        url = self._where.url + path
        headers = {"authorization": f"Bearer {self._where.key}"}
        try:
            async with (
                asyncio.timeout(_TRANSFER_S),
                session.request(method, url, headers=headers, proxy=proxy_for(url), **sent) as response,
            ):
                content = await response.read()
        except TimeoutError as error:
            raise ProviderTimeoutError(
                f"{path}: no answer within {_TRANSFER_S:g} s", model=self._model
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderConnectionError(
                f"connection to {self._where.place} failed: {error}", model=self._model
            ) from error
        if _ACCEPTED_FROM <= response.status < _REFUSED_FROM:
            return content
        raise ProviderCallError(
            f"{path}: {_message_of(content)}",
            model=self._model,
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
        )


async def _objects(content: bytes) -> AsyncIterator[dict[str, Any]]:
    """The objects of a JSONL file, the event loop let in now and then."""
    for number, line in enumerate(content.splitlines()):
        if number % 500 == 0:
            await asyncio.sleep(0)
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if isinstance(data, dict):
            yield data


def _message_of(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode("utf-8", "replace")[:300] or "no message"
