"""One or several tasks over the same documents as one run: a part for each task, with one purse, one stop and one count.

JointRun ─┬─ Runner of task a ──┐  each part is the run that its task alone would be,
          ├─ Runner of task b ──┤  row by row beside the others
          └─ Runner of task c ──┘
    one runtime · one purse · one stop · one room for documents at work · one wave of batches
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from cupel.engine import Runtime
from cupel.errors import ProviderRefusedError
from cupel.project import Project
from cupel.runlog import SEVERAL, Usage, name_tasks
from cupel.runs.progress import Progress, Stop, statuses_of
from cupel.runs.purses import Purse
from cupel.runs.runner import Runner
from cupel.state import Outcome
from cupel.tables import Row

Walk = Callable[[Runner, Iterable[Row]], AsyncIterator[tuple[Row, Outcome | None]]]
"""How the documents of a part are walked; each with its outcome, in the input's order."""

_OF_A_PART = (
    "run_id", "statuses", "escalated", "reused", "audits", "duplicates", "cost_usd_total", "account", "paid_and_used",
    "used", "failures",
)  # fmt: skip
"""What a summary says of each task; the rest is of all together."""


class JointRun:
    """A run of one task or several: opened, driven over documents, closed. Use as a `Runner`.

    Args:
        parts: A runner of each task, none of them opened, all of the same documents and terms.
        check: Raises for what keeps the run from its start, once it is known what it is called: it leaves no trace then.
    """

    def __init__(
        self, parts: Sequence[Runner], *, check: Callable[[JointRun], None] = lambda _: None
    ) -> None:
        self.parts = tuple(parts)
        self.check = check
        self.first = first = self.parts[0]
        self.stop: Stop = first.stop
        self.tally = first.tally
        for part in self.parts[1:]:
            part.stop, part.tally = first.stop, first.tally

    @property
    def is_of_several(self) -> bool:
        """Whether it has more than one task."""
        return len(self.parts) > 1

    @property
    def tasks(self) -> list[str]:
        """The names of its tasks, in order."""
        return [part.job.task.name for part in self.parts]

    @property
    def run_id(self) -> str:
        """What it is called in the run log."""
        return self.first.purse.run_id

    @property
    def project(self) -> Project:
        """Where it is run."""
        return self.first.project

    @property
    def runtime(self) -> Runtime:
        """What all parts own together."""
        return self.first.runtime

    @property
    def progress(self) -> Progress:
        """Where it stands: every document counts once for each task."""
        return (
            Progress.sum_of([part.progress for part in self.parts])
            if self.is_of_several
            else self.first.progress
        )

    def expect(self, rows: int) -> None:
        """Say how many rows there are."""
        for part in self.parts:
            part.progress.total = rows

    async def __aenter__(self) -> Self:
        """Open everything; whatever stands in the way of one task is said before any of them is begun."""
        await self.first.open(self._prepare)
        return self

    async def _prepare(self) -> None:
        for part in self.parts:
            part.runtime = self.first.runtime
            await part.settle()
        if self.is_of_several:
            purse = Purse(self._name(), tuple(part.run_id for part in self.parts))
            for part in self.parts:
                part.job = replace(part.job, purse=purse)
        await asyncio.to_thread(self.check, self)
        if not self.is_of_several:
            await self.first.begin()
            return
        await self.runtime.run_log.start_run(self._row())
        await self.first.begin()
        if (
            self.first.job.batch is None
        ):  # else every task has a wave's room, so that a wave is of all of them
            room = asyncio.Semaphore(self.first.concurrency)
            for part in self.parts:
                part.room = room
        for part in self.parts[1:]:
            await part.begin_beside(self.first)

    def _name(self) -> str:
        """Of the parts, in whatever order they were given: another task, prompt or model makes another run."""
        parts = sorted(part.run_id for part in self.parts)
        return hashlib.sha256("\x1f".join([SEVERAL, *parts]).encode()).hexdigest()[:12]

    def _row(self) -> dict[str, Any]:
        job, parts = self.first.job, {part.job.task.name: part.run_id for part in self.parts}
        models = self.first.models
        settings: dict[str, Any] = {"parts": parts, "models": models.all(), "graph": job.graph}
        if places := models.places(self.runtime.env):
            settings["addresses"] = places
        return {
            "run_id": self.run_id, "task": name_tasks(self.tasks), "task_identity": "", "kind": SEVERAL,
            "input_name": job.input_name, "output_name": job.output_name,
            "settings": json.dumps(settings, ensure_ascii=False),
        }  # fmt: skip

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Note how it ended, and close everything."""
        stopped = kind is not None or self.stop.requested
        try:
            for part in self.parts[1:]:
                await part.finish(stopped=stopped)
            if self.is_of_several:
                state, rows = ("stopped", None) if stopped else ("finished", self.first.progress.done)
                await self.runtime.run_log.finish_run(self.run_id, state, rows)
        finally:
            await self.first.__aexit__(kind, error, trace)

    async def outcomes(
        self, tables: Sequence[Iterable[Row]], walk: Walk = Runner.outcomes
    ) -> AsyncIterator[tuple[Row, list[Outcome | None]]]:
        """Every document with its outcome in each task, in the input's order; None where a stopped run did not come to it.

        Args:
            tables: The same rows for each task, with that task's inputs.
            walk: How the documents of one part are walked.
        """
        walks = [walk(part, table) for part, table in zip(self.parts, tables, strict=True)]
        try:
            while True:
                # all of them move at once: a task's look-ahead is taken up while the slowest one is waited for
                met = await asyncio.gather(*(anext(each, None) for each in walks), return_exceptions=True)
                for fault in met:
                    if isinstance(fault, BaseException):
                        raise fault
                pairs = [pair for pair in met if isinstance(pair, tuple)]
                if not pairs:
                    return
                yield pairs[0][0], [outcome for _, outcome in pairs]
        finally:
            for each in walks:
                async with aclosing(each):  # type: ignore[type-var]  # an async generator, as those that walk are
                    pass

    def common_fault(self) -> ProviderRefusedError | None:
        """What failed every row of a task for one cause of a provider's; None where nothing did."""
        faults = {
            part.job.task.name: fault for part in self.parts if (fault := part.common_fault()) is not None
        }
        if not faults or not self.is_of_several:
            return next(iter(faults.values()), None)
        return ProviderRefusedError("; ".join(f"task {task!r}: {fault}" for task, fault in faults.items()))

    async def summary(self, output: str | None) -> dict[str, Any]:
        """What `--json` prints: of several tasks the sums, and under `tasks` what is of each.

        `documents` are rows; `statuses` count a row once for each task.
        """
        if not self.is_of_several:
            return await self.first.summary(output)
        each = {part.job.task.name: await part.summary(output) for part in self.parts}
        usage = Usage.sum_of([await part.usage() for part in self.parts])
        account = await self.first.account(usage, self.first.purse.payers)
        progress = self.progress
        return {
            **each[self.tasks[0]],
            "run_id": self.run_id,
            "task": name_tasks(self.tasks),
            "tasks": {task: {name: said[name] for name in _OF_A_PART} for task, said in each.items()},
            "statuses": statuses_of(progress),
            **{name: getattr(progress, name) for name in ("escalated", "reused", "duplicates")},
            "audits": None,
            "cost_usd_total": round(account.total_usd, 8),
            "account": account.to_json(),
            "paid_and_used": account.sentence(),
            "used": usage.to_json(self.first.concurrency),
            "failures": None,
            "notes": list(dict.fromkeys(note for part in self.parts for note in part.notes())),
            "language_model": any(said["language_model"] for said in each.values()),
        }
