"""A small provider on a free loopback port: answers from a function, with limits, faults and counts.

    with ScriptedProvider(lambda body: {"stance": "support"}, faults={"http_503": 0.1}) as provider:
        subprocess.run(["cupel", "run", ...], env=os.environ | provider.environment())

It speaks chat completions as OpenAI (`/v1`), Groq (`/openai/v1`) and OpenRouter (`/api/v1`) do, over
real HTTP, from a thread of its own, so that a test may kill and restart the process it drives.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from cupel.testing.batches import BatchEndpoints, BatchScript
from cupel.testing.faults import STATUSES, UNBILLED, check_faults, choose_fault
from cupel.testing.leaky_bucket import LeakyBucket
from cupel.testing.replies import (
    RawReply,
    answer_by_schema,
    break_off,
    completion,
    cut,
    longest_reply,
    prompt_tokens,
    refusal,
)

Answer = Callable[[dict[str, Any]], Any]
"""From a request's body to the reply: text, a record (sent as JSON), or a `RawReply`."""

_LONGEST_GATHERING_S = 10.0
_IGNORED = ("user", "seed", "metadata", "stream", "n")


@dataclass(slots=True)
class Counts:
    """What reached the provider, and what it would have charged for."""

    requests: int = 0
    billed: int = 0
    """Answers generated."""

    billed_repeats: int = 0
    """Answers generated to a request that had been answered before: money wasted."""

    in_flight: int = 0
    max_in_flight: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    """Billed answers of each model."""

    by_fault: Counter[str] = field(default_factory=Counter)


class ScriptedProvider:
    """A provider that answers from a script.

    Args:
        answer: From the request's body to text or a record; without one, any valid record of the schema.
        latency_s: Before each answer.
        together: No answer before so many requests were under way at once, or ten seconds have passed.
        requests_per_minute: More get a 429 with `retry-after`; a burst up to the limit is allowed.
        tokens_per_minute: Likewise, counted as prompt and `max_tokens`.
        minute_s: Length of a minute, for tests in a hurry.
        faults: Fault name to the share of requests that get it, see `faults.FAULTS`.
        fail_first: Fault name to how many first attempts of every request get it.
        batches: How the files and batches endpoints of OpenAI and Groq behave.
        key: The only API key accepted; None accepts any.
        seed: Changes which requests the faults hit.
        port: The loopback port; a free one for 0. One that was closed may be opened again: so an outage is played.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        latency_s: float = 0.0,
        together: int = 0,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        minute_s: float = 60.0,
        faults: Mapping[str, float] | None = None,
        fail_first: Mapping[str, int] | None = None,
        batches: BatchScript | None = None,
        key: str | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.answer = answer or answer_by_schema
        self.latency_s = latency_s
        self.together = together
        self._gathered = asyncio.Event()
        self.faults, self.fail_first = dict(faults or {}), dict(fail_first or {})
        check_faults(self.faults, self.fail_first)
        self.key, self.seed = key, seed
        self.counts = Counts()
        self.batches = BatchEndpoints(self.answer, batches or BatchScript(), self._bill)
        self.requests: list[dict[str, Any]] = []
        """The body of every request, oldest first."""

        self.sent_headers: list[dict[str, str]] = []
        """The headers of every request, names in lower case."""

        self._limits = {
            "requests": LeakyBucket(requests_per_minute, minute_s),
            "tokens": LeakyBucket(tokens_per_minute, minute_s),
        }
        self._attempts: Counter[str] = Counter()
        self._answered: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._port = port

    @property
    def port(self) -> int:
        """The loopback port."""
        return self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """The variables that send `openai:`, `groq:`, `openrouter:` and `local:` models here."""
        key = self.key or "sk-scripted"
        return {
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": key,
            "GROQ_BASE_URL": self.url,
            "GROQ_API_KEY": key,
            "OPENROUTER_BASE_URL": f"{self.url}/api/v1",
            "OPENROUTER_API_KEY": key,
            "CUPEL_LOCAL_BASE_URL": f"{self.url}/v1",
        }

    def __enter__(self) -> Self:
        # bound here and served in the thread: nothing to wait for, in an event loop neither
        listening = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self._port = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name="scripted-provider", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None and not _in_a_loop():
            self._thread.join()

    def _run(self, listening: socket.socket) -> None:
        # a runner cancels what still hangs, and closes the loop
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listening))

    async def _serve(self, listening: socket.socket) -> None:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/{path:(v1|openai/v1|api/v1)}/chat/completions", self._handle)
        self.batches.add_to(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        await web.SockSite(runner, listening, backlog=1024).start()
        await self._stopping.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        counts = self.counts
        counts.requests += 1
        counts.in_flight += 1
        counts.max_in_flight = max(counts.max_in_flight, counts.in_flight)
        try:
            response = await self._respond(request)
        finally:
            counts.in_flight -= 1
        counts.by_status[response.status] += 1
        return response

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        try:
            body = json.loads(await request.read())
        except ValueError:
            return refusal(400, "invalid_request_error", "the body is no JSON")
        self.requests.append(body)
        self.sent_headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return refusal(401, "invalid_api_key", "Incorrect API key provided")
        identity = _identity(body)
        self._attempts[identity] += 1
        fault = choose_fault(
            identity, self._attempts[identity], faults=self.faults, fail_first=self.fail_first, seed=self.seed
        )
        if fault:
            self.counts.by_fault[fault] += 1
        return await self._admit(request, body, identity, fault)

    async def _admit(
        self, request: web.Request, body: dict[str, Any], identity: str, fault: str | None
    ) -> web.StreamResponse:
        asked = {"requests": 1.0, "tokens": float(prompt_tokens(body) + longest_reply(body))}
        waits = [bucket.wait(asked[unit], time.monotonic()) for unit, bucket in self._limits.items()]
        headers = self._limit_headers()
        if max(waits) > 0:
            headers["retry-after"] = f"{max(waits):.3f}"
            return refusal(429, "rate_limit_exceeded", f"try again in {max(waits):.3f}s", headers)
        for unit, bucket in self._limits.items():
            bucket.take(asked[unit], time.monotonic())
        if fault is not None and fault in STATUSES:
            status, code = STATUSES[fault]
            more = {"retry-after": "0.05"} if status == STATUSES["http_429"][0] else {}
            return refusal(status, code, f"scripted fault {fault}", headers | more)
        return await self._send_answer(request, body, identity, fault, headers | self._limit_headers())

    async def _send_answer(
        self,
        request: web.Request,
        body: dict[str, Any],
        identity: str,
        fault: str | None,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        if fault in UNBILLED:
            return await break_off(request, fault)
        self._bill(body, identity)
        await asyncio.sleep(self.latency_s)
        if self.counts.max_in_flight >= self.together:
            self._gathered.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gathered.wait(), _LONGEST_GATHERING_S)
        answer = self.answer(body)
        if isinstance(answer, RawReply):
            return await answer.send(request, headers)
        said = completion(body, answer, fault)
        if fault == "truncated_body":
            return await cut(request, said, headers)
        return web.json_response(said, headers=headers)

    def _bill(self, body: dict[str, Any], identity: str | None = None) -> None:
        """Count one answer generated."""
        identity = identity or _identity(body)
        self.counts.billed += 1
        self.counts.billed_repeats += identity in self._answered
        self.counts.by_model[body.get("model", "")] += 1
        self._answered.add(identity)

    def _limit_headers(self) -> dict[str, str]:
        headers = {}
        for unit, bucket in self._limits.items():
            if bucket.limit is not None:
                now = time.monotonic()
                headers[f"x-ratelimit-limit-{unit}"] = str(int(bucket.limit))
                headers[f"x-ratelimit-remaining-{unit}"] = str(int(bucket.left(now)))
                headers[f"x-ratelimit-reset-{unit}"] = f"{bucket.full_in(now):.3f}s"
        return headers


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _identity(body: dict[str, Any]) -> str:
    asked = {key: value for key, value in body.items() if key not in _IGNORED}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
