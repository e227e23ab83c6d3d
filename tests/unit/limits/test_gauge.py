"""Our own count of a provider's limits, and how replies correct it."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from cupel.errors import ProviderLimitError
from cupel.limits.buckets import Limits
from cupel.limits.gauge import Gauge
from cupel.limits.headers import DAY_S, MINUTE_S, Reading
from cupel.limits.lane import Lane
from cupel.limits.limiter import Limiter
from cupel.limits.shared_gate import Turn
from cupel.limits.slot import Slot


def gauge_of(**settings):
    defaults = {"limits": Limits(), "pilot": False, "now": 0.0}
    return Gauge("openai:m", **{**defaults, **settings})


def slot_of(gauge, tokens=0.0):
    return Slot(Lane(gauge, monotonic=time.monotonic, wall=time.time), tokens)


def send(gauge, now, tokens=0.0):
    slot = slot_of(gauge, tokens)
    gauge.charge(slot, now)
    return slot


def end(gauge, slot, now, shown=None, used=None):
    gauge.settle(slot, used, now)
    if shown is not None:
        gauge.observe(shown, slot, now)
    gauge.end(slot)


def refuse(gauge, headers, text, wall=0.0):
    slot = send(gauge, 0.0)
    gauge.take_refusal(slot, headers, text, now=0.0, wall=wall)
    gauge.end(slot)


def requests(level, limit=30.0, period_s=MINUTE_S):
    return Reading("requests", limit, level, period_s)


def test_more_use_than_ours_raises_the_count():
    """Another program on the same key is counted, less what may have leaked since we sent."""
    gauge = gauge_of()
    end(gauge, send(gauge, 0.0), 0.2, requests(1.0))
    end(gauge, send(gauge, 1.0), 1.2, requests(20.0))

    assert gauge.buckets["rpm"].level == pytest.approx(20.0 - 0.2 * 0.5)


def test_less_use_than_ours_lowers_the_count_to_what_the_reply_cannot_have_seen():
    """Alone, the header is exact; with nine others under way, they may all be missing from it."""
    gauge = gauge_of()
    alone = send(gauge, 0.0)
    end(gauge, alone, 0.2, requests(3.0))
    assert gauge.buckets["rpm"].level == pytest.approx(3.0)

    slots = [send(gauge, 0.3) for _ in range(10)]
    end(gauge, slots[0], 0.5, requests(1.0))

    assert gauge.buckets["rpm"].level == pytest.approx(10.0)


def test_room_is_left_for_calls_that_travel_faster_than_the_ones_before():
    """A full bucket is used a round trip later than our own count allows, but an empty one at once."""
    gauge = gauge_of()
    end(gauge, send(gauge, 0.0), 0.4, requests(29.0))
    send(gauge, 0.4)

    assert gauge.delay_s(slot_of(gauge, 0), 0.4, 0.0) == pytest.approx(2.0 + 0.4)
    assert gauge.delay_s(slot_of(gauge, 0), 300.0, 0.0) == 0.0


def test_a_limit_taken_for_one_per_minute_may_turn_out_to_be_daily():
    """Once a reset shows it, the misreading is forgotten."""
    gauge = gauge_of()
    end(gauge, send(gauge, 0.0), 0.2, requests(1.0, limit=200.0))
    end(gauge, send(gauge, 1.0), 1.2, requests(2.0, limit=200.0, period_s=DAY_S))

    assert {kind for kind, bucket in gauge.buckets.items() if not bucket.guess} == {"rpd"}


def test_an_hourly_limit_and_one_per_minute_are_kept_side_by_side():
    """A limit in the headers and another in a refusal do not replace each other."""
    gauge = gauge_of()
    hourly = requests(40.0, limit=500.0, period_s=3_600.0)
    end(gauge, send(gauge, 0.0), 0.2, hourly)
    text = "on requests per minute (RPM): Limit 30, Used 30, Requested 1. Please try again in 2s."
    refuse(gauge, {}, text)
    end(gauge, send(gauge, 5.0), 5.2, hourly)

    assert gauge.limits() == {"rph": 500.0, "rpm": 30.0}


def test_a_supposed_limit_doubles_as_long_as_it_holds(virtual, provider, work):
    """Groq's larger plans allow far more than 30 a minute: 400 calls take a few rounds, not minutes."""

    async def main(clock):
        server = provider(clock, {"rpd": 500_000}, "groq")
        answers, wall = await work(Limiter(monotonic=clock), server, "groq:m", 400, concurrency=64)
        return len(answers), wall

    answered, wall = virtual(main)

    assert answered == 400
    assert wall < 5


def test_a_provider_that_counts_more_than_we_estimate_is_believed():
    """A 429 says it counted 900 for our 450; from then on we count so too."""
    gauge = gauge_of()
    slot = send(gauge, 0.0, tokens=450)
    text = "on tokens per min (TPM): Limit 10000, Used 9800, Requested 900. Please try again in 4.2s."
    gauge.take_refusal(slot, {}, text, now=0.1, wall=0.0)
    gauge.end(slot)

    assert send(gauge, 5.0, tokens=450).charged_tokens == 900


def test_one_odd_estimate_does_not_spoil_all_others():
    """One reply raises what is believed of the next to four times our estimate at most."""
    gauge = gauge_of()
    slot = send(gauge, 0.0, tokens=1)
    text = "on tokens per min (TPM): Limit 10000, Used 9800, Requested 900. Please try again in 4.2s."
    gauge.take_refusal(slot, {}, text, now=0.1, wall=0.0)

    assert send(gauge, 5.0, tokens=450).charged_tokens == 1_800


def test_without_an_estimate_a_call_counts_as_much_as_others_did():
    """A caller that cannot estimate is still paced by tokens."""
    gauge = gauge_of(limits=Limits(tpm=10_000))
    end(gauge, send(gauge, 0.0), 0.2, used=700)

    assert send(gauge, 1.0).charged_tokens == 700


def test_a_refusal_fills_the_named_bucket_to_when_it_says_one_fits():
    """Groq's text is followed to the millisecond."""
    gauge = gauge_of()
    slot = send(gauge, 0.0, tokens=1_443)
    text = "on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443. Please try again in 4.77s."
    gauge.take_refusal(slot, {"retry-after": "5"}, text, now=0.1, wall=0.0)
    gauge.end(slot)

    assert gauge.delay_s(slot_of(gauge, 1_443), 0.1, 0.0) == pytest.approx(4.77)


def test_a_request_larger_than_the_limit_holds_nobody_else_back():
    """A request that is too large concerns its own document alone."""
    gauge = gauge_of()
    slot = send(gauge, 0.0, tokens=9_000)
    gauge.take_refusal(slot, {}, "on tokens per min (TPM): Limit 6000, Requested 9000", now=0.1, wall=0.0)

    assert gauge.delay_s(slot_of(gauge, 500), 0.1, 0.0) == 0.0


def test_a_wait_of_an_hour_is_a_daily_limit_whatever_it_is_called():
    """A run does not sit still for an hour without saying so."""
    gauge = gauge_of()
    refuse(gauge, {"retry-after": "3000"}, "slow down", wall=0.0)

    with pytest.raises(ProviderLimitError, match="0:50:00") as raised:
        gauge.delay_s(slot_of(gauge, 0), 0.0, 0.0)
    assert raised.value.resets_in_s == pytest.approx(3_000)


def test_an_absurd_wait_is_not_believed():
    """A retry-after of thirty thousand years breaks no date."""
    gauge = gauge_of()
    refuse(gauge, {"retry-after": "1e12"}, "slow down", wall=1.9e9)

    with pytest.raises(ProviderLimitError, match="7 days"):
        gauge.delay_s(slot_of(gauge, 0), 0.0, 1.9e9)


def test_two_waits_that_contradict_each_other_mean_the_longer():
    """The text's decimals count where the header is the same wait rounded up."""
    gauge = gauge_of()
    refuse(gauge, {"retry-after": "20"}, "try again in 3s.", wall=0.0)

    assert gauge.delay_s(slot_of(gauge, 0), 0.0, 0.0) == 20.0


def test_a_supposed_limit_is_not_imposed_on_other_processes(virtual):
    """A shared gate is asked only for limits that are known."""

    class Line:
        kinds = ()

        async def reserve(self, lane, charges):
            self.kinds = [charge.kind for charge in charges]
            return Turn(0.0)

        def give_back(self, lane, charges):
            pass

    async def main(clock):
        line = Line()
        limiter = Limiter(monotonic=clock, shared=line)
        headers = {"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14399"}
        for _ in range(2):
            async with limiter.slot("groq:m") as slot:
                slot.learn(headers, 200)
        return line.kinds

    assert virtual(main) == ["rpd"]


def test_a_call_cancelled_at_the_moment_its_turn_comes_is_not_counted(virtual):
    """Its place goes to the next one."""

    async def main(clock):
        limiter = Limiter(limits={"*": Limits(concurrency=1)}, pilot=False, monotonic=clock)
        entered = []

        async def one(name):
            async with limiter.slot("openai:m"):
                entered.append((name, clock() - 1_000))

        first = limiter.slot("openai:m")
        await first.__aenter__()
        second, third = asyncio.create_task(one("second")), asyncio.create_task(one("third"))
        await asyncio.sleep(1)
        await first.__aexit__(None, None, None)
        second.cancel()
        await asyncio.gather(second, third, return_exceptions=True)
        return entered, limiter.lanes[0].gauge.requests

    assert virtual(main) == ([("third", 1.0)], 2)


def test_a_large_call_that_gives_up_lets_a_small_one_behind_it_go(virtual):
    """Nobody waits for someone who has left."""

    async def main(clock):
        limiter = Limiter(limits={"*": Limits(tpm=1_000)}, pilot=False, monotonic=clock)

        async def one(tokens):
            async with limiter.slot("openai:m", tokens=tokens):
                return clock() - 1_000

        await one(500)
        large, small = asyncio.create_task(one(1_000)), asyncio.create_task(one(300))
        await asyncio.sleep(1)
        large.cancel()
        return await small

    assert virtual(main) == pytest.approx(1.0)


_SHOWN = {"X-RateLimit-Limit-Requests": "60", "X-RateLimit-Remaining-Requests": "59"}


@pytest.mark.parametrize(
    "headers",
    [_SHOWN, httpx.Headers(_SHOWN), CIMultiDictProxy(CIMultiDict(_SHOWN))],
    ids=["dict", "httpx", "aiohttp"],
)
def test_headers_are_read_in_any_case_from_any_client(virtual, headers):
    """A plain dict may have kept the provider's capitals."""

    async def main(clock):
        limiter = Limiter(monotonic=clock)
        async with limiter.slot("openai:m") as slot:
            slot.learn(headers, 200)
        return limiter.lanes[0].gauge.limits()

    assert virtual(main) == {"rpm": 60.0}
