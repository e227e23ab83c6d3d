"""A file through a Dask cluster: rows go out in parts, outcomes come back in order."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import islice
from typing import Any

from cupel.errors import CupelError, SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.runs.cluster.orders import Order, Part, order_of
from cupel.runs.cluster.worker import clear, enrich_part, halt, troubles
from cupel.runs.runner import Runner
from cupel.state import Outcome
from cupel.tables import Row

AHEAD = 3
"""Parts sent ahead, as a multiple of the cluster's threads."""

_LOOK_S = 0.1
_LISTEN_S = 1.0
_START_S = 60.0
_CLEAR_S = 10.0


async def cluster_outcomes(
    runner: Runner, documents: Iterable[Row], *, client: Any, wait_s: float = DEFAULT_WAIT_S
) -> AsyncIterator[tuple[Row, Outcome | None]]:
    """Every document with its outcome, in the input's order, as `Runner.outcomes` gives them.

    Args:
        runner: An open runner: it names the run, keeps the counts, and says when to stop.
        documents: The rows; only text, id and inputs travel.
        client: Of the cluster, as `open_cluster` gives it.
        wait_s: Seconds to wait for a provider that is down, or for a daily limit, before the run ends.
    """
    order = order_of(runner.job, runner.project, wait_s=wait_s, run_id=runner.run_id)
    workers = _Workers(client, order.name)
    halting: list[asyncio.Future[None]] = []  # referred to, or it might be gone before it is done
    runner.runtime.calls.on_stop(lambda: halting.append(asyncio.ensure_future(workers.halt())))
    listening = asyncio.create_task(workers.listen(runner.runtime.patience.elsewhere), name="cupel-workers")
    sent: deque[tuple[list[Row], Any]] = deque()
    ahead = AHEAD * max(1, await _threads(client))
    try:
        for number, rows in enumerate(_parts(documents, runner.job.concurrency * 2)):
            sent.append((rows, None if runner.stop.requested else _submit(client, order, number, rows)))
            while len(sent) >= ahead:
                async for pair in _receive(runner, workers, *sent.popleft()):
                    yield pair
        while sent:
            async for pair in _receive(runner, workers, *sent.popleft()):
                yield pair
    finally:
        listening.cancel()
    await asyncio.gather(*halting, return_exceptions=True)
    if not runner.runtime.calls.dropped:
        await workers.clear()


def _submit(client: Any, order: Order, number: int, rows: list[Row]) -> Any:
    slim = [replace(row, values={}) for row in rows]
    return client.submit(enrich_part, order, slim, key=f"cupel-{order.name}-{number}", pure=False)


class _Workers:
    """What the workers are told besides their parts."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name
        self._halted = False

    async def halt(self) -> None:
        """Have every worker finish what is in flight and start nothing more; told once."""
        if not self._halted:
            self._halted = True
            await self._client.run(halt, self._name, on_error="ignore")

    async def listen(self, away: dict[str, str]) -> None:
        """Keep what is away for the workers, by provider, in a dictionary of the driver's; until cancelled."""
        mine: set[str] = set()
        while True:
            await asyncio.sleep(_LISTEN_S)
            heard: dict[str, Any] = {}
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLEAR_S):
                    heard = await self._client.run(troubles, self._name, on_error="ignore")
            lines: dict[str, str] = {}
            for each in heard.values():
                lines |= each
            for told in mine - set(lines):  # what another task's workers said stays
                away.pop(told, None)
            mine = set(lines)
            away.update(lines)

    async def clear(self) -> None:
        """Have every worker let go of this order; one that does not answer is left alone."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_CLEAR_S):
                await self._client.run(clear, self._name, on_error="ignore")


async def _receive(
    runner: Runner, workers: _Workers, rows: list[Row], future: Any
) -> AsyncIterator[tuple[Row, Outcome | None]]:
    part = await _result(runner, workers, future) if future is not None else None
    if part is not None:
        _count(runner, part)
    outcomes = part.outcomes if part is not None else [None] * len(rows)
    for row, outcome in zip(rows, outcomes, strict=True):
        if outcome is not None:
            runner.progress.note(outcome, reused=False)
        yield row, outcome


async def _result(runner: Runner, workers: _Workers, future: Any) -> Part | None:
    """A part's result; once the run is to stop, with what was in flight, as long as one call, or the stop, may take."""
    waiting = asyncio.ensure_future(future.result())
    until: float | None = None
    while not waiting.done():
        await asyncio.wait([waiting], timeout=_LOOK_S)
        if runner.runtime.calls.dropped and not waiting.done():
            waiting.cancel()
            return None
        if runner.stop.requested and not waiting.done():
            await workers.halt()
            until = until or time.monotonic() + runner.job.context.timeout_s
            if time.monotonic() > until:
                waiting.cancel()
                await future.cancel()
                return None
    try:
        part: Part = waiting.result()
    except Exception as error:  # noqa: BLE001 - Dask raises many things; each of them ends this run
        runner.stop.because_of(CupelError(f"the Dask cluster gave up on a part: {error}"))
        return None
    if part.trouble is not None:
        runner.stop.because_of(part.trouble.error())
    return part


def _count(runner: Runner, part: Part) -> None:
    tally = runner.tally
    tally.calls.update(part.calls)
    for model, usd in part.cost_usd.items():
        tally.cost_usd[model] = tally.cost_usd.get(model, 0.0) + usd
    tally.unknown_price |= part.unknown_price
    tally.cache_hits += part.cache_hits
    runner.progress.reused += part.reused
    runner.progress.duplicates += part.duplicates


def _parts(documents: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(documents)
    while part := list(islice(rows, size)):
        yield part


@asynccontextmanager
async def open_cluster(scheduler: str | None = None) -> AsyncIterator[Any]:
    """A client of a cluster, for as long as the context is open.

    Args:
        scheduler: A Dask scheduler's address; a cluster on this machine when left out.

    Raises:
        SettingError: If Dask is not installed, or no scheduler answers.
    """
    dask: Any = importlib.import_module("distributed")

    if scheduler is None:
        async with (
            dask.LocalCluster(
                n_workers=os.cpu_count() or 1, threads_per_worker=2, processes=True, dashboard_address=None,
                preload=["cupel.runs.cluster.quiet"], asynchronous=True, silence_logs=logging.ERROR,
            ) as cluster,
            dask.Client(cluster, asynchronous=True) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = await dask.Client(scheduler, asynchronous=True, timeout=_START_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from error
    try:
        yield client
    finally:
        await client.close()


async def _threads(client: Any) -> int:
    """Threads of all workers, once there is one."""
    async with asyncio.timeout(_START_S):
        await client.wait_for_workers(1)
    return sum((await client.nthreads()).values())
