"""The files and batches endpoints of a scripted provider, as OpenAI and Groq have them."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cupel.testing.faults import draw
from cupel.testing.replies import RawReply, completion, refusal

_ROOTS = "/{path:(v1|openai/v1)}"
_MANY = 50_000
_EXPIRED = {"code": "batch_expired", "message": "This request could not be executed in time."}


@dataclass(slots=True)
class BatchCounts:
    """What was ordered."""

    uploads: int = 0
    jobs: int = 0
    lines: int = 0
    failed_lines: int = 0
    sent_twice: int = 0
    """Lines in a job although another job had them under way, or had answered them: money wasted."""


@dataclass(slots=True)
class _Job:
    name: str
    file_id: str
    metadata: Mapping[str, Any]
    ready_at: float
    lines: list[dict[str, Any]]
    ends: str
    output: str | None = None
    errors: str | None = None
    status: str = "in_progress"


@dataclass(slots=True)
class BatchScript:
    """How the batch endpoints behave.

    Args:
        takes_s: From the order to the results.
        failed_lines: Share of lines that come back with a 500; drawn anew in each job.
        ends: How the first jobs end, instead of `completed`: `failed` (no results at all) or `expired` (half).
        loses_answers: How many of the first orders are carried out without the caller hearing of it.
    """

    takes_s: float = 0.0
    failed_lines: float = 0.0
    ends: Sequence[str] = ()
    loses_answers: int = 0


@dataclass(slots=True)
class BatchEndpoints:
    """Files, and the jobs on them.

    Args:
        answer: From a request's body to the reply, as for single calls.
        script: What goes wrong.
        billed: Is told of the body of each answer generated.
    """

    answer: Callable[[dict[str, Any]], Any]
    script: BatchScript
    billed: Callable[[dict[str, Any]], None]
    counts: BatchCounts = field(default_factory=BatchCounts)
    _files: dict[str, str] = field(default_factory=dict)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _numbers: Any = field(default_factory=itertools.count)

    def add_to(self, app: web.Application) -> None:
        """Serve them."""
        app.router.add_post(f"{_ROOTS}/files", self._upload)
        app.router.add_get(f"{_ROOTS}/files/{{id}}/content", self._download)
        app.router.add_post(f"{_ROOTS}/batches", self._order)
        app.router.add_get(f"{_ROOTS}/batches", self._list)
        app.router.add_get(f"{_ROOTS}/batches/{{id}}", self._show)

    def _name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        sent = form.get("file")
        if form.get("purpose") != "batch" or not isinstance(sent, web.FileField):
            return refusal(400, "invalid_request_error", "a batch needs a file and its purpose")
        name = self._name("file")
        self._files[name] = sent.file.read().decode()
        self.counts.uploads += 1
        return web.json_response({"id": name, "object": "file", "purpose": "batch"})

    async def _download(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self._files:
            return refusal(404, "not_found", f"no file {name}")
        return web.Response(text=self._files[name], content_type="application/jsonl")

    async def _order(self, request: web.Request) -> web.Response:
        order = await request.json()
        lines = [json.loads(line) for line in self._files[order["input_file_id"]].splitlines()]
        wrong = _wrong(order, lines)
        if wrong:
            return refusal(400, "invalid_request_error", wrong)
        number = self.counts.jobs
        self.counts.jobs += 1
        self.counts.lines += len(lines)
        ends = self.script.ends[number] if number < len(self.script.ends) else "completed"
        job = _Job(
            self._name("batch"), order["input_file_id"], order.get("metadata") or {},
            time.monotonic() + self.script.takes_s, lines, ends,
        )  # fmt: skip
        for line in lines:
            self.counts.sent_twice += _identity(line) in self._taken
            self._taken.add(_identity(line))
        self._jobs[job.name] = job
        if number < self.script.loses_answers and request.transport is not None:
            request.transport.abort()
        return web.json_response(self._describe(job))

    async def _list(self, request: web.Request) -> web.Response:
        jobs = list(reversed(self._jobs.values()))
        names = [job.name for job in jobs]
        after = request.query.get("after")
        start = names.index(after) + 1 if after else 0
        end = start + int(request.query.get("limit", "20"))
        page = [self._describe(job) for job in jobs[start:end]]
        return web.json_response({"object": "list", "data": page, "has_more": end < len(jobs)})

    async def _show(self, request: web.Request) -> web.Response:
        job = self._jobs.get(request.match_info["id"])
        if job is None:
            return refusal(404, "not_found", "no such batch")
        if job.status == "in_progress" and time.monotonic() >= job.ready_at:
            await self._carry_out(job)
        return web.json_response(self._describe(job))

    async def _carry_out(self, job: _Job) -> None:
        """Answer the lines of a job whose time has come."""
        job.status = "finalizing"
        done: list[str] = []
        failed: list[str] = []
        answered = {"completed": len(job.lines), "expired": len(job.lines) // 2}.get(job.ends, 0)
        for number, line in enumerate(job.lines):
            if number % 50 == 0:
                await asyncio.sleep(0)
            if number >= answered:
                self._taken.discard(_identity(line))
                if job.ends == "expired":
                    failed.append(
                        json.dumps({"custom_id": line["custom_id"], "response": None, "error": _EXPIRED})
                    )
            elif draw(f"{job.name}/{line['custom_id']}") < self.script.failed_lines:
                self.counts.failed_lines += 1
                self._taken.discard(_identity(line))
                failed.append(_line(line, 500, {"error": {"message": "scripted", "code": "server_error"}}))
            else:
                self.billed(line["body"])
                done.append(_answered(line, self.answer(line["body"])))
        job.output, job.errors = self._keep(done), self._keep(failed)
        job.status = job.ends

    def _keep(self, lines: list[str]) -> str | None:
        if not lines:
            return None
        name = self._name("file")
        self._files[name] = "\n".join(lines) + "\n"
        return name

    def _describe(self, job: _Job) -> dict[str, Any]:
        errors = {"data": [{"code": "scripted", "message": "scripted failure"}]}
        return {
            "id": job.name,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "input_file_id": job.file_id,
            "status": job.status,
            "output_file_id": job.output,
            "error_file_id": job.errors,
            "errors": errors if job.status == "failed" else None,
            "metadata": dict(job.metadata),
        }


def _wrong(order: dict[str, Any], lines: list[dict[str, Any]]) -> str | None:
    """What the providers refuse a batch for."""
    if order.get("endpoint") != "/v1/chat/completions" or order.get("completion_window") != "24h":
        return "unknown endpoint or completion window"
    if not 0 < len(lines) <= _MANY:
        return f"{len(lines)} requests in one batch"
    if len({line["custom_id"] for line in lines}) < len(lines):
        return "a custom_id occurs twice"
    if len({line["body"]["model"] for line in lines}) > 1:
        return "several models in one batch"
    return None


def _answered(line: dict[str, Any], answer: Any) -> str:
    if not isinstance(answer, RawReply):
        return _line(line, 200, completion(line["body"], answer, None))
    if isinstance(answer.body, bytes):  # the line as it is, whose it is put before
        return f'{{"custom_id": "{line["custom_id"]}", {answer.body.decode()}'
    return _line(line, answer.status, answer.body)


def _line(line: dict[str, Any], status: int, body: dict[str, Any]) -> str:
    response = {"status_code": status, "request_id": "scripted", "body": body}
    return json.dumps({"custom_id": line["custom_id"], "response": response, "error": None})


def _identity(line: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(line["body"], sort_keys=True).encode()).hexdigest()
