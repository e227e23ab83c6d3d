"""What a process owns once per event loop: run log, limiter, circuits, model clients, and the run under way.

Nodes ask `current()` for it. The command line and the runner open one explicitly and close it; under the
LangGraph server it opens itself at the first call. `Runtime.complete` is the one place where a model is
called: looked up first, reserved before it is sent, limited, retried, and committed before it is used.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import time
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from cupel.confidence import Calibration
from cupel.errors import DocumentBudgetError, SettingError, UnknownPriceError
from cupel.limits import Budget, Circuits, Limiter, RetryPolicy, SharedGate, Slot, read_limits, with_retries
from cupel.models import CallSettings, Completion, complete, cost, estimate_tokens, price
from cupel.models.recordings import set_recordings_folder
from cupel.project import Project, find_project
from cupel.prompts import Message, check_prompts, compact, sent_schema
from cupel.routing import Prerouter, ThresholdCascade, prerouter_from_json
from cupel.runlog import RunLog, StoredResponse, open_run_log
from cupel.state import Call
from cupel.tasks import TaskSpec, ad_hoc_task, load_task
from cupel.tracing import Tracer, call_context

DEFAULT_TASK = "arguments"
TASK_FRESH_S = 1.0

EXPECTED_REPLY_TOKENS = 256

DOCUMENT_MARK = "⟦document⟧"
"""Stands for the document's text in what the run log keeps of a request: the text is stored once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One call to one model."""

    kind: str
    model: str
    messages: list[Message]
    schema: Mapping[str, Any] | None
    schema_name: str
    doc_id: str
    text: str
    """The document's text as it stands in the messages, cut out of what is logged."""

    settings: CallSettings
    max_retries: int = 6
    sample: int = 0
    retry: int = 0
    usd_left: float | None = None
    """What this document may still cost; None for no limit of its own."""

    has_fallback: bool = False
    """Another model stands by: do not wait for this one's provider to come back."""

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the reply: the response's name in the run log."""
        settings = self.settings
        decides = [
            self.model, self.messages, self.wire, settings.temperature, settings.max_output_tokens,
            settings.logprobs, self.sample, self.retry,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    @cached_property
    def wire(self) -> dict[str, Any] | None:
        """The schema as sent, the same object for the same schema."""
        return None if self.schema is None else sent_schema(self.schema)[0]

    @property
    def asked(self) -> str:
        """The messages for the run log, the document's text replaced by a mark."""
        written = json.dumps(self.messages, ensure_ascii=False)
        return (
            written.replace(json.dumps(self.text, ensure_ascii=False)[1:-1], DOCUMENT_MARK)
            if self.text
            else written
        )

    @cached_property
    def input_tokens(self) -> int:
        """Upper estimate of the tokens sent, for limits and reservations."""
        prose = sum(estimate_tokens(message["content"]) + 8 for message in self.messages)
        return prose + (estimate_tokens(sent_schema(self.schema)[1], json=True) if self.schema else 0)


@dataclass(frozen=True, slots=True)
class Response:
    """A stored response, and whether it was paid for just now."""

    stored: StoredResponse
    cached: bool

    def call(self) -> Call:
        """As an attempt or verdict lists it."""
        stored = self.stored
        return Call(
            key=stored.key,
            kind=stored.kind,  # type: ignore[typeddict-item]  # the run log keeps it as text
            model=stored.model,
            input_tokens=stored.input_tokens,
            cached_tokens=stored.cached_tokens,
            output_tokens=stored.output_tokens,
            cost_usd=stored.cost_usd,
            latency_s=stored.latency_s,
            cached=self.cached,
        )


@dataclass(slots=True)
class Tally:
    """What one invocation has done so far, per model."""

    calls: Counter[str] = field(default_factory=Counter)
    cost_usd: dict[str, float] = field(default_factory=dict)
    unknown_price: set[str] = field(default_factory=set)
    cache_hits: int = 0
    notes: set[str] = field(default_factory=set)
    """What a person should know about this run, each once."""

    in_flight: int = 0

    def paid(self, model: str, usd: float | None) -> None:
        """Count one call that was sent and answered."""
        self.calls[model] += 1
        self.cost_usd[model] = self.cost_usd.get(model, 0.0) + (usd or 0.0)
        if usd is None:
            self.unknown_price.add(model)

    @property
    def total_usd(self) -> float:
        """Cost of this invocation, models of unknown price left out."""
        return sum(self.cost_usd.values())


@dataclass(slots=True)
class Run:
    """The run under way: its name in the run log, its money and its counts."""

    run_id: str = "served"
    budget: Budget | None = None
    tally: Tally = field(default_factory=Tally)
    stops: bool = False
    """A wrong key or reached cap ends the run; a served document records it instead."""

    task: TaskSpec | None = None
    """Stands in for the folder of that name: a version of its prompt that is only being tried."""


_run: ContextVar[Run | None] = ContextVar("cupel_run", default=None)
current_retry: ContextVar[int] = ContextVar("cupel_retry", default=0)
"""Above 0 while a document is asked about anew: old replies are passed over, the new ones kept under it."""

current_sample: ContextVar[int] = ContextVar("cupel_sample", default=0)
"""Above 0 while a further sample of the same question is drawn: every number is a reply of its own."""


@contextmanager
def sampling(number: int) -> Iterator[None]:
    """What is asked inside is the n-th further sample of its question; 0 is the question itself."""
    token = current_sample.set(number)
    try:
        yield
    finally:
        current_sample.reset(token)


_served = Run()


def current_run() -> Run:
    """The run this task belongs to; a shared one with no cap for documents served one by one."""
    return _run.get() or _served


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Everything called inside belongs to this run."""
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)


class Batching(Protocol):
    """What may answer calls in place of sending each: a provider's batch API."""

    def call(self, key: str) -> AbstractContextManager[None]:
        """A call is under way inside."""
        ...

    async def ask(
        self,
        request: Request,
        worst_usd: Callable[[], float],
        live: Callable[[], Awaitable[StoredResponse]],
    ) -> StoredResponse:
        """The answer, committed."""
        ...


class Runtime:
    """The shared resources of one event loop."""

    def __init__(
        self,
        project: Project,
        env: Mapping[str, str] | None = None,
        run_log: RunLog | None = None,
        *,
        wait_for_limits: bool = False,
    ) -> None:
        self.project = project
        self.env = os.environ if env is None else env
        self.limits = read_limits(self.env.get("CUPEL_LIMITS", ""))
        self.run_log = run_log or open_run_log(project.state, self.env)
        set_recordings_folder(project.recordings)
        self._gate = _shared_gate(self.run_log)
        self.limiter = Limiter(limits=self.limits, wait=wait_for_limits, shared=self._gate)
        self.tracer = Tracer(self.env)
        self.circuits = Circuits()
        self.batching: Batching | None = None
        self._in_flight: dict[str, asyncio.Task[StoredResponse]] = {}
        self._tasks: dict[str, tuple[float, TaskSpec]] = {}
        self._policies: dict[Path, tuple[float, ThresholdCascade | None]] = {}
        self._field_policies: dict[str, tuple[float, dict[str, ThresholdCascade]]] = {}
        self._prerouters: dict[Path, Prerouter] = {}

    async def policy(self, task: str, setting: str) -> ThresholdCascade | None:
        """The calibrated policy a run names: `auto` is the task's in `.cupel/policies/`, `none` the plain rule.

        Raises:
            SettingError: For a file that is missing or cannot be read.
        """
        if setting == "none":
            return None
        path = policy_path(self.project.state, task) if setting == "auto" else Path(setting)
        known = self._policies.get(path)
        if known is None or time.monotonic() - known[0] > TASK_FRESH_S:
            known = (time.monotonic(), await asyncio.to_thread(_read_policy, path, needed=setting != "auto"))
            self._policies[path] = known
        return known[1]

    async def field_policies(self, task: str) -> dict[str, ThresholdCascade]:
        """The policies of single fields that `cupel calibrate --field` stored for a task, by field."""
        folder = policy_path(self.project.state, task).parent
        known = self._field_policies.get(task)
        if known is None or time.monotonic() - known[0] > TASK_FRESH_S:
            known = (time.monotonic(), await asyncio.to_thread(_read_field_policies, folder, task))
            self._field_policies[task] = known
        return known[1]

    async def prerouter(self, file: str) -> Prerouter:
        """The learnt text router in a file.

        Raises:
            SettingError: For a file that is missing or cannot be read.
        """
        path = Path(file)
        if path not in self._prerouters:
            self._prerouters[path] = await asyncio.to_thread(_read_prerouter, path)
        return self._prerouters[path]

    async def task(self, document: Mapping[str, Any]) -> TaskSpec:
        """The task a document names, or the one its own schema makes; an edited file is seen within a second.

        Raises:
            TaskError: If there is no such task, or a file of it is wrong.
        """
        schema = document.get("output_schema")
        name = document.get("task") or DEFAULT_TASK
        tried = current_run().task
        if tried is not None and tried.name == name and not schema:
            return tried
        key = compact([schema, document.get("instructions", "")]) if schema else name
        known = self._tasks.get(key)
        if known is not None and time.monotonic() - known[0] < TASK_FRESH_S:
            return known[1]
        if schema:
            spec = await asyncio.to_thread(
                ad_hoc_task, schema, document.get("instructions", ""), self.project.prompts
            )
        else:
            spec = await asyncio.to_thread(load_task, name, self.project.prompts)
        check_prompts(spec)
        self._tasks[key] = (time.monotonic(), spec)
        return spec

    async def complete(self, request: Request) -> Response:
        """The response to a request: from the run log, from the same call in flight, or paid for now.

        Raises:
            ModelError: When the provider gave none; its kind says whether the run goes on.
            StopRunError: When the budget or a daily limit does not allow it.
            DocumentBudgetError: When this document's own budget does not.
        """
        if self.batching is None:
            return await self._complete(request)
        with self.batching.call(request.key):
            return await self._complete(request)

    async def _complete(self, request: Request) -> Response:
        tally = current_run().tally
        stored = await self.run_log.response(request.key)
        if stored is not None:
            tally.cache_hits += 1
            return Response(stored, cached=True)
        pending = self._in_flight.get(request.key)
        if pending is not None:
            tally.cache_hits += 1
            return Response(await asyncio.shield(pending), cached=True)
        return Response(await self._start(request), cached=False)

    async def _start(self, request: Request) -> StoredResponse:
        context, config = call_context(trace_config(request))
        paying = self._pay(request, config) if self.batching is None else self._batched(request, config)
        task = asyncio.create_task(paying, context=context)
        self._in_flight[request.key] = task
        task.add_done_callback(lambda done: self._landed(request.key, done))
        return await asyncio.shield(task)  # a paid call is finished and stored even if its caller is gone

    async def _batched(self, request: Request, config: Any) -> StoredResponse:
        assert self.batching is not None
        run = current_run()
        return await self.batching.ask(
            request, lambda: self._worst_cost(request, run), lambda: self._pay(request, config)
        )

    def _landed(self, key: str, task: asyncio.Task[StoredResponse]) -> None:
        self._in_flight.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen here, in case nobody waits any more

    async def count_earlier(self, models: Iterable[str]) -> None:
        """Count what the run log says was sent in the last day against the daily limits a person set."""
        if not any(set_.rpd or set_.tpd for set_ in self.limits.values()):
            return
        since = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
        for model in sorted(set(models)):
            requests, tokens = await self.run_log.used_since(model, since)
            self.limiter.count_earlier(model, requests=requests, tokens=tokens)

    async def drain(self) -> None:
        """Wait until every call in flight is answered and stored."""
        if self._in_flight:
            await asyncio.wait(list(self._in_flight.values()))

    async def _pay(self, request: Request, config: Any) -> StoredResponse:
        run = current_run()
        worst_usd = self._worst_cost(request, run)
        settings = request.settings
        run.tally.in_flight += 1
        try:
            completion, held = await with_retries(
                lambda slot: self._send(request, config, run, worst_usd, slot),
                policy=_policy(
                    request.max_retries, settings.timeout_s, waits_for_circuit=not request.has_fallback
                ),
                model=request.model,
                slot=lambda: self.limiter.slot(
                    request.model, tokens=request.input_tokens + EXPECTED_REPLY_TOKENS
                ),
                circuit=self.circuits.of(request.model),
            )
        finally:
            run.tally.in_flight -= 1
        stored = self._stored(request, completion, run)
        await held.settle(stored)
        run.tally.paid(request.model, stored.cost_usd)
        return stored

    def _worst_cost(self, request: Request, run: Run) -> float:
        if run.budget is None and request.usd_left is None:
            return 0.0  # nothing to keep within; the table of prices is read when the answer is there
        known = price(request.model, self.env)
        if known is None:
            raise UnknownPriceError(
                f"the price of {request.model} is unknown, so a cap cannot be kept; set "
                f'CUPEL_PRICES="{request.model}=IN/OUT" (USD per million tokens), or run without a cap'
            )
        worst = request.input_tokens * known.input + request.settings.max_output_tokens * known.output
        if request.usd_left is not None and worst > request.usd_left:
            raise DocumentBudgetError(
                f"{request.doc_id}: a {request.kind} call may cost ${worst:.4f}, the document has ${request.usd_left:.4f} left"
            )
        return worst

    async def _send(
        self, request: Request, config: Any, run: Run, worst_usd: float, slot: Slot | None
    ) -> tuple[Completion, _Hold]:
        held = await _Hold.take(self.run_log, run, worst_usd)
        try:
            completion = await complete(
                request.model,
                request.messages,
                schema=request.wire,
                schema_name=request.schema_name,
                settings=request.settings,
                config=config,
            )
        except BaseException as error:
            await held.lost(surely_free=getattr(error, "status_code", None) is not None)
            raise
        if slot is not None:
            slot.learn(completion.headers, 200, completion.input_tokens + completion.output_tokens)
        return completion, held

    def _stored(self, request: Request, completion: Completion, run: Run) -> StoredResponse:
        known = price(request.model, self.env)
        logprobs = completion.logprobs
        return StoredResponse(
            key=request.key,
            kind=request.kind,
            model=request.model,
            asked=request.asked,
            text=completion.text,
            refusal=completion.refusal,
            finish_reason=completion.finish_reason,
            input_tokens=completion.input_tokens,
            cached_tokens=completion.cached_tokens,
            output_tokens=completion.output_tokens,
            cost_usd=None if known is None else cost(known, completion),
            latency_s=round(completion.latency_s, 4),
            logprobs=None if logprobs is None else tuple(logprobs),
            run_id=run.run_id,
            doc_id=request.doc_id,
        )

    async def aclose(self) -> None:
        """Close the model clients of this loop and the run log."""
        from cupel.models import aclose_models

        await aclose_models()
        if self._gate is not None:
            await self._gate.aclose()
        await asyncio.to_thread(self.tracer.close)
        await asyncio.to_thread(self.run_log.close)


def _shared_gate(run_log: RunLog) -> SharedGate | None:
    """Limits are shared by all processes on one PostgreSQL run log."""
    if not run_log.url.startswith("postgresql"):
        return None
    from cupel.limits.postgres import PostgresGate

    return PostgresGate(run_log.engine)


@dataclass(slots=True)
class _Hold:
    """Money set aside for one sending, in memory and, under a cap, in the run log."""

    log: RunLog
    run: Run
    usd: float
    token: str
    reservation: Any = None

    @classmethod
    async def take(cls, log: RunLog, run: Run, usd: float) -> _Hold:
        held = cls(log, run, usd, secrets.token_hex(16))
        if run.budget is not None and usd > 0:
            held.reservation = await run.budget.reserve(usd)
            await log.reserve(held.token, run.run_id, usd)
        return held

    async def settle(self, stored: StoredResponse) -> None:
        """The response is here: commit it and free what was set aside beyond its cost, as one."""
        await self.log.save_response(stored, reservation=self.token if self.reservation else None)
        if self.reservation is not None and self.run.budget is not None:
            self.run.budget.settle(self.reservation, stored.cost_usd or 0.0)

    async def lost(self, *, surely_free: bool) -> None:
        """No response: free the money when it was surely not billed, else count it as spent."""
        if self.reservation is None or self.run.budget is None:
            return
        if surely_free:
            await self.log.release(self.token)
            self.run.budget.release(self.reservation)
        else:
            self.run.budget.settle(self.reservation, self.usd)


_runtimes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Runtime] = weakref.WeakKeyDictionary()
_opening: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Awaitable[Runtime]] = (
    weakref.WeakKeyDictionary()
)
_HERE = Path.cwd()  # asked once at import: os.getcwd blocks, and a node may not


def install(runtime: Runtime) -> None:
    """Make this the runtime of the running loop."""
    _runtimes[asyncio.get_running_loop()] = runtime


async def current() -> Runtime:
    """The runtime of the running loop, opened now if nobody did."""
    loop = asyncio.get_running_loop()
    found = _runtimes.get(loop)
    if found is not None:
        return found
    if loop not in _opening:
        _opening[loop] = asyncio.ensure_future(asyncio.to_thread(lambda: Runtime(find_project(_HERE))))
    opened = await _opening[loop]
    return _runtimes.setdefault(loop, opened)


async def close_current() -> None:
    """Close the running loop's runtime, if it has one."""
    loop = asyncio.get_running_loop()
    runtime = _runtimes.pop(loop, None)
    _opening.pop(loop, None)
    if runtime is not None:
        await runtime.aclose()


def policy_path(state: Path, task: str, field: str = "") -> Path:
    """Where `cupel calibrate` stores a task's policy, or that of one of its fields."""
    return state / "policies" / (f"{task}.field.{field}.json" if field else f"{task}.json")


def _read_field_policies(folder: Path, task: str) -> dict[str, ThresholdCascade]:
    found = {}
    for path in sorted(folder.glob(f"{task}.field.*.json")):
        policy = _read_policy(path, needed=True)
        if policy is not None:
            found[path.name.removeprefix(f"{task}.field.").removesuffix(".json")] = policy
    return found


def _read_policy(path: Path, *, needed: bool) -> ThresholdCascade | None:
    if not path.is_file():
        if needed:
            raise SettingError(f"policy={str(path)!r}: there is no such file; `cupel calibrate` makes one")
        return None
    return ThresholdCascade.from_json(path.read_text(encoding="utf-8"), read_score=Calibration.from_dict)


def _read_prerouter(path: Path) -> Prerouter:
    if not path.is_file():
        raise SettingError(
            f"prerouter={str(path)!r}: there is no such file; `cupel calibrate --prerouter` makes one"
        )
    return prerouter_from_json(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=32)
def _policy(max_retries: int, timeout_s: float, *, waits_for_circuit: bool) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=max_retries + 1,
        attempt_timeout_s=timeout_s,
        total_timeout_s=max(timeout_s * (max_retries + 1), timeout_s),
        waits_for_circuit=waits_for_circuit,
    )


def trace_config(request: Request) -> Any:
    """What a trace says about a call; nothing of the document itself."""
    return {"run_name": request.kind, "metadata": {"doc_id": request.doc_id, "model": request.model}}
