"""Many documents through a graph: bounded, in order, resumable, and stopped without losing anything."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import json
import time
import weakref
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Self

from cupel.batching import Batcher, BatchSettings, check_batchable, held_usd
from cupel.context import RunContext
from cupel.duplicates import TextIndex, Twin, check_similarity, taken_over
from cupel.errors import CupelError, ProviderRefusedError, RunLogError, SettingError, StopRunError, UsageError
from cupel.garbage import seldom_collected
from cupel.judging.jury import audits_in, false_pass_rate
from cupel.limits import Budget
from cupel.models import check_models, resolve_models
from cupel.observing import wanted_signals
from cupel.packing import Packing, PackTerms, Place, arranged, current_place, packed_prompt, read_certificate
from cupel.project import Project, code_identity, find_project, load_graph
from cupel.prompts import check_prompts, compact
from cupel.runlog import Usage, text_hash
from cupel.runlog.leases import Lease
from cupel.runtime import Run, Runtime, SharedBudget, Tally, close_current, current_retry, install, running
from cupel.state import DocumentInput, Outcome, VerdictName
from cupel.tables import Row
from cupel.tasks import TaskSpec

LOOKAHEAD = 8
"""Rows read ahead, as a multiple of the concurrency: how far a slow document may hold back the output."""

NEVER_WALKED: list[str] = []
"""Path of a document that never got through its graph; the same command tries it again."""

_NOT_DECIDING = {"timeout_s", "max_retries"}
"""Settings that do not change a result."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """What is to be done to every document, and within which bounds."""

    task: TaskSpec
    context: RunContext = field(default_factory=RunContext)
    graph: str = "enrich"
    input_name: str = "rows"
    output_name: str | None = None
    concurrency: int = 16
    max_usd: float | None = None
    retry_failed: bool = False
    output_schema: Mapping[str, Any] | None = None
    instructions: str = ""
    batch: BatchSettings | None = None
    """Ask by the providers' batch APIs."""

    packing: Packing | None = None
    """Ask the cheap model about several short documents at once."""

    near_duplicates: float | None = None
    """Similarity from which a document takes over the record of an earlier one; None for equal texts only."""

    def document_input(self, document: Row) -> DocumentInput:
        """What the graph is given; `prepare` judges whatever stands in the text column."""
        given = DocumentInput(text=document.text, meta=dict(document.inputs))  # type: ignore[typeddict-item]
        if document.doc_id:
            given["doc_id"] = document.doc_id
        if self.output_schema is None:
            given["task"] = self.task.name
        else:
            given["output_schema"] = dict(self.output_schema)
            given["instructions"] = self.instructions
        return given


@dataclass(slots=True)
class Progress:
    """Where a run stands; read it while it goes on."""

    total: int | None = None
    done: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    escalated: int = 0
    reused: int = 0
    """Outcomes that were in the run log already."""

    audits: Counter[VerdictName] = field(default_factory=Counter)
    """What second judges said of a random sample of what the judge accepted."""

    duplicates: int = 0
    """Outcomes taken over from an earlier row with the same, or nearly the same, text."""

    usage: Usage = field(default_factory=Usage)
    """Of all outcomes so far, those that were in the run log included."""

    started: float = field(default_factory=time.monotonic)

    def note(self, outcome: Outcome, *, reused: bool) -> None:
        """One more document has its outcome."""
        self.done += 1
        self.statuses[outcome["status"]] += 1
        self.escalated += "escalate" in outcome["path"]
        self.audits.update(audits_in(outcome))
        self.reused += reused
        self.usage.add(outcome)


class Stop:
    """Asks a run to start nothing more; what is in flight is finished and saved."""

    def __init__(self) -> None:
        self.requested = False
        self.error: CupelError | None = None
        self.interrupted = False

    def because_of(self, error: CupelError) -> None:
        """Remember the first error that ended the run."""
        self.requested = True
        self.error = self.error or error

    def interrupt(self) -> None:
        """A person asked for it (Ctrl-C)."""
        self.requested = self.interrupted = True


class Runner:
    """One run of a job: opened, driven over documents, closed.

    Use as `async with Runner(job, project) as runner`, then iterate `runner.outcomes(documents)`.
    """

    def __init__(
        self,
        job: Job,
        project: Project | None = None,
        *,
        env: Mapping[str, str] | None = None,
        graph: Any = None,
        wait_for_limits: bool = False,
        within: tuple[Runtime, Run] | None = None,
    ) -> None:
        """Take what is needed; nothing is opened yet.

        Args:
            job: What is to be done.
            project: Where; the one around the current folder when left out.
            env: Environment variables; those of the process when left out.
            graph: A compiled graph to use in place of the project's.
            wait_for_limits: Wait for a daily limit instead of stopping at it.
            within: An open runtime and a larger undertaking's run. Its money, counts and name in the log are
                then used, and `job.task` stands in for the folder of that name: so a candidate prompt is tried.
        """
        self.job = job
        self.project = project or find_project()
        self.stop = Stop()
        self.progress = Progress()
        self.tally = Tally()
        self._env, self._given_graph, self._wait, self._within = env, graph, wait_for_limits, within
        self._started = time.perf_counter()
        self._open = ExitStack()
        self.batcher: Batcher | None = None
        self._lease: Lease | None = None

    async def __aenter__(self) -> Self:
        """Open the run log, check the models, load the graph; all before anything is paid."""
        if self._within is not None:
            self.runtime = self._within[0]
            await self._prepare()
            return self
        self.runtime = await asyncio.to_thread(Runtime, self.project, self._env, wait_for_limits=self._wait)
        try:
            await self._prepare()
        except BaseException:
            await self._give_back()
            await self.runtime.aclose()
            raise
        self._open.enter_context(seldom_collected())
        return self

    async def _prepare(self) -> None:
        models = resolve_models(self.job.context, self.runtime.env)
        check_models(models, self.runtime.env)
        wanted_signals(self.job.context)
        if self.job.near_duplicates is not None:
            check_similarity(self.job.near_duplicates)
        self.models = models
        self._terms = (
            None if self.job.packing is None else await asyncio.to_thread(self._packed, self.job.packing)
        )
        loaded = self._given_graph or await asyncio.to_thread(load_graph, self.project, self.job.graph)
        self.graph = loaded
        self.identity = await asyncio.to_thread(self._identity)  # it reads the project's code
        named = [*(["trial"] if self._within is not None else []), self.job.input_name, self.identity]
        self.run_id = hashlib.sha256("\x1f".join(named).encode()).hexdigest()[:12]
        await self.runtime.run_log.start_run(self._run_row())
        if self._within is not None:
            self.run = replace(self._within[1], task=self.job.task, stops=True)
            self.tally = self.run.tally
            return
        check_prompts(self.job.task)
        if self.job.batch is not None:
            self._lease = await Lease.take(
                self.runtime.run_log, f"batch-{self.run_id}", what="a batch run", lost=self.stop.because_of
            )
        await self.runtime.count_earlier(models.all().values())
        self.run = Run(
            run_id=self.run_id, tally=self.tally, budget=await self._budget(), stops=True, task=self.job.task
        )
        install(self.runtime)
        if self.job.batch is not None:
            await self._open_batcher(self.job.batch)

    async def _open_batcher(self, settings: BatchSettings) -> None:
        check_batchable(self.models.all().values())
        self.batcher = Batcher(
            self.runtime.run_log,
            self.run,
            settings,
            live=self.job.concurrency,
            stopping=lambda: self.stop.requested,
            env=self.runtime.env,
        )
        await self.batcher.open()
        self.runtime.answer_by(self.batcher)

    def _identity(self) -> str:
        """What decides a result besides the document: task, settings, models and the graph's code."""
        context = self.job.context.model_dump(exclude=_NOT_DECIDING)
        models = self.models.all()
        decides = [self.job.graph, code_identity(self.project), self.job.task.identity, context, models]
        if self.job.near_duplicates is not None:
            decides.append({"near_duplicates": self.job.near_duplicates})
        if self._terms is not None:
            decides.append({"packing": [self._terms.size, self._terms.max_chars, self._packed_version()]})
        return hashlib.sha256(compact(decides).encode()).hexdigest()[:16]

    def _packed(self, packing: Packing) -> PackTerms:
        """How this run packs; refused without a certificate that says how far it agrees with single requests."""
        if self.job.batch is not None:
            raise SettingError(
                "--packing is not for --batch: a batch is half the price already; leave one of them out"
            )
        if packing.trial is not None:
            return packing.trial
        certificate = read_certificate(self.project.state, self.job.task.name)
        certificate.check(
            model=self.models.cheap,
            prompt_version=self._packed_version(),
            min_agreement=packing.min_agreement,
        )
        return certificate.terms

    def _packed_version(self) -> str:
        return packed_prompt(self.job.task, self.models.cheap, self.job.context).version

    def _run_row(self) -> dict[str, Any]:
        settings = {
            "context": self.job.context.model_dump(),
            "models": self.models.all(),
            "graph": self.job.graph,
        }
        return {
            "run_id": self.run_id,
            "task": self.job.task.name,
            "task_identity": self.job.task.identity,
            "input_name": self.job.input_name,
            "output_name": self.job.output_name,
            "settings": json.dumps(settings, ensure_ascii=False),
            "kind": "run" if self._within is None else "trial",
        }

    async def _budget(self) -> Budget | SharedBudget | None:
        if self.job.max_usd is None:
            return None
        log = self.runtime.run_log
        if log.is_shared and self.job.batch is None:
            shared = SharedBudget(log, self.run_id, self.job.max_usd, patience_s=self.job.context.timeout_s)
            await shared.open()
            return shared
        at_providers = await held_usd(self.runtime.run_log, self.run_id) if self.job.batch else 0.0
        spent = await self.runtime.run_log.spent_usd(self.run_id)
        return Budget(self.job.max_usd, spent_usd=max(0.0, spent - at_providers))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        """Let what is in flight land, note how the run ended, and close everything."""
        if self.batcher is not None:
            await self.batcher.aclose()
        await self.runtime.drain()
        stopped = kind is not None or self.stop.requested
        try:
            await self.runtime.run_log.finish_run(
                self.run_id, "stopped" if stopped else "finished", None if stopped else self.progress.done
            )
            await self._give_back()
        finally:
            self._open.close()
            if self._within is None:
                await close_current()

    async def _give_back(self) -> None:
        if self._lease is not None:
            await self._lease.give_back()

    async def outcomes(self, documents: Iterable[Row]) -> AsyncIterator[tuple[Row, Outcome | None]]:
        """Every document with its outcome, in the input's order; None for those a stopped run did not reach.

        Memory does not grow with the input: at most `LOOKAHEAD` × concurrency rows are held.
        """
        at_once, held = self._at_once()
        gate = asyncio.Semaphore(at_once)
        waiting: deque[tuple[Row, asyncio.Task[Outcome | None]]] = deque()
        flying: weakref.WeakValueDictionary[int, asyncio.Task[Outcome | None]] = weakref.WeakValueDictionary()
        index = TextIndex(self.job.near_duplicates)
        with running(self.run):
            try:
                for document, twin, place in self._arranged(documents, index):
                    if twin is None:
                        work = self._guarded(document, gate)
                    else:
                        work = self._repeated(document, twin, flying.get(twin.position), gate)
                    task = flying[document.position] = _started(work, place)
                    waiting.append((document, task))
                    while len(waiting) >= held:
                        yield await _next(waiting)
                while waiting:
                    yield await _next(waiting)
            finally:
                for _, task in waiting:
                    task.cancel()

    def _arranged(
        self, documents: Iterable[Row], index: TextIndex
    ) -> Iterator[tuple[Row, Twin | None, Place | None]]:
        trial = self.job.packing is not None and self.job.packing.trial is not None
        return arranged(
            documents, index, self._terms, inputs=self.job.task.inputs, key=self.outcome_key, trial=trial
        )

    def _at_once(self) -> tuple[int, int]:
        """How many documents are walked at once, and how many rows held."""
        if self.job.batch is not None:
            return self.job.batch.documents, self.job.batch.documents
        return self.job.concurrency, self.job.concurrency * LOOKAHEAD

    async def _guarded(self, document: Row, gate: asyncio.Semaphore) -> Outcome | None:
        async with gate:
            if self.stop.requested:
                return None
            try:
                with self.batcher.document() if self.batcher else nullcontext():
                    return await self._one(document)
            except (StopRunError, ProviderRefusedError, RunLogError, UsageError) as error:
                self.stop.because_of(error)
                return None

    async def _repeated(
        self,
        document: Row,
        twin: Twin,
        original: asyncio.Task[Outcome | None] | None,
        gate: asyncio.Semaphore,
    ) -> Outcome | None:
        """A row whose text an earlier one has: by that row's outcome, or else asked itself."""
        try:
            if original is not None:
                found = await asyncio.shield(original)
            else:
                found = await self.runtime.run_log.outcome_at(self.run_id, twin.position)
            taken = found and taken_over(found, document, twin, self.job.task.schema)
            if taken:
                await self._take_over(document, taken)
                return taken
        except RunLogError as error:
            self.stop.because_of(error)
            return None
        return await self._guarded(document, gate)

    async def _take_over(self, document: Row, taken: Outcome) -> None:
        key = hashlib.sha256(f"{self.outcome_key(document)}\x1fduplicate".encode()).hexdigest()
        log = self.runtime.run_log
        stored, tries = await log.outcome(key) or (None, 0)
        if stored == taken:
            await log.note_row(self.run_id, document.position, key)
        else:
            text = str(document.text)
            await log.save_outcome(key, self.run_id, taken, text, position=document.position, tries=tries + 1)
        self.progress.duplicates += 1
        self.progress.note(taken, reused=stored == taken)

    async def _one(self, document: Row) -> Outcome:
        key = self.outcome_key(document)
        log = self.runtime.run_log
        stored, tries = await log.outcome(key) or (None, 0)
        if stored is not None and self._stands(stored):
            await log.note_row(self.run_id, document.position, key)
            self.progress.note(stored, reused=True)
            return stored
        current_retry.set(tries)
        outcome = await self._invoked(document)
        text = document.text if isinstance(document.text, str) else ""
        await log.save_outcome(key, self.run_id, outcome, text, position=document.position, tries=tries + 1)
        self.progress.note(outcome, reused=False)
        return outcome

    def _stands(self, stored: Outcome) -> bool:
        """Whether a stored outcome is used again: not one that a fault of the graph itself left behind."""
        asked_anew = self.job.retry_failed and stored["status"] == "failed"
        return stored["path"] != NEVER_WALKED and not asked_anew

    async def _invoked(self, document: Row) -> Outcome:
        task, tracer = self.job.task, self.runtime.tracer
        if document.problem is not None:
            return failed_outcome(task.name, document, document.problem)
        given = self.job.document_input(document)
        try:
            with tracer.document(
                task=task.name, doc_id=document.doc_id, run_id=self.run_id, identity=task.identity
            ) as config:
                result: Outcome = await self.graph.ainvoke(given, config, context=self.job.context)
        except CupelError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault in one document's walk is that document's outcome
            return failed_outcome(task.name, document, f"the graph failed: {type(error).__name__}: {error}")
        tracer.feedback(config, result)
        return result

    def outcome_key(self, document: Row) -> str:
        """Hash of all that decides this document's outcome."""
        text = document.text if isinstance(document.text, str) else repr(document.text)
        parts = [self.run_id, self.identity, document.doc_id, text_hash(text), dict(document.inputs)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    async def summary(self, output: str | None) -> dict[str, Any]:
        """What `--json` prints; `cost_usd` and `calls` are of this invocation, the total is the run's."""
        missing = (self.progress.total or self.progress.done) - self.progress.done
        statuses = dict(sorted(self.progress.statuses.items())) | ({"pending": missing} if missing else {})
        return {
            "run_id": self.run_id,
            "task": self.job.task.name,
            "documents": self.progress.done + missing,
            "statuses": statuses,
            "escalated": self.progress.escalated,
            "reused": self.progress.reused,
            "audits": _audits(self.progress),
            "duplicates": self.progress.duplicates,
            "calls": dict(sorted(self.tally.calls.items())),
            "cost_usd": {model: round(usd, 8) for model, usd in sorted(self.tally.cost_usd.items())},
            "cost_usd_total": round(await self.runtime.run_log.spent_usd(self.run_id), 8),
            "unknown_price": sorted(self.tally.unknown_price),
            "cache_hits": self.tally.cache_hits,
            "notes": sorted(self.tally.notes),
            "used": self.progress.usage.to_json(self.job.concurrency),
            "wall_s": round(time.perf_counter() - self._started, 3),
            "output": output,
        }


def _started(work: Coroutine[Any, Any, Outcome | None], place: Place | None) -> asyncio.Task[Outcome | None]:
    """A document's walk, told of its place in a pack."""
    if place is None:
        return asyncio.create_task(work)
    context = contextvars.copy_context()
    context.run(current_place.set, place)
    return asyncio.create_task(work, context=context)


async def _next(
    waiting: deque[tuple[Row, asyncio.Task[Outcome | None]]],
) -> tuple[Row, Outcome | None]:
    document, task = waiting[0]
    outcome = await task
    waiting.popleft()
    return document, outcome


def _audits(progress: Progress) -> dict[str, Any] | None:
    """The false-pass rate as the second judges see it, over all documents of this invocation; None without audits."""
    if not progress.audits:
        return None
    found = false_pass_rate(list(progress.audits.elements()))
    return {
        "audited": found.audited,
        "rejected": progress.audits["rejected"],
        "unknown": found.unknown,
        "false_pass_rate": found.rate,
        "interval": list(found.interval),
    }


def failed_outcome(task: str, document: Row, reason: str) -> Outcome:
    """The outcome of a document that never got through its graph."""
    return Outcome(
        doc_id=document.doc_id or f"row-{document.position}",
        task=task,
        status="failed",
        record=None,
        evidence=[],
        confidence=None,
        score=None,
        calibrated=False,
        model=None,
        tier=None,
        prompt_version="",
        reasons=[reason],
        cost_usd=0.0,
        latency_s=0.0,
        language=None,
        attempts=[],
        verdicts=[],
        addenda=[],
        review=None,
        path=NEVER_WALKED,
    )
