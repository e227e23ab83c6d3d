"""What runs on a worker: one event loop a process, in which partitions go through the project's graph."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cupel import __version__
from cupel.context import RunContext
from cupel.engine import close_current
from cupel.errors import CupelError, SettingError
from cupel.project import Project
from cupel.runs.cluster.orders import Order, Part, Trouble, require_database
from cupel.runs.cluster.parcels import unpack
from cupel.runs.job import Job, Work
from cupel.runs.runner import Runner
from cupel.state import Outcome
from cupel.tables import Row
from cupel.task import ad_hoc_task, import_class, load_task

T = TypeVar("T")


def enrich_part(order: Order, rows: Sequence[Row]) -> Part:
    """The outcomes of these rows; an error that ends the run comes back as data."""
    if order.name in _halted:
        return Part(outcomes=[None] * len(rows))
    try:
        return _desk(order).do(rows)
    except CupelError as error:
        return Part(outcomes=[None] * len(rows), trouble=Trouble.of(error))


def halt(name: str) -> None:
    """Start nothing more for an order; what is in flight here is finished, stored, and goes home with its part."""
    _halted.add(name)
    desk = _desks.get(name)
    if desk is not None:
        desk.halt()


def troubles(name: str) -> dict[str, str]:
    """What is away for an order here, by provider: the driver tells the person, who does not see this process."""
    desk = _desks.get(name)
    return {} if desk is None else desk.troubles()


def clear(name: str) -> None:
    """Let go of what an order needed here: its run log, its places in the line, its connections."""
    halt(name)
    desk = _desks.get(name)
    if desk is not None and not desk.busy:
        del _desks[name]
        desk.close()


class _Desk:
    """One order under way in this process: its loop, run log, limiter and graph are shared by all partitions."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.busy = 0
        self._scratch = _scratch()  # Dask knows its worker by the thread
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cupel-desk", daemon=True)
        self._thread.start()
        try:
            self._runner = self._run(self._opened())
        except BaseException:
            self._stop()
            raise

    @property
    def stopped(self) -> bool:
        """Whether an error has ended it."""
        return self._runner.stop.requested

    def do(self, rows: Sequence[Row]) -> Part:
        """The outcomes of a partition."""
        self.busy += 1
        try:
            return self._run(self._part(rows))
        finally:
            self.busy -= 1

    def halt(self) -> None:
        """Walk no further document, and send nothing new."""
        calls = self._runner.runtime.calls
        calls.stopped = True
        self._loop.call_soon_threadsafe(calls.stop)

    def troubles(self) -> dict[str, str]:
        """What is away now, by provider."""
        return self._runner.runtime.patience.troubles()

    def close(self) -> None:
        """Let go of everything; the run itself is the driver's to finish."""
        self._run(self._closed())
        self._stop()

    async def _opened(self) -> Runner:
        require_database(os.environ, where=" (a worker's environment)")
        order = self.order
        if order.version != __version__:
            raise SettingError(
                f"a worker has Cupel {__version__}, the driver {order.version}; install the same"
            )
        project = unpack(order.parcel, self._scratch)
        runner = Runner(_job(order, project), project, wait_s=order.wait_s)
        await runner.__aenter__()
        if order.run_id not in {None, runner.run_id}:
            await close_current()
            raise SettingError(
                "a worker would make other results than this process: its models are "
                f"{runner.models.at_addresses(os.environ)}; "
                "give all of them the same keys and CUPEL_ variables, and name the models"
            )
        return runner

    async def _part(self, rows: Sequence[Row]) -> Part:
        runner = self._runner
        seen: dict[int, Outcome | None] = {}
        async for row, outcome in runner.outcomes(rows):
            seen[row.position] = outcome
        error = runner.stop.error
        return self._with_counts(
            Part(
                outcomes=[seen[row.position] for row in rows],
                trouble=None if error is None else Trouble.of(error),
            )
        )

    def _with_counts(self, part: Part) -> Part:
        """What was done since the last time anybody asked; two partitions at once share one count."""
        tally, progress = self._runner.tally, self._runner.progress
        part.calls, part.cost_usd = dict(tally.calls), dict(tally.cost_usd)
        part.unknown_price, part.cache_hits = set(tally.unknown_price), tally.cache_hits
        part.reused, part.duplicates = progress.reused, progress.duplicates
        tally.calls.clear()
        tally.cost_usd.clear()
        tally.cache_hits = progress.reused = progress.duplicates = 0
        return part

    async def _closed(self) -> None:
        self._runner.watch_no_longer()
        await self._runner.runtime.calls.drain()
        await close_current()
        await self._loop.shutdown_default_executor()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


_desks: dict[str, _Desk] = {}
_halted: set[str] = set()
_opening = threading.Lock()


def _desk(order: Order) -> _Desk:
    """This process's desk for an order; those of earlier orders are cleared, but for other tasks of the same run."""
    with _opening:
        held = _desks.get(order.name)
        if held is not None and not held.stopped:
            return held
        for name, desk in list(_desks.items()):
            if not desk.busy and not _is_beside(desk.order, order):
                del _desks[name]
                desk.close()
        opened = _desks[order.name] = _Desk(order)
        return opened


def _is_beside(one: Order, other: Order) -> bool:
    """Whether two orders are parts of one run: each task has its own desk, and they are worked at in turns."""
    return one.purse is not None and one.purse == other.purse and one.task != other.task


def _job(order: Order, project: Project) -> Job:
    record_class = None if order.record_class is None else import_class(order.record_class)
    if order.output_schema is None:
        task = load_task(order.task, project.prompts)
    else:
        task = ad_hoc_task(
            dict(order.output_schema),
            order.instructions,
            project.prompts,
            inputs=order.inputs,
            check=record_class,
        )
    return Job(
        task=task, context=RunContext(**order.context), record_class=record_class, **Work.shared(order)
    )


def _scratch() -> Path | None:
    """The Dask worker's own folder, which goes with it; None outside of one."""
    from distributed import get_worker

    try:
        return Path(get_worker().local_directory)
    except ValueError:
        return None
