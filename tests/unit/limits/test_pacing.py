"""How the limiter paces calls, told nothing beforehand; a simulated provider counts."""

from __future__ import annotations

import asyncio
import random

import pytest

from cupel.errors import ProviderLimitError, SettingError
from cupel.limits.buckets import Limits
from cupel.limits.limiter import Limiter

WALL = 1_900_000_000.0


def limiter_of(clock, **settings):
    return Limiter(monotonic=clock, wall=lambda: WALL + clock(), **settings)


@pytest.mark.parametrize("late_headers", [True, False], ids=["counted on reply", "counted on arrival"])
@pytest.mark.parametrize(
    ("dialect", "limits", "most_refused"),
    [
        pytest.param("openai", {"rpm": 30}, 0, id="openai"),
        pytest.param("groq", {"rpm": 30, "rpd": 14_400}, 1, id="groq shows only requests per day"),
        pytest.param("groq", {"rpm": 30, "rpd": 14_400, "tpm": 40_000}, 1, id="groq with tokens"),
        pytest.param("openrouter", {"rpm": 30}, 0, id="openrouter"),
    ],
)
def test_45_documents_through_30_requests_a_minute_take_30_seconds(
    *, virtual, provider, work, dialect, limits, most_refused, late_headers
):
    """The floor of a leaky bucket is 15 × 2 s; nothing is lost, and at most one call asks in vain."""

    async def main(clock):
        server = provider(clock, limits, dialect, late_headers=late_headers)
        answers, wall = await work(
            limiter_of(clock), server, f"{dialect}:m", 45, tokens=800, reserved=800, used=700
        )
        return sorted(answers), wall, server.refused

    answers, wall, refused = virtual(main)

    assert answers == list(range(45))
    assert refused <= most_refused
    assert 30.0 <= wall <= 30.0 * 1.04


@pytest.mark.parametrize("dialect", ["openai", "groq"])
@pytest.mark.parametrize(
    ("limits", "floor"),
    [
        pytest.param({"tpm": 20_000}, (44 * 600 + 900 - 20_000) / 20_000 * 60, id="tokens bind"),
        pytest.param({"rpm": 30, "tpm": 20_000}, 30.0, id="both bind"),
    ],
)
def test_tokens_a_minute_pace_as_requests_do(*, virtual, provider, work, dialect, limits, floor):
    """Tokens are charged as prompt and output limit together, and settled to what was used."""

    async def main(clock):
        server = provider(clock, limits, dialect)
        answers, wall = await work(
            limiter_of(clock), server, f"{dialect}:m", 45, tokens=900, reserved=900, used=600
        )
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert answered == 45
    assert refused <= 1
    assert wall <= floor * 1.06


def test_an_estimate_half_of_what_the_provider_counts_is_corrected_by_the_first_refusal(
    virtual, provider, work
):
    """A 429 names what was requested; later calls are charged so much more."""

    async def main(clock):
        server = provider(clock, {"tpm": 20_000}, late_headers=False)
        answers, wall = await work(
            limiter_of(clock), server, "openai:m", 60, tokens=450, reserved=900, used=900
        )
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert answered == 60
    assert refused <= 12
    assert wall <= (60 * 900 - 20_000) / 20_000 * 60 * 1.1


def test_an_output_limit_counted_beforehand_is_learnt_from_one_refusal(virtual, provider, work):
    """We expect a short reply, the provider sets all of the output limit aside: the pace is that of what is used."""

    async def main(clock):
        server = provider(clock, {"tpm": 32_700})
        answers, wall = await work(
            limiter_of(clock), server, "openai:m", 45, tokens=1_100, most=4_950, reserved=4_950, used=1_000
        )
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert answered == 45
    assert refused <= 3
    assert wall <= (44 * 1_000 + 4_950 - 32_700) / 32_700 * 60 * 1.06


def test_travel_times_that_vary_do_not_run_into_the_limit(virtual, provider, work):
    """The provider counts a call when it arrives, which the pacing leaves room for."""
    noise = random.Random(7)

    async def main(clock):
        server = provider(clock, {"rpm": 30}, travel_s=lambda number: noise.uniform(0.005, 0.18))
        answers, wall = await work(limiter_of(clock), server, "openai:m", 45)
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert (answered, refused) == (45, 0)
    assert wall <= 30.0 * 1.04


def test_another_user_of_the_same_key_is_made_room_for(virtual, provider, work):
    """Headers that show more use than our own raise our count; nothing is lost."""

    async def main(clock):
        server = provider(clock, {"rpm": 60})

        async def stranger():
            for _ in range(20):
                await asyncio.sleep(2.0)
                server.buckets["rpm"].leak(clock())
                server.buckets["rpm"].level = min(60.0, server.buckets["rpm"].level + 1)

        other = asyncio.create_task(stranger())
        answers, wall = await work(limiter_of(clock), server, "openai:m", 90)
        other.cancel()
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert answered == 90
    assert refused <= 12
    assert wall <= 66


def test_a_provider_without_limits_is_not_slowed(virtual, provider, work):
    """After the first call alone, everyone goes at once: two rounds of latency for 32 documents."""

    async def main(clock):
        answers, wall = await work(limiter_of(clock), provider(clock, {}), "openai:m", 33)
        return len(answers), wall

    answered, wall = virtual(main)

    assert answered == 33
    assert wall == pytest.approx(0.42, abs=0.01)


def test_a_hanging_first_call_holds_the_others_only_for_a_while(virtual):
    """After two seconds two may go, after four seconds four: an unanswered pilot is no lock."""

    async def main(clock):
        limiter, sent = limiter_of(clock), []

        async def one():
            async with limiter.slot("openai:m"):
                sent.append(round(clock() - 1_000, 1))
                await asyncio.sleep(100)

        await asyncio.gather(*(one() for _ in range(8)))
        return sent

    assert virtual(main) == [0.0, 2.0, 4.0, 4.0, 6.0, 6.0, 6.0, 6.0]


def test_without_headers_the_number_in_flight_settles_just_below_what_is_borne(virtual, provider, work):
    """By additive increase and multiplicative decrease a server that bears 8 refuses few of 400 calls."""

    async def main(clock):
        server = provider(clock, {}, "silent", at_once=8)
        answers, wall = await work(limiter_of(clock), server, "local:m", 400)
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert answered == 400
    assert refused <= 60
    assert wall <= 3 * 400 / 8 * 0.21


def test_without_headers_a_rate_limit_loses_nothing(virtual, provider, work):
    """A bare `retry-after` pauses everyone, and fewer and fewer try at once."""

    async def main(clock):
        server = provider(clock, {"rpm": 30}, "silent")
        answers, wall = await work(limiter_of(clock), server, "local:m", 45)
        return len(answers), wall, server.refused

    answered, wall, refused = virtual(main)

    assert answered == 45
    assert refused <= 40
    assert wall <= 45


def test_a_429_holds_everyone_on_that_model_and_nobody_else(virtual, failure):
    """Its `retry-after` is kept by calls that had not been refused; other models go on."""

    async def main(clock):
        limiter = limiter_of(clock, pilot=False)
        with pytest.raises(failure):
            async with limiter.slot("openai:a"):
                raise failure("slow down", 429, {"retry-after": "5"})
        sent = {}

        async def one(model):
            async with limiter.slot(model):
                sent[model] = clock() - 1_000

        await asyncio.gather(one("openai:a"), one("openai:b"))
        return sent

    assert virtual(main) == {"openai:a": pytest.approx(5.0), "openai:b": 0.0}


def test_calls_are_sent_in_the_order_they_came(virtual):
    """First come, first served, also when one gives up while it waits."""

    async def main(clock):
        limiter, order = limiter_of(clock, limits={"*": Limits(rpm=1)}, pilot=False), []

        async def one(name):
            async with limiter.slot("openai:m"):
                order.append((name, round(clock() - 1_000)))

        tasks = [asyncio.create_task(one(name)) for name in "abcd"]
        await asyncio.sleep(1)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert virtual(main) == [("a", 0), ("c", 60), ("d", 120)]


def test_the_smaller_of_the_users_and_the_providers_limit_holds(virtual, provider, work):
    """Ten a minute set, thirty allowed: fifteen calls take thirty seconds."""

    async def main(clock):
        limiter = limiter_of(clock, limits={"openai:m": Limits(rpm=10)})
        answers, wall = await work(limiter, provider(clock, {"rpm": 30}), "openai:m", 15)
        return len(answers), wall, limiter.lanes[0].gauge.limits()

    answered, wall, limits = virtual(main)

    assert answered == 15
    assert 30.0 <= wall <= 32.0
    assert limits == {"rpm": 10}


def test_a_concurrency_set_by_the_user_is_kept(virtual, provider, work):
    """Never are more in flight than allowed, with or without other limits."""

    async def main(clock):
        server = provider(clock, {}, at_once=3)
        await work(limiter_of(clock, limits={"local": Limits(concurrency=3)}), server, "local:m", 30)
        return server.refused

    assert virtual(main) == 0


def test_a_daily_limit_ends_the_run_and_says_when_it_opens(virtual, provider, work):
    """Of twenty a day the 21st call raises with the seconds until one more fits."""

    async def main(clock):
        server = provider(clock, {"rpd": 20}, "groq")
        with pytest.raises(ProviderLimitError, match=r"20 requests per day is reached.*--wait") as raised:
            await work(limiter_of(clock), server, "groq:m", 45)
        await asyncio.sleep(1)
        return raised.value.resets_in_s, len(server.accepted), server.refused

    resets, accepted, refused = virtual(main)

    assert accepted == 20
    assert refused == 0
    assert 4_300 < resets <= 4_320


def test_a_daily_limit_known_only_from_a_refusal_ends_the_run_too(virtual, failure):
    """Tokens per day are in no header; the 429's text names them."""

    async def main(clock):
        limiter = limiter_of(clock)
        text = "Rate limit reached on tokens per day (TPD): Limit 500000, Used 499900, Requested 900. Please try again in 2m18.24s."
        with pytest.raises(failure):
            async with limiter.slot("groq:m", tokens=900):
                raise failure(text, 429, {"retry-after": "139"})
        with pytest.raises(ProviderLimitError) as raised:
            async with limiter.slot("groq:m", tokens=900):
                pass
        return raised.value.resets_in_s

    assert virtual(main) == pytest.approx(138.24, abs=0.1)


def test_what_earlier_processes_sent_counts_against_a_daily_limit_of_the_users_own(virtual):
    """A run that starts again does not get the day's allowance again."""

    async def main(clock):
        limiter = limiter_of(clock, limits={"*": Limits(rpd=100)})
        limiter.count_earlier("openai:m", requests=100, tokens=0)
        async with limiter.slot("openai:m"):
            pass

    with pytest.raises(ProviderLimitError, match="100 requests per day"):
        virtual(main)


def test_openais_small_plans_count_requests_per_day_without_saying_so(virtual):
    """A limit of 200 with one used and a reset in 7m12s is 200 a day."""

    async def main(clock):
        limiter = limiter_of(clock)
        async with limiter.slot("openai:m") as slot:
            headers = {
                "x-ratelimit-limit-requests": "200",
                "x-ratelimit-remaining-requests": "199",
                "x-ratelimit-reset-requests": "7m12s",
            }
            slot.learn(headers, 200)
        return limiter.lanes[0].gauge.limits()

    assert virtual(main)["rpd"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"x-ratelimit-limit-requests": "many"}, id="not a number"),
        pytest.param({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}, id="zero"),
        pytest.param({"x-ratelimit-limit-requests": "-5"}, id="negative"),
        pytest.param({"x-ratelimit-limit-requests": "nan"}, id="nan"),
        pytest.param(
            {"x-ratelimit-limit-requests": "30", "x-ratelimit-remaining-requests": "90"},
            id="more left than there is",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests": "30",
                "x-ratelimit-remaining-requests": "29",
                "x-ratelimit-reset-requests": "soon",
            },
            id="a reset nobody can read",
        ),
        pytest.param({"x-ratelimit-limit": "20", "x-ratelimit-reset": "1"}, id="a reset in 1970"),
    ],
)
def test_malformed_headers_stop_nobody(virtual, headers):
    """Five calls go at once after a reply whose headers make no sense."""

    async def main(clock):
        limiter = limiter_of(clock)
        for _ in range(5):
            async with limiter.slot("openai:m") as slot:
                slot.learn(headers, 200)
        return clock() - 1_000

    assert virtual(main) == 0.0


def test_a_wall_clock_that_is_hours_wrong_does_not_change_the_pace(virtual, provider, work):
    """Resets given as a point in time are checked; pacing itself uses the monotonic clock."""

    async def main(clock):
        limiter = Limiter(monotonic=clock, wall=lambda: WALL + clock() - 9_000 * (clock() % 2))
        server = provider(clock, {"rpm": 30}, "openrouter")
        answers, wall = await work(limiter, server, "openrouter:m", 45)
        return len(answers), wall

    answered, wall = virtual(main)

    assert answered == 45
    assert wall <= 45


@pytest.mark.parametrize("jump", [-3_600.0, 3_600.0], ids=["back", "ahead"])
def test_a_monotonic_clock_that_jumps_neither_hangs_nor_crashes(virtual, provider, work, jump):
    """A pause is never longer than it was at first; a leak is never negative."""

    async def main(clock):
        limiter = Limiter(
            monotonic=lambda: clock() + (jump if clock() > 1_010 else 0.0), wall=lambda: WALL + clock()
        )
        answers, wall = await work(limiter, provider(clock, {"rpm": 30}), "openai:m", 45)
        return len(answers), wall

    answered, wall = virtual(main)

    assert answered == 45
    assert wall <= 65


def test_a_cancelled_call_leaves_no_trace_in_the_count(virtual):
    """Cancelled while it waits or while it runs, its place is free again."""

    async def main(clock):
        limiter = limiter_of(clock, limits={"*": Limits(concurrency=1)}, pilot=False)

        async def one():
            async with limiter.slot("openai:m"):
                await asyncio.sleep(10)

        first, second = asyncio.create_task(one()), asyncio.create_task(one())
        await asyncio.sleep(1)
        second.cancel()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        async with limiter.slot("openai:m"):
            return clock() - 1_000

    assert virtual(main) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"rpm": 0}, "rpm=0: a number above 0", id="zero"),
        pytest.param({"tpm": -5}, "tpm=-5", id="negative"),
        pytest.param({"rpd": float("nan")}, "rpd=nan", id="not a number"),
        pytest.param({"rpm": True}, "rpm=True", id="a truth value"),
        pytest.param({"rpm": 0.5}, "at least 1", id="less than one request"),
        pytest.param({"concurrency": 2.5}, "whole number", id="half a call"),
        pytest.param({"rps": 3}, "unknown 'rps'; known are rpm, tpm, rpd, tpd, concurrency", id="unknown"),
        pytest.param({"rpm": "30"}, "rpm='30'", id="text"),
    ],
)
def test_absurd_limits_are_refused_with_the_model_and_the_field(settings, message):
    """The message says which setting of which model, and what would be valid."""
    with pytest.raises(SettingError, match="limits of groq") as raised:
        Limits.of(settings, model="groq")

    assert message in str(raised.value)


def test_limits_that_are_no_limits_are_refused():
    """A bare dict is a likely mistake."""
    with pytest.raises(SettingError, match=r"Limits\.of"):
        Limiter(limits={"groq": {"rpm": 30}})


def test_a_lane_knows_what_was_sent_and_refused(virtual, provider, work):
    """A lane counts its calls and knows the limits in force."""

    async def main(clock):
        limiter = limiter_of(clock)
        await work(limiter, provider(clock, {"rpm": 30}), "openai:m", 45)
        return limiter.lanes

    (lane,) = virtual(main)

    assert (lane.gauge.model, lane.gauge.requests, lane.gauge.rejected) == ("openai:m", 45, 0)
    assert lane.gauge.limits() == {"rpm": 30.0}
