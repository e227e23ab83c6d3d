"""The retry loop: what is tried again, how long it waits, when it ends."""

from __future__ import annotations

import asyncio
import random

import pytest

from cupel.errors import (
    BadRequestError,
    CircuitOpenError,
    ProviderLimitError,
    ProviderOutageError,
    ProviderRefusedError,
    SettingError,
)
from cupel.limits.buckets import Limits
from cupel.limits.circuit import Circuit
from cupel.limits.limiter import Limiter
from cupel.limits.retries import RetryPolicy, with_retries


class Script:
    """Answers with each of its steps in turn; an exception is raised, a number is slept."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.calls = 0

    async def __call__(self, slot):
        self.calls += 1
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)
        return "answer"


def largest(low, high):
    return high


def test_a_failure_that_passes_is_tried_again_with_growing_waits(virtual, failure):
    """Each wait is drawn up to twice the last: 0.5, 1, 2 seconds at most."""
    script, waits = Script(*[failure("overloaded", 503)] * 3, "ok"), []

    async def main(clock):
        answer = await with_retries(
            script, policy=RetryPolicy(), uniform=largest, on_retry=lambda retry: waits.append(retry.wait_s)
        )
        return answer, clock() - 1_000

    assert virtual(main) == ("answer", pytest.approx(3.5))
    assert waits == [0.5, 1.0, 2.0]


def test_the_jitter_is_full(virtual, failure):
    """Waits are anywhere between nothing and the bound, so that callers spread."""
    waits = []

    async def main(clock):
        for seed in range(200):
            await with_retries(
                Script(failure("no", 500), "ok"),
                policy=RetryPolicy(base_s=1.0),
                uniform=random.Random(seed).uniform,
                on_retry=lambda retry: waits.append(retry.wait_s),
            )

    virtual(main)

    assert min(waits) < 0.1
    assert max(waits) > 0.9
    assert 0.4 < sum(waits) / len(waits) < 0.6


@pytest.mark.parametrize(
    ("headers", "least"),
    [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "2500", "retry-after": "3"}, 2.5)],
    ids=["seconds", "milliseconds"],
)
def test_a_retry_after_is_honoured(virtual, failure, headers, least):
    """It is kept however short the drawn wait is."""

    async def main(clock):
        await with_retries(
            Script(failure("no", 503, headers), "ok"), policy=RetryPolicy(), uniform=lambda low, high: 0.0
        )
        return clock() - 1_000

    assert virtual(main) == pytest.approx(least)


@pytest.mark.parametrize(
    ("status", "text", "raised"),
    [
        (400, "too long", BadRequestError),
        (422, "no", BadRequestError),
        (401, "key", ProviderRefusedError),
        (404, "model", ProviderRefusedError),
        (429, "requests per day (RPD): Limit 5", ProviderLimitError),
    ],
)
def test_what_cannot_pass_is_tried_once(virtual, failure, status, text, raised):
    """A 400 or 401 is tried once; LangGraph's own predicate would repeat it."""
    script = Script(failure(text, status), "never reached")

    async def main(clock):
        with pytest.raises(raised, match="openai:m") as caught:
            await with_retries(script, policy=RetryPolicy(), model="openai:m")
        return caught.value.__cause__

    assert virtual(main).status_code == status
    assert script.calls == 1


def test_a_bug_in_the_caller_comes_out_as_it_is(virtual):
    """A bug is not tried again and keeps its name."""
    script = Script(KeyError("field"))

    async def main(clock):
        with pytest.raises(KeyError):
            await with_retries(script, policy=RetryPolicy())

    virtual(main)

    assert script.calls == 1


def test_a_poisoned_document_ends_after_its_tries_with_the_reason(virtual, failure):
    """The last failure is named, with its status."""
    script = Script(*[failure("the model crashed", 500)] * 9)

    async def main(clock):
        with pytest.raises(
            ProviderOutageError, match=r"groq:m: still failing after 4 tries .* 500: the model crashed"
        ) as e:
            await with_retries(script, policy=RetryPolicy(max_attempts=4), model="groq:m")
        return e.value.status

    assert virtual(main) == 500
    assert script.calls == 4


def test_a_hung_connection_is_cut_and_tried_again(virtual):
    """Each try has its own time."""

    async def main(clock):
        await with_retries(Script(9_999.0, 1.0), policy=RetryPolicy(attempt_timeout_s=30), uniform=largest)
        return clock() - 1_000

    assert virtual(main) == pytest.approx(31.5)


def test_the_total_time_bounds_all_tries(virtual):
    """A connection that always hangs ends, however many tries are left."""

    async def main(clock):
        with pytest.raises(ProviderOutageError):
            await with_retries(
                Script(*[9_999.0] * 9),
                policy=RetryPolicy(attempt_timeout_s=40, total_timeout_s=100, max_attempts=9),
            )
        return clock() - 1_000

    assert virtual(main) <= 100.1


def test_a_retry_after_longer_than_the_total_gives_up_at_once(virtual, failure):
    """Nobody sleeps for what cannot succeed."""

    async def main(clock):
        with pytest.raises(ProviderOutageError):
            await with_retries(Script(failure("no", 503, {"retry-after": "4000"})), policy=RetryPolicy())
        return clock() - 1_000

    assert virtual(main) == 0.0


def test_waiting_for_its_turn_counts_against_no_timeout(virtual):
    """A call that waits ten minutes at the limiter still has its whole time."""

    async def main(clock):
        limiter = Limiter(limits={"*": Limits(rpm=1)}, pilot=False, monotonic=clock)
        policy = RetryPolicy(attempt_timeout_s=5, total_timeout_s=5)
        calls = [
            with_retries(Script(1.0), policy=policy, slot=lambda: limiter.slot("openai:m")) for _ in range(11)
        ]
        return await asyncio.gather(*calls), clock() - 1_000

    answers, wall = virtual(main)

    assert answers == ["answer"] * 11
    assert wall > 600


def test_a_429_is_waited_for_at_the_limiter_and_uses_up_no_try(virtual, failure):
    """Six refusals in a row with two tries allowed: the answer still comes."""
    refusals = [failure("slow down", 429, {"retry-after": "2"})] * 6

    async def main(clock):
        limiter = Limiter(monotonic=clock)
        await with_retries(
            Script(*refusals, "ok"),
            policy=RetryPolicy(max_attempts=2),
            slot=lambda: limiter.slot("openai:m"),
        )
        return clock() - 1_000, limiter.lanes[0].gauge.rejected

    assert virtual(main) == (pytest.approx(12.0), 6)


def test_an_error_inside_a_reply_is_learnt_from_although_the_reply_said_200(virtual, failure):
    """OpenRouter's 429 in a body pauses everyone like any other."""

    async def main(clock):
        limiter, calls = Limiter(monotonic=clock), []

        async def call(slot):
            calls.append(clock() - 1_000)
            slot.learn({}, 200)
            if len(calls) == 1:
                raise failure("slow down, retry in 4s", 429)
            return "answer"

        await with_retries(call, policy=RetryPolicy(), slot=lambda: limiter.slot("openrouter:m"))
        return calls

    assert virtual(main) == [0.0, pytest.approx(4.0)]


def test_an_open_circuit_is_waited_for_within_the_total(virtual, failure):
    """Without a fallback, a short outage costs time and no document."""

    async def main(clock):
        circuit = Circuit("openai:m", failures=3, rest_s=15, monotonic=clock)
        script = Script(*[failure("down", 503)] * 3, "ok")
        await with_retries(script, policy=RetryPolicy(), circuit=circuit, uniform=largest)
        return clock() - 1_000, circuit.state

    wall, state = virtual(main)

    assert state == "closed"
    assert 15 < wall < 25


def test_an_open_circuit_is_raised_for_a_fallback_to_take_over(virtual, failure):
    """With one configured, nobody waits, and the limiter counts no call."""

    async def main(clock):
        circuit = Circuit("openai:m", failures=1, monotonic=clock)
        limiter = Limiter(monotonic=clock)
        policy = RetryPolicy(max_attempts=1, waits_for_circuit=False)
        with pytest.raises(ProviderOutageError):
            await with_retries(Script(failure("down", 503)), policy=policy, circuit=circuit)
        with pytest.raises(CircuitOpenError, match="openai:m: failed 1 times in a row"):
            await with_retries(
                Script(),
                policy=policy,
                circuit=circuit,
                slot=lambda: limiter.slot("openai:m"),
                model="openai:m",
            )
        return clock() - 1_000, limiter.lanes[0].gauge.requests

    assert virtual(main) == (0.0, 0)


def test_a_cancelled_call_is_not_tried_again(virtual):
    """Ctrl-C ends it at once."""
    script = Script(100.0, "never")

    async def main(clock):
        task = asyncio.create_task(with_retries(script, policy=RetryPolicy()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual(main)

    assert script.calls == 1


@pytest.mark.parametrize(
    "settings",
    [{"max_attempts": 0}, {"attempt_timeout_s": 0}, {"total_timeout_s": -1}, {"base_s": float("nan")}],
    ids=str,
)
def test_impossible_policies_are_refused(settings):
    """The message names the setting."""
    with pytest.raises(SettingError, match=next(iter(settings))):
        RetryPolicy(**settings)
