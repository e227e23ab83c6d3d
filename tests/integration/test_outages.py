"""A provider that is down, and a machine that is short of something, through the runner and the real graph."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time

import pytest

from cupel.errors import MachineError, ProviderDownError, ProviderLimitError
from cupel.models.errors import ProviderCallError
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from tests.integration.cascade import ACCEPTS, INVENTED, TEXT, job, models, record

TEXTS = [f"{TEXT} This is speech number {n}." for n in range(12)]


class Provider:
    """Answers with a record while it is up; while it is down, every connection is refused."""

    def __init__(self, *, up=True, reply=None):
        self.up = up
        self.reply = reply or record()
        self.asked = []
        self.answered = []

    async def __call__(self, messages, schema):
        text = messages[-1]["content"]
        self.asked.append(text)
        await asyncio.sleep(0.01)
        if not self.up:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        self.answered.append(text)
        return self.reply


async def run(project, *, texts=TEXTS, wait_s=30.0, during=None, told=None, **settings):
    """Outcomes and runner; `during` goes on beside the run."""
    made = job(project, **{"judge": "never", "max_retries": 1, **settings})
    rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(texts)]
    tell = logging.getLogger("test").debug if told is None else told.append
    async with Runner(made, project, env={}, wait_s=wait_s, tell=tell) as runner:
        beside = asyncio.create_task(during(runner)) if during else None
        outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
        if beside is not None:
            await beside
    return outcomes, runner


def statuses(outcomes):
    """What became of each; None for those that were not reached."""
    return [outcome and outcome["status"] for outcome in outcomes]


async def test_an_outage_in_the_middle_costs_time_and_no_document(project):
    """All rows have their outcome without a second command; nothing is escalated for it, and it is said."""
    cheap, told = Provider(), []

    async def close(runner):
        while runner.progress.done < 3:
            await asyncio.sleep(0.01)
        cheap.up = False
        await asyncio.sleep(3)
        cheap.up = True

    with models(cheap=cheap):
        outcomes, runner = await run(project, during=close, told=told, wait_s=8.0, concurrency=2)

    assert statuses(outcomes) == ["accepted"] * 12
    assert runner.stop.error is None
    assert len(cheap.answered) == 12
    assert told[0].startswith("scripted: connection refused, trying again, 2 s of 8 s")
    assert told[-1] == "scripted: it answers again"


async def test_a_provider_that_stays_away_ends_the_run_and_the_next_one_goes_on(project):
    """At the stated while, with what is done kept; no row is failed, and nothing is paid twice."""
    cheap = Provider()

    async def close(runner):
        while runner.progress.done < 3:
            await asyncio.sleep(0.01)
        cheap.up = False

    with models(cheap=cheap):
        began = time.monotonic()
        first, runner = await run(project, during=close, wait_s=1.5, concurrency=2)
        lasted = time.monotonic() - began
        cheap.up = True
        second, _ = await run(project, concurrency=2)

    assert isinstance(runner.stop.error, ProviderDownError)
    assert runner.stop.error.exit_code == 4
    assert 1.5 <= lasted < 15
    assert set(statuses(first)) == {"accepted", None}
    assert statuses(second) == ["accepted"] * 12
    assert len(cheap.answered) == len(set(cheap.answered)) == 12


async def test_documents_that_do_not_need_what_is_down_go_on_meanwhile(project):
    """With one place at work, the eleven behind the one that waits are done."""

    async def cheap(messages, schema):
        return record(INVENTED) if "number 0." in messages[-1]["content"] else record()

    with models(cheap=cheap, strong=Provider(up=False)):
        outcomes, runner = await run(project, wait_s=4.0, concurrency=1)
        done = runner.progress.done

    assert statuses(outcomes) == [None] + ["accepted"] * 11
    assert done == 11
    assert isinstance(runner.stop.error, ProviderDownError)


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down too"])
async def test_a_fallback_stands_in_or_both_are_waited_for(project, is_up):
    """One that answers does at once; with both away the run ends as with one."""
    cheap, fallback = Provider(up=False), Provider(up=is_up)
    with models(cheap=cheap, refiner=fallback):
        outcomes, runner = await run(project, wait_s=1.0, fallback_model="scripted:refiner")

    assert statuses(outcomes) == (["accepted"] if is_up else [None]) * 12
    if is_up:
        assert {outcome["attempts"][0]["fallback_for"] for outcome in outcomes} == {"scripted:cheap"}
    else:
        assert "scripted:cheap (connection refused) and its fallback scripted:refiner" in str(
            runner.stop.error
        )


@pytest.mark.parametrize("poisoned", [(5,), (11,)], ids=["middle", "last"])
async def test_a_document_that_fails_while_others_are_answered_is_its_own_trouble(project, poisoned):
    """In the middle of the file and at its end, where nobody is left to tell by, the run ends well."""

    async def answer(messages, schema):
        await asyncio.sleep(0.01)
        if any(f"number {n}." in messages[-1]["content"] for n in poisoned):
            return ProviderCallError("internal error", model="scripted:cheap", status=500)
        return record()

    with models(cheap=answer, strong=answer):
        outcomes, runner = await run(project, max_retries=0, wait_s=1.0, concurrency=2)

    assert runner.stop.error is None
    assert statuses(outcomes) == ["failed" if n in poisoned else "accepted" for n in range(12)]


async def test_a_daily_limit_that_opens_in_time_is_waited_for(project):
    """Nobody is asked before it opens."""
    asked = []

    async def cheap(messages, schema):
        asked.append(time.monotonic())
        if len(asked) == 1:
            text = "on requests per day (RPD): Limit 5, Used 5, Requested 1. Please try again in 1s."
            return ProviderCallError(text, model="scripted:cheap", status=429)
        return record()

    with models(cheap=cheap):
        outcomes, _ = await run(project, texts=TEXTS[:2], wait_s=5.0, concurrency=1)

    assert statuses(outcomes) == ["accepted"] * 2
    assert asked[1] - asked[0] >= 1.0


async def test_a_daily_limit_that_opens_too_late_ends_the_run_at_once(project):
    """Exit code 4, and when it opens."""
    text = "on requests per day (RPD): Limit 5, Used 5, Requested 1. Please try again in 4h0m0s."
    with models(cheap=ProviderCallError(text, model="scripted:cheap", status=429)):
        outcomes, runner = await run(project, wait_s=600.0)

    assert statuses(outcomes) == [None] * 12
    assert isinstance(runner.stop.error, ProviderLimitError)
    assert runner.stop.error.exit_code == 4


@pytest.mark.parametrize(
    "shortage",
    [
        pytest.param(OSError(errno.EMFILE, "Too many open files"), id="open files"),
        pytest.param(MemoryError(), id="memory"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), id="disk"),
        pytest.param(RuntimeError("can't start new thread"), id="threads"),
    ],
)
async def test_what_this_machine_is_short_of_is_no_documents_fault(project, shortage):
    """The run stops with exit code 6, no row is failed, and the next one finds every answer that was paid for."""
    cheap, judge = Provider(), Provider(reply=ACCEPTS)
    short = [True]

    async def judged(messages, schema):
        if short[0] and len(judge.answered) >= 4:
            return shortage
        return await judge(messages, schema)

    with models(cheap=cheap, judge=judged):
        first, runner = await run(project, judge="always", concurrency=3)
        short[0] = False
        second, _ = await run(project, judge="always", concurrency=3)

    assert isinstance(runner.stop.error, MachineError)
    assert runner.stop.error.exit_code == 6
    assert set(statuses(first)) == {"accepted", None}
    assert statuses(second) == ["accepted"] * 12
    assert len(cheap.answered) == len(set(cheap.answered)) == 12


async def test_a_row_that_is_asked_anew_finds_what_was_paid_for_it_and_was_of_use(project):
    """Only the window whose reply was no record is asked again."""
    long = " ".join(f"{TEXT} This is sentence {n}." for n in range(400))
    asked, bad = [], [True]

    async def cheap(messages, schema):
        asked.append(messages[1]["content"])
        is_first = f"sentence {0}." in messages[1]["content"]
        return "no record" if bad[0] and not is_first else record()

    with models(cheap=cheap, strong="no record either"):
        first, _ = await run(project, texts=[long])
        before, bad[0] = len(asked), False
        second, _ = await run(project, texts=[long], retry_failed=True)

    windows = len(second[0]["attempts"][0]["calls"])
    assert statuses(first) == ["failed"]
    assert windows > 1
    assert second[0]["attempts"][0]["record"] is not None
    assert len(asked) - before == windows - 1
