"""Runs of one thread: in the order they were asked for, and ended where a later one asks for it."""

from __future__ import annotations

import asyncio

import pytest

from cupel.serve.turns import Turns


@pytest.fixture
def turns():
    """Nobody's turn yet."""
    return Turns()


def begin(turns, walked, run, *, thread="t", strategy=None, steps=3):
    """A run that waits for its turn and notes its steps."""

    async def walk():
        await turns.wait(run)
        for step in range(steps):
            await asyncio.sleep(0)
            walked.append((run, step))

    task = asyncio.get_running_loop().create_task(walk())
    turns.enter(thread, run, task, strategy)
    return task


async def test_three_runs_of_a_thread_walk_one_after_the_other_and_another_threads_among_them(turns):
    """Each waits for all before it, whatever becomes of them."""
    walked: list[tuple[str, int]] = []
    tasks = [begin(turns, walked, run) for run in ("a", "b", "c")]
    tasks.append(begin(turns, walked, "other", thread="u"))
    assert turns.is_busy("t")
    await asyncio.gather(*tasks)

    assert [run for run, _ in walked if run != "other"] == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert walked.index(("other", 2)) < walked.index(("b", 0))
    assert not turns.is_busy("t")
    assert not turns.is_busy("u")


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_that_interrupts_ends_those_before_it(turns, strategy):
    """The one under way, and the one that waits."""
    walked: list[tuple[str, int]] = []
    first, second = begin(turns, walked, "a", steps=1_000_000), begin(turns, walked, "b")
    await asyncio.sleep(0.01)
    await begin(turns, walked, "c", strategy=strategy)

    assert first.cancelled()
    assert second.cancelled()
    assert {run for run, _ in walked} == {"a", "c"}


async def test_a_run_that_was_never_entered_waits_for_nobody(turns):
    """So it is on LangGraph's own server, which keeps the order itself."""
    walked: list[tuple[str, int]] = []
    begin(turns, walked, "a", steps=1_000).add_done_callback(lambda _: None)
    await asyncio.wait_for(turns.wait("unknown"), 1)
    await asyncio.wait_for(turns.wait("a"), 1)  # nobody is before it
