"""One run of a job: opened, driven, closed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Self

from cupel._memo import collect_seldom
from cupel.cascade import read_signals
from cupel.engine import (
    Batcher,
    BatchSettings,
    Bundle,
    KeptBudget,
    Run,
    Runtime,
    Tally,
    check_batchable,
    close_current,
    install,
    packed_prompt,
)
from cupel.errors import (
    LEAST_CONNECTIONS,
    MachineError,
    ProviderRefusedError,
    connections_at_once,
)
from cupel.judging import check_task
from cupel.limits import DEFAULT_WAIT_S, Budget
from cupel.models import OFFLINE, TierModels, check_models, is_offline, resolve_models
from cupel.project import Project, code_identity, find_project, load_graph
from cupel.runlog import PART, Account, Lease, Usage, read_account, text_hash
from cupel.runs.certificates import CertifiedBundle, certified_bundle, certified_terms
from cupel.runs.job import Job
from cupel.runs.progress import Progress, Stop, audits_of, statuses_of
from cupel.runs.purses import Purse, open_purse
from cupel.runs.walks import Walks
from cupel.state import Outcome
from cupel.tables import Row
from cupel.task import compact
from cupel.text import check_similarity

LOGGER = logging.getLogger("cupel")
NOT_DECIDING = {"timeout_s", "max_retries"}
"""Settings that do not change a result."""


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
        wait_s: float = DEFAULT_WAIT_S,
        tell: Callable[[str], None] = LOGGER.warning,
        within: tuple[Runtime, Run] | None = None,
    ) -> None:
        """Take what is needed; nothing is opened yet.

        Args:
            job: What is to be done.
            project: Where; the one around the current folder when left out.
            env: Environment variables; those of the process when left out.
            graph: A compiled graph to use in place of the project's.
            wait_s: Seconds to wait for a provider that is down, its fallback too, or for a daily limit; then the run
                ends and can be resumed. `math.inf` waits for ever.
            tell: Is given a line for each outage, within seconds, once a minute while it lasts and when it is over.
            within: An open runtime and a larger undertaking's run. Its money, counts and name in the log are
                then used, and `job.task` stands in for the folder of that name: so a candidate prompt is tried.
        """
        self.job = job
        self.project = project or find_project()
        self.stop = Stop()
        self.progress = Progress()
        self.tally = Tally()
        self.concurrency = job.concurrency
        """Documents worked on at once: what was asked for, or fewer where this machine allows no more connections."""

        self._env, self._given_graph, self._wait_s, self._within = env, graph, wait_s, within
        self._tell = tell
        self._watch: asyncio.Task[None] | None = None
        self._started = time.perf_counter()
        self._open = ExitStack()
        self.batcher: Batcher | None = None
        self._lease: Lease | None = None
        self._bundle: CertifiedBundle | None = None
        self.room: asyncio.Semaphore | None = None
        """As many places as documents are worked on at once, where other tasks' documents take them too."""

    async def __aenter__(self) -> Self:
        """Open the run log, check the models, load the graph; all before anything is paid."""
        if self._within is None:
            await self.open(self._prepare)
            return self
        self.runtime = self._within[0]
        await self._prepare()
        return self

    async def open(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Open what the process owns, have everything prepared that is to stand before anything is asked, and keep watch."""
        self.runtime = await asyncio.to_thread(Runtime, self.project, self._env, wait_s=self._wait_s)
        try:
            await prepare()
        except BaseException:
            await self._give_back()
            await self.runtime.aclose()
            raise
        self._open.enter_context(collect_seldom())
        self._watch = asyncio.create_task(self.runtime.patience.watch(self._tell), name="cupel-watch")

    def _fit_to_machine(self) -> None:
        room = connections_at_once()
        if room is None or room >= self.concurrency:
            return
        if room < LEAST_CONNECTIONS:
            raise MachineError(
                f"this process may open {room} connections beside its other files: allow more with `ulimit -n 1024`"
            )
        self.tally.notes.add(
            f"{room} documents were worked on at once in place of {self.concurrency}: this process may open no more "
            "files (`ulimit -n`)"
        )
        self.concurrency = room

    async def _prepare(self) -> None:
        await self.settle()
        await self.begin()

    async def settle(self) -> None:
        """Check all that is asked, and find out what the run is called; nothing is paid yet, and nothing written."""
        self._fit_to_machine()
        self.models = resolve_models(self.job.context, self.runtime.env)
        check_models(self.models, self.runtime.env)
        read_signals(self.job.context)
        if self.job.near_duplicates is not None:
            check_similarity(self.job.near_duplicates)
        told, state, env = self.job, self.project.state, self.runtime.env
        self.terms = (
            None
            if told.packing is None
            else await asyncio.to_thread(certified_terms, told, told.packing, self.models.cheap, state, env)
        )
        self._bundle = (
            None
            if told.bundle is None
            else await asyncio.to_thread(certified_bundle, told.bundle, self.models.cheap, state, env)
        )
        self.graph = self._given_graph or await asyncio.to_thread(load_graph, self.project, self.job.graph)
        self.code = await asyncio.to_thread(code_identity, self.project)
        self.identity = await asyncio.to_thread(self._identity)
        named = [*(["trial"] if self._within is not None else []), self.job.input_name, self.identity]
        self.run_id = hashlib.sha256("\x1f".join(named).encode()).hexdigest()[:12]
        if self._within is None:
            check_task(self.job.task)

    async def begin(self) -> None:
        """Note in the run log that the run starts, and open its purse and its batches."""
        await self.enlist()
        self.runtime.calls.on_stop(self.stop.interrupt)
        if self._within is not None:
            self.run = replace(self._within[1], task=self.job.task, stops=True)
            self.tally = self.run.tally
            return
        if self.job.batch is not None:
            self._lease = await Lease.take(
                self.runtime.run_log,
                f"batch-{self.purse.run_id}",
                what="a batch run",
                lost=self.stop.because_of,
            )
        await self.runtime.count_earlier(self.models.all().values())
        self.run = self._make_run(await open_purse(self.purse, self.job, self.runtime.run_log))
        install(self.runtime)
        if self.job.batch is not None:
            await self._open_batcher(self.job.batch)

    async def enlist(self) -> None:
        """Note in the run log that the run starts; find what it has to leave alone."""
        await self.runtime.run_log.start_run(self._run_row())
        self.forgotten = await self.runtime.run_log.forgotten_keys(self.run_id)

    async def begin_beside(self, first: Runner) -> None:
        """Begin as a further part of the run another one is a part of, with its purse and its batches."""
        await self.enlist()
        self.run, self.batcher = self._make_run(first.run.budget), first.batcher
        await self.runtime.count_earlier(set(self.models.all().values()) - set(first.models.all().values()))
        if self.job.batch is not None:
            check_batchable(self.models.all().values())

    @property
    def purse(self) -> Purse:
        """What it is called, and whose money it counts: its own, or that of the run it is a part of."""
        return self.job.purse or Purse(self.run_id)

    def _make_run(self, budget: Budget | KeptBudget | None) -> Run:
        return Run(
            run_id=self.run_id, tally=self.tally, budget=budget, stops=True, task=self.job.task,
            stopping=lambda: self.stop.requested,
        )  # fmt: skip

    async def _open_batcher(self, settings: BatchSettings) -> None:
        check_batchable(self.models.all().values())
        self.batcher = Batcher(
            self.runtime.run_log,
            replace(self.run, run_id=self.purse.run_id),
            settings,
            parts=self.purse.parts,
            live=self.concurrency,
            stopping=lambda: self.stop.requested,
            env=self.runtime.env,
            patience=self.runtime.patience,
        )
        await self.batcher.open()
        self.runtime.calls.batching = self.batcher

    def _identity(self) -> str:
        """What decides a result besides the document and the code: graph, task, settings and models.

        Not the code of graphs and nodes: an edit or an upgrade would make another run, with a purse of its own.
        """
        context = self.job.context.deciding(NOT_DECIDING)
        models = self.models.at_addresses(self.runtime.env)
        decides = [self.job.graph, self.job.task.identity, context, models]
        if self.job.near_duplicates is not None:
            decides.append({"near_duplicates": self.job.near_duplicates})
        if self.terms is not None:
            decides.append({"packing": [self.terms.size, self.terms.max_chars, self._packed_version()]})
        if self._bundle is not None:
            decides.append({"bundle": [self._bundle.bundle.longest, self._bundle.version]})
        return hashlib.sha256(compact(decides).encode()).hexdigest()[:16]

    @property
    def bundle(self) -> Bundle | None:
        """The bundle its documents are asked with, its requests booked under the run of all tasks."""
        if self._bundle is None:
            return None
        return replace(self._bundle.bundle, run=replace(self.run, run_id=self.purse.run_id, task=None))

    def _packed_version(self) -> str:
        return packed_prompt(self.job.task, self.models.cheap, self.job.context).version

    def _run_row(self) -> dict[str, Any]:
        context, models = self.job.context.model_dump(), self.models.all()
        settings = {"context": context, "models": models, "graph": self.job.graph}
        kind = "run" if self.job.purse is None else PART
        if self._bundle is not None:
            settings["bundle"] = self._bundle.to_json()
        if places := self.models.places(self.runtime.env):
            settings["addresses"] = places
        return {
            "run_id": self.run_id,
            "task": self.job.task.name,
            "task_identity": self.job.task.identity,
            "input_name": self.job.input_name,
            "output_name": self.job.output_name,
            "settings": json.dumps(settings, ensure_ascii=False),
            "kind": kind if self._within is None else "trial",
        }

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        """Let what is in flight land, note how the run ended, and close everything."""
        self.watch_no_longer()
        if kind is not None and self._within is None:
            self.runtime.calls.stop()  # whatever ended it early, nothing is left that waits for an answer
        try:
            if self.batcher is not None:
                await self.batcher.aclose()
            await self.runtime.calls.drain()
            await self.finish(stopped=kind is not None or self.stop.requested)
            await self._give_back()
        finally:
            self._open.close()
            if self._within is None:
                await close_current()

    async def finish(self, *, stopped: bool) -> None:
        """Note in the run log how the run ended."""
        state, rows = ("stopped", None) if stopped else ("finished", self.progress.done)
        is_part = self.job.purse is not None
        await self.runtime.run_log.finish_run(self.run_id, state, rows, as_part=is_part)

    def watch_no_longer(self) -> None:
        """Tell of no outage any more."""
        if self._watch is not None:
            self._watch.cancel()

    async def _give_back(self) -> None:
        if self._lease is not None:
            await self._lease.give_back()

    def outcomes(self, documents: Iterable[Row]) -> AsyncIterator[tuple[Row, Outcome | None]]:
        """Every document with its outcome, in the input's order; None for those a stopped run did not reach.

        Memory does not grow with the input: a few rows for each document at work are held.
        """
        return Walks(self).outcomes(documents)

    def outcome_key(self, document: Row) -> str:
        """Hash of all that decides this document's outcome."""
        text = document.text if isinstance(document.text, str) else repr(document.text)
        parts = [self.run_id, self.identity, document.doc_id, text_hash(text), dict(document.inputs)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def common_fault(self) -> ProviderRefusedError | None:
        """What failed every row of a run that went to its end, where that is one fault of a provider's."""
        cause = self.progress.causes.one_for_all(self.progress.done)
        if cause is None or self.stop.requested:
            return None
        return ProviderRefusedError(f"every row failed for one cause: {cause}")

    async def usage(self) -> Usage:
        """What the run's rows took: all of them, also those this invocation did not come to."""
        if await self.runtime.run_log.rows_done(self.run_id) == self.progress.done:
            return self.progress.usage
        return await asyncio.to_thread(self._usage_of_all, self.run_id)

    def _usage_of_all(self, run_id: str) -> Usage:
        usage = Usage()
        for _, outcome, _ in self.runtime.run_log.run_outcomes(run_id):
            usage.add(outcome)
        return usage

    async def account(self, usage: Usage, payers: Sequence[str] = ()) -> Account:
        """What was paid for these rows: by this run, or by all that pay for the one it is a part of."""
        run_ids = payers or [self.run_id]
        return await self.runtime.run_log.transact(partial(read_account, run_ids=run_ids, usage=usage))

    def _is_offline(self) -> bool:
        return is_offline(self.models)

    def notes(self) -> list[str]:
        """What a person should know of the run besides its counts."""
        offline = [OFFLINE] if self._is_offline() else []
        shared = [self._bundle.sentence] if self._bundle and self._bundle.sentence else []
        return [*offline, *shared, *_speeds(self.models), *sorted(self.tally.notes)]

    async def summary(self, output: str | None) -> dict[str, Any]:
        """What `--json` prints.

        `calls`, `cost_usd` and `cache_hits` are of this invocation; `cost_usd_total` is what the run paid over all of them;
        `used` is what the answers on its rows took, whoever paid for them; `account` adds up the one and the other.
        """
        usage = await self.usage()
        account = await self.account(usage)
        return {
            "run_id": self.run_id,
            "task": self.job.task.name,
            "documents": self.progress.total or self.progress.done,
            "statuses": statuses_of(self.progress),
            "escalated": self.progress.escalated,
            "reused": self.progress.reused,
            "audits": audits_of(self.progress),
            "duplicates": self.progress.duplicates,
            "calls": dict(sorted(self.tally.calls.items())),
            "cost_usd": {model: round(usd, 8) for model, usd in sorted(self.tally.cost_usd.items())},
            "cost_usd_total": round(account.total_usd, 8),
            "account": account.to_json(),
            "paid_and_used": account.sentence(),
            "unknown_price": sorted(self.tally.unknown_price),
            "cache_hits": self.tally.cache_hits,
            "notes": self.notes(),
            "language_model": not self._is_offline(),
            "used": usage.to_json(self.concurrency),
            "failures": self.progress.causes.to_json(),
            "wall_s": round(time.perf_counter() - self._started, 3),
            "output": output,
        }


def _speeds(models: TierModels) -> list[str]:
    """How fast each model was that ran here: what decides whether a larger one can be waited for."""
    if not any(model.startswith("gguf:") for model in models.all().values()):
        return []
    from cupel.models import speeds

    return [
        f"{model} generated {made['tokens']:,} tokens on this machine, {made['per_second']:g} a second"
        for model, made in speeds().items()
    ]
