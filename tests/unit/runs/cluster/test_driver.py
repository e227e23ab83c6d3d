"""Rows sent out in parts, over a Dask cluster inside this process."""

import asyncio
import signal
import time

import pytest
from distributed import LocalCluster

from cupel.errors import BudgetExceededError, CupelError
from cupel.runs.cluster.driver import cluster_outcomes, open_cluster
from cupel.runs.cluster.quiet import dask_setup
from cupel.runs.runner import Runner
from tests.unit.runs.stand_in import OneStep, job_of, rows


@pytest.fixture
async def address():
    """A scheduler with one worker of two threads, without a process or a socket."""
    async with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0", asynchronous=True
    ) as cluster:
        yield cluster.scheduler_address


async def drive(office, address, documents, **more):
    """Outcomes in order, and the runner."""
    async with (
        Runner(job_of(office.project, **more), office.project, graph=OneStep()) as runner,
        open_cluster(address) as client,
    ):
        outcomes = cluster_outcomes(runner, documents, client=client)
        return [outcome and outcome["doc_id"] async for _, outcome in outcomes], runner


async def test_parts_come_back_in_the_order_of_the_rows_and_are_counted_here(office, address):
    """Each part is as long as two rounds of what a worker does at once."""
    texts = [f"speech {n}" for n in range(9)] + ["speech 8"]
    ids, runner = await drive(office, address, rows(*texts), concurrency=2)

    assert ids == [f"d{n}" for n in range(10)]
    assert (runner.progress.done, runner.progress.duplicates) == (10, 1)
    assert sorted(office.graph.asked) == texts[:9]


async def test_what_ends_the_run_on_a_worker_ends_it_here(office, address):
    """Parts that were not sent yet have no outcomes; those behind it in the line keep theirs."""
    ids, runner = await drive(office, address, rows("a", "too dear"), concurrency=1)

    assert ids == ["d0", None]
    assert isinstance(runner.stop.error, BudgetExceededError)


async def test_a_part_the_cluster_gave_up_on_ends_the_run(office, address):
    """What Dask says of it is passed on."""
    broken = rows("a")[0]
    object.__setattr__(broken, "position", [])
    _, runner = await drive(office, address, [broken])

    assert type(runner.stop.error) is CupelError
    assert "the Dask cluster gave up on a part" in str(runner.stop.error)


async def test_once_interrupted_a_part_is_waited_for_as_long_as_a_call_may_take(office, address):
    """After that its rows have no outcome here; what the worker finished is in the run log."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def stuck(given, config, *, context):
        loop.call_soon_threadsafe(asked.set)
        await asyncio.sleep(1.5)

    office.graph.ainvoke = stuck
    async with Runner(job_of(office.project, timeout_s=1.0), office.project, graph=OneStep()) as runner:

        async def press():
            await asked.wait()
            runner.stop.interrupt()

        pressed = asyncio.create_task(press())
        began = time.monotonic()
        async with open_cluster(address) as client:
            outcomes = [outcome async for _, outcome in cluster_outcomes(runner, rows("a"), client=client)]
        await pressed

    assert outcomes == [None]
    assert time.monotonic() - began < 10


def test_workers_leave_ctrl_c_to_the_driver():
    """Dask calls this in each worker as it starts."""
    before = signal.getsignal(signal.SIGINT)
    try:
        dask_setup(None)

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
