"""One run of a job: opened, driven, closed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from cupel._gc import collect_seldom
from cupel.cascade import read_signals
from cupel.engine import (
    Batcher,
    BatchSettings,
    Packing,
    PackTerms,
    Run,
    Runtime,
    SharedBudget,
    Tally,
    check_batchable,
    close_current,
    held_usd,
    install,
    packed_prompt,
    read_certificate,
)
from cupel.errors import SettingError
from cupel.limits import Budget
from cupel.models import check_models, resolve_models
from cupel.project import Project, code_identity, find_project, load_graph
from cupel.runlog import Lease, text_hash
from cupel.runs.job import Job
from cupel.runs.progress import Progress, Stop, audits_of
from cupel.runs.walks import Walks
from cupel.state import Outcome
from cupel.tables import Row
from cupel.task import check_prompts, compact
from cupel.text import check_similarity

_NOT_DECIDING = {"timeout_s", "max_retries"}
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
        self._open.enter_context(collect_seldom())
        return self

    async def _prepare(self) -> None:
        self.models = resolve_models(self.job.context, self.runtime.env)
        check_models(self.models, self.runtime.env)
        read_signals(self.job.context)
        if self.job.near_duplicates is not None:
            check_similarity(self.job.near_duplicates)
        self.terms = (
            None if self.job.packing is None else await asyncio.to_thread(self._packed, self.job.packing)
        )
        self.graph = self._given_graph or await asyncio.to_thread(load_graph, self.project, self.job.graph)
        self.code = await asyncio.to_thread(code_identity, self.project)
        self.identity = await asyncio.to_thread(self._identity)
        named = [*(["trial"] if self._within is not None else []), self.job.input_name, self.identity]
        self.run_id = hashlib.sha256("\x1f".join(named).encode()).hexdigest()[:12]
        await self.runtime.run_log.start_run(self._run_row())
        self.runtime.calls.on_stop(self.stop.interrupt)
        if self._within is not None:
            self.run = replace(self._within[1], task=self.job.task, stops=True)
            self.tally = self.run.tally
            return
        check_prompts(self.job.task)
        if self.job.batch is not None:
            self._lease = await Lease.take(
                self.runtime.run_log, f"batch-{self.run_id}", what="a batch run", lost=self.stop.because_of
            )
        await self.runtime.count_earlier(self.models.all().values())
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
        self.runtime.calls.batching = self.batcher

    def _identity(self) -> str:
        """What decides a result besides the document and the code: graph, task, settings and models.

        Not the code of graphs and nodes: an edit or an upgrade would make another run, with a purse of its own.
        """
        context = self.job.context.model_dump(exclude=_NOT_DECIDING)
        models = self.models.all()
        decides = [self.job.graph, self.job.task.identity, context, models]
        if self.job.near_duplicates is not None:
            decides.append({"near_duplicates": self.job.near_duplicates})
        if self.terms is not None:
            decides.append({"packing": [self.terms.size, self.terms.max_chars, self._packed_version()]})
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
        context, models = self.job.context.model_dump(), self.models.all()
        settings = {"context": context, "models": models, "graph": self.job.graph}
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
        if kind is not None and self._within is None:
            self.runtime.calls.stop()  # whatever ended it early, nothing is left that waits for an answer
        stopped = kind is not None or self.stop.requested
        try:
            if self.batcher is not None:
                await self.batcher.aclose()
            await self.runtime.calls.drain()
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
            "audits": audits_of(self.progress),
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
