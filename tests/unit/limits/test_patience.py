"""How long a run waits for a provider that is down, or for a daily limit, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import math

import pytest

from cupel.errors import (
    ProviderDownError,
    ProviderLimitError,
    ProviderOutageError,
    SettingError,
    StopRunError,
)
from cupel.limits.circuit import Circuits
from cupel.limits.patience import Patience, read_wait_s

DOWN = ProviderOutageError("overloaded")


def patience_of(clock, *, wait_s=60.0, rest_s=4.0):
    return Patience(Circuits(rest_s=rest_s, monotonic=clock), wait_s=wait_s)


def close(patience, model, failure, times=8, headers=None):
    """So many failures in a row of a model."""
    for _ in range(times):
        patience.circuits.of(model).record(failure("overloaded", 503, headers))


def test_it_ends_at_the_stated_while_after_the_first_failure(virtual, failure):
    """The time counts from the first failure, whoever came when."""

    async def main(clock):
        patience = patience_of(clock)
        close(patience, "groq:m", failure)
        await asyncio.sleep(20)

        async def document():
            while True:  # as often as it may, it tries and fails
                await patience.outlast(["groq:m"], DOWN)
                close(patience, "groq:m", failure, times=1)

        with pytest.raises(ProviderDownError, match=r"groq:m \(503: overloaded\): answered nothing for 60 s"):
            await document()
        return clock() - 1_000

    assert virtual(main) == pytest.approx(60.0, abs=0.5)


def test_a_provider_that_takes_calls_and_answers_none_is_told_of(virtual):
    """Once it has been silent for longer than it ever took; a slow one is not told of twice."""

    async def main(clock):
        patience = patience_of(clock)
        circuit, said = patience.circuits.of("groq:m"), []
        for call_s in (9, 26, 27, 90):
            circuit.check()
            await asyncio.sleep(call_s)
            said.append(patience.troubles())
            circuit.record()
        return said, patience.troubles()

    said, after = virtual(main)
    assert said == [{}, {}, {}, {"groq": "groq: no answer for 90 s to 1 call under way"}]
    assert after == {}


def test_one_call_at_a_time_tries_again_and_an_answer_lets_all_go_on(virtual, failure):
    """A hundred documents that wait do not knock a hundred times."""

    async def main(clock):
        patience, tries = patience_of(clock), []
        close(patience, "groq:m", failure)

        async def document():
            while patience.circuits.of("groq:m").down_s is not None:
                await patience.outlast(["groq:m"], DOWN)
                if patience.circuits.of("groq:m").down_s is not None:
                    patience.circuits.of("groq:m").check()
                    tries.append(clock() - 1_000)
                    patience.circuits.of("groq:m").record(None if len(tries) == 3 else failure("no", 503))
            return clock() - 1_000

        ended = await asyncio.gather(*(document() for _ in range(100)))
        return tries, max(ended)

    tries, ended = virtual(main)

    assert tries == [pytest.approx(at, abs=0.6) for at in (4, 12, 28)]
    assert ended == pytest.approx(tries[-1], abs=0.5)


def test_a_fallback_that_answers_ends_the_wait(virtual, failure):
    """Either of the two will do."""

    async def main(clock):
        patience = patience_of(clock)
        close(patience, "groq:m", failure)
        close(patience, "openai:stand-in", failure)
        asyncio.get_running_loop().call_later(3, patience.circuits.of("openai:stand-in").record)
        await patience.outlast(["groq:m", "openai:stand-in"], DOWN)
        return clock() - 1_000

    assert virtual(main) == pytest.approx(3.0, abs=0.5)


def test_both_have_to_be_down_for_so_long(virtual, failure):
    """A fallback that failed only now is given its time."""

    async def main(clock):
        patience = patience_of(clock, rest_s=1_000.0)
        close(patience, "groq:m", failure)
        await asyncio.sleep(50)
        close(patience, "openai:stand-in", failure)
        with pytest.raises(ProviderDownError, match=r"groq:m .* and its fallback openai:stand-in"):
            await patience.outlast(["groq:m", "openai:stand-in"], DOWN)
        return clock() - 1_000

    assert virtual(main) == pytest.approx(110.0, abs=0.5)


def test_a_retry_after_beyond_the_wait_ends_it_at_once(virtual, failure):
    """Who asks to be left alone for ten minutes is not asked for one."""

    async def main(clock):
        patience = patience_of(clock)
        close(patience, "groq:m", failure, times=1, headers={"retry-after": "600"})
        with pytest.raises(ProviderDownError, match="asked to be left alone for 600 s"):
            await patience.outlast(["groq:m"], DOWN)
        return clock() - 1_000

    assert virtual(main) == 0.0


@pytest.mark.parametrize(
    ("wait_s", "waited_s"),
    [(600.0, 300.0), (math.inf, 300.0), (299.0, None)],
    ids=["in time", "for ever", "too late"],
)
def test_a_daily_limit_is_waited_for_as_long_as_a_provider_is(virtual, wait_s, waited_s):
    """It says when it opens, so there is no need to try before."""

    async def main(clock):
        patience = patience_of(clock, wait_s=wait_s)
        try:
            await patience.outlast(["groq:m"], ProviderLimitError("20 requests per day", resets_in_s=300.0))
        except ProviderLimitError:
            return None
        return clock() - 1_000

    assert virtual(main) == (None if waited_s is None else pytest.approx(waited_s, abs=0.5))


def test_a_clock_that_jumped_ahead_is_noticed(virtual):
    """A machine that slept does not add its sleep to a wait of hours."""

    async def main(clock):
        slept = 0.0
        patience = patience_of(lambda: clock() + slept, wait_s=math.inf)
        limit = ProviderLimitError("1 request per day", resets_in_s=86_400.0)
        waiting = asyncio.create_task(patience.outlast(["groq:m"], limit))
        await asyncio.sleep(90)
        slept = 86_400.0
        await waiting
        return clock() - 1_000

    assert virtual(main) <= 91


def test_whoever_is_told_to_stop_stops_waiting(virtual, failure):
    """All that wait end, each at once."""

    async def main(clock):
        patience, stop = patience_of(clock, wait_s=math.inf, rest_s=1_000.0), []
        close(patience, "groq:m", failure)
        asyncio.get_running_loop().call_later(5, stop.append, "now")
        waiting = (patience.outlast(["groq:m"], DOWN, stopping=lambda: bool(stop)) for _ in range(50))
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        return clock() - 1_000, {type(end) for end in ends}

    ended, kinds = virtual(main)

    assert kinds == {StopRunError}
    assert ended < 6


def test_what_is_away_is_told_within_seconds_once_a_minute_and_when_it_is_over(virtual):
    """A line for the outage, not one for each second of it."""
    refused = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9)")

    async def main(clock):
        patience, told = patience_of(clock, wait_s=300.0), []
        watching = asyncio.create_task(patience.watch(lambda line: told.append((clock() - 1_000, line))))
        await asyncio.sleep(10)
        for model in ("groq:small", "groq:large"):
            patience.circuits.of(model).record(refused)
        await asyncio.sleep(100)
        for model in ("groq:small", "groq:large"):
            patience.circuits.of(model).record()
        await asyncio.sleep(1)
        watching.cancel()
        return told

    told = virtual(main)

    assert [line for _, line in told] == [
        "groq: connection refused, trying again, 2 s of 300 s",
        "groq: connection refused, trying again, 62 s of 300 s",
        "groq: it answers again",
    ]
    assert told[0][0] < 15


def test_a_hiccup_is_not_worth_a_word(virtual, failure):
    """One failure among answers says nothing."""

    async def main(clock):
        patience, told = patience_of(clock), []
        watching = asyncio.create_task(patience.watch(told.append))
        for _ in range(20):
            patience.circuits.of("groq:m").record(failure("no", 503))
            await asyncio.sleep(1)
            patience.circuits.of("groq:m").record()
        watching.cancel()
        return told

    assert virtual(main) == []


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "--json", ""])
def test_an_impossible_wait_is_refused_with_the_possible_ones(text):
    """`--wait` without a number meets the next option: it is said what to write."""
    with pytest.raises(SettingError, match="seconds from 0 up, such as 600, or `forever`"):
        read_wait_s(text)
