"""Reading what replies say about limits."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, strategies as st

from cupel.limits.headers import Reading, duration_s, readings, rejection, retry_after_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2m59.56s", 179.56),
        ("6ms", 0.006),
        ("7.66s", 7.66),
        ("1h0m3s", 3_603.0),
        ("1d", 86_400.0),
        ("12", 12.0),
        (" 1S ", 1.0),
        ("", None),
        ("soon", None),
        ("5 apples", None),
        ("-3", None),
        ("inf", None),
    ],
)
def test_durations_are_read_as_providers_write_them(text, seconds):
    """Go's form, bare seconds, and nothing for what is neither."""
    assert duration_s(text) == seconds


def test_openai_counts_both_per_minute():
    """Requests and tokens are counted, each with its level from the reset."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149000",
        "x-ratelimit-reset-tokens": "400ms",
    }

    assert readings(headers, provider="openai", now=0) == [
        Reading("requests", 60, 1.0, 60.0),
        Reading("tokens", 150_000, pytest.approx(1_000), 60.0),
    ]


def test_groq_counts_requests_per_day_and_tokens_per_minute():
    """The example of Groq's documentation is read as it says."""
    headers = {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-limit-tokens": "18000",
        "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-remaining-tokens": "17997",
        "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-reset-tokens": "7.66ms",
    }
    requests, tokens = readings(headers, provider="groq", now=0)

    assert (requests.limit, requests.period_s) == (14_400, 86_400)
    assert (tokens.limit, tokens.period_s) == (18_000, 60)


def test_openrouter_resets_at_a_point_in_time():
    """Epoch milliseconds, against the reply's own date when it has one."""
    now = 1_900_000_000.0
    headers = {
        "x-ratelimit-limit": "20",
        "x-ratelimit-remaining": "10",
        "x-ratelimit-reset": str(int((now + 30) * 1000)),
        "date": format_datetime(datetime.fromtimestamp(now, UTC), usegmt=True),
    }
    hours_wrong = now - 9_000

    assert readings(headers, provider="openrouter", now=hours_wrong) == [Reading("requests", 20, 10.0, 60.0)]


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "provider", "period"),
    [
        pytest.param("200", "199", "7m12s", "openai", 86_400, id="openai's small plan counts per day"),
        pytest.param("30", "20", "20s", "groq", 60, id="a groq model counted per minute"),
        pytest.param("30", "0", "6s", "openai", 6, id="a period of six seconds"),
        pytest.param("1000", "900", "6m", "openai", 3_600, id="an hourly limit"),
        pytest.param("30", "30", "0s", "openai", 60, id="nothing used: the usual period"),
        pytest.param("30", "29", "", "groq", 86_400, id="no reset: the usual period"),
    ],
)
def test_the_period_is_what_explains_the_reset(limit, remaining, reset, provider, period):
    """A full limit empties in limit × reset ÷ used."""
    headers = {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": remaining,
        "x-ratelimit-reset-requests": reset,
    }

    assert readings(headers, provider=provider, now=0)[0].period_s == pytest.approx(period)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "2", "retry-after-ms": "1588"}, 1.588),
        ({"retry-after": "Mon, 01 Jan 2029 00:01:00 GMT", "date": "Mon, 01 Jan 2029 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 01 Jan 2001 00:01:00 GMT"}, 0.0),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers, seconds):
    """Milliseconds are read before seconds, and a date against the reply's own."""
    assert retry_after_s(headers, now=1_900_000_000.0) == seconds


@pytest.mark.parametrize(
    ("text", "unit", "period", "limit", "requested", "wait"),
    [
        pytest.param(
            "Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): Limit 10,000, Used 8554, "
            "Requested 3082. Please try again in 9.816s. Visit https://platform.openai.com/account/rate-limits",
            "tokens", 60, 10_000, 3_082, 9.816, id="openai tokens",
        ),
        pytest.param(
            "Rate limit reached for default-gpt-3.5-turbo in organization org-x on requests per min. Limit: 3 / min. "
            "Please try again in 20s.",
            "requests", 60, 3, None, 20, id="openai's older form",
        ),
        pytest.param(
            "Rate limit reached for model `llama` in organization `o` on requests per day (RPD): Limit 1000, "
            "Used 1000, Requested 1. Please try again in 1m26.4s. Need more tokens?",
            "requests", 86_400, 1_000, 1, 86.4, id="groq per day",
        ),
        pytest.param("Please retry in 34.07s.", None, None, None, None, 34.07, id="a wait alone"),
        pytest.param("Too many requests", None, None, None, None, None, id="nothing"),
    ],
)  # fmt: skip
def test_the_text_of_a_429_names_the_limit(*, text, unit, period, limit, requested, wait):
    """Each provider's words are read as far as they go."""
    said = rejection(text)

    assert (said.unit, said.period_s, said.limit, said.requested, said.wait_s) == (
        unit, period, limit, requested, wait,
    )  # fmt: skip


def test_a_daily_limit_is_not_believed_before_something_of_it_is_used():
    """A header that shows 30 of 30 left may count per minute: it would end the run a few calls later."""
    headers = {"x-ratelimit-limit-requests": "30", "x-ratelimit-remaining-requests": "30"}

    assert readings(headers, provider="groq", now=0) == []
    assert readings(headers, provider="openai", now=0) == [Reading("requests", 30, 0.0, 60.0)]


def test_a_request_larger_than_the_limit_never_fits():
    """Waiting cannot help it."""
    text = "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7200"

    assert rejection(text).never_fits
    assert not rejection(text.replace("7200", "6000")).never_fits


_NAMES = [
    f"x-ratelimit-{part}{unit}"
    for part in ("limit", "remaining", "reset")
    for unit in ("", "-requests", "-tokens")
] + ["retry-after", "retry-after-ms", "date"]


@given(st.dictionaries(st.sampled_from(_NAMES), st.text(max_size=12) | st.floats().map(str)), st.text())
def test_no_header_and_no_text_makes_reading_fail(headers, text):
    """Whatever a provider sends, what cannot be read is left out and what is read is usable."""
    rejection(text)
    wait = retry_after_s(headers, now=1.9e9)
    shown = readings(headers, provider="openai", now=1.9e9)

    assert wait is None or wait >= 0
    assert all(r.limit > 0 and r.level >= 0 and r.period_s > 0 for r in shown)
