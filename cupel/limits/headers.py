"""What a provider's reply says about its limits: header dialects, waits, and the text of a 429.

Three dialects are in use. Groq's `x-ratelimit-limit-requests` counts requests per *day* and its `-tokens` per
minute; OpenAI counts both per minute, and per day on small plans, without saying which; OpenRouter has one
`x-ratelimit-limit` with a reset in epoch milliseconds. All were seen to leak rather than to reset at once:
the time until a limit is empty again grows with what was used, so `limit × reset ÷ used` tells the period.

Nothing here raises: what cannot be read is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

Unit = Literal["requests", "tokens"]

MINUTE_S = 60.0
HOUR_S = 3_600.0
DAY_S = 86_400.0

_UNITS: tuple[Unit, ...] = ("requests", "tokens")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": MINUTE_S, "h": HOUR_S, "d": DAY_S}
_DURATION = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)(ms|s|m|h|d)")
_PER = re.compile(r"\b(requests?|tokens?)\s+per\s+(min|hour|day)", re.IGNORECASE)
_AGAIN = re.compile(
    r"(?:try again|retry) in\s+([\d.]+(?:ms|s|m|h|d)(?:[\d.]+(?:ms|s|m|h|d))*)", re.IGNORECASE
)
_AMOUNT = r"\b{}:?\s*([\d][\d,]*(?:\.\d+)?)"
_LIMIT, _USED, _REQUESTED = (
    re.compile(_AMOUNT.format(word), re.IGNORECASE) for word in ("limit", "used", "requested")
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One limit as a reply's headers show it.

    Args:
        unit: What is counted.
        limit: How much fits at once; above 0.
        level: How much of it was used when the reply was written.
        period_s: Seconds in which a full limit empties.
    """

    unit: Unit
    limit: float
    level: float
    period_s: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """What the text of a 429 says, as far as it says it.

    Args:
        unit: What was counted, where the text names it.
        period_s: The period of the limit, where the text names it.
        limit: The limit itself.
        used: How much of it was used.
        requested: What this one request asked for.
        wait_s: Seconds until one such request fits.
    """

    unit: Unit | None = None
    period_s: float | None = None
    limit: float | None = None
    used: float | None = None
    requested: float | None = None
    wait_s: float | None = None

    @property
    def never_fits(self) -> bool:
        """Whether this request is larger than the whole limit, so that waiting cannot help."""
        return self.limit is not None and self.requested is not None and self.requested > self.limit

    def leaks_in_s(self, wait_s: float) -> float:
        """Seconds in which the limit empties: the period it names, or a much shorter one if the wait shows that.

        >>> Rejection("requests", 60.0, limit=30.0, used=30.0, requested=1.0).leaks_in_s(2.0)
        60.0
        >>> Rejection("requests", 60.0, limit=30.0, used=30.0, requested=1.0).leaks_in_s(0.2)
        6.0
        """
        named = self.period_s or MINUTE_S
        if not (self.limit and self.used and wait_s > 0):
            return named
        over = self.used + (self.requested or 1.0) - self.limit
        shown = self.limit * wait_s / over if over >= 1.0 else named
        return shown if shown < named / 3 else named


def duration_s(text: str) -> float | None:
    """Seconds in a Go-style duration, or in a bare number of seconds.

    >>> [duration_s(t) for t in ("2m59.56s", "6ms", "7.66s", "1h2m", "12", "soon")]
    [179.56, 0.006, 7.66, 3720.0, 12.0, None]
    """
    text = text.strip().lower()
    number = _number(text)
    if number is not None:
        return number
    parts = _DURATION.findall(text)
    if not parts or "".join(value + unit for value, unit in parts) != text:
        return None
    return sum(float(value) * _SECONDS[unit] for value, unit in parts)


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds a reply asks to wait: `retry-after-ms`, else `retry-after` as seconds or as a date.

    Args:
        headers: The reply's headers, names in lower case unless the mapping ignores case.
        now: The wall clock in epoch seconds, used only where the reply does not carry its own `date`.

    >>> retry_after_s({"retry-after": "2", "retry-after-ms": "1970"}, now=0.0)
    1.97
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1_000
    text = headers.get("retry-after", "")
    seconds = duration_s(text)
    if seconds is None and (at := _date(text)) is not None:
        seconds = max(0.0, at - (_date(headers.get("date", "")) or now))
    return seconds


def rejection(text: str) -> Rejection:
    """Read the text of a 429; the arithmetic of Groq's and OpenAI's texts is exact.

    >>> rejection("Rate limit reached on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443. "
    ...           "Please try again in 4.77s.")
    Rejection(unit='tokens', period_s=60.0, limit=6000.0, used=5034.0, requested=1443.0, wait_s=4.77)
    """
    named = _PER.search(text)
    again = _AGAIN.search(text)
    if named is None:
        return Rejection(wait_s=duration_s(again[1]) if again else None)
    return Rejection(
        unit="tokens" if named[1].lower().startswith("token") else "requests",
        period_s={"min": MINUTE_S, "hour": HOUR_S, "day": DAY_S}[named[2].lower()],
        limit=_amount(_LIMIT, text),
        used=_amount(_USED, text),
        requested=_amount(_REQUESTED, text),
        wait_s=duration_s(again[1]) if again else None,
    )


def says_daily(text: str) -> bool:
    """Whether the text of a refusal means a daily limit or spent credit.

    >>> says_daily("Rate limit reached on tokens per day (TPD): Limit 500000"), says_daily("per minute")
    (True, False)
    """
    low = text.lower()
    return any(words in low for words in ("per day", "per-day", "perday", "daily", "insufficient_quota"))


def readings(headers: Mapping[str, str], *, provider: str, now: float) -> list[Reading]:
    """Every limit the headers show; empty where they show none that makes sense.

    Args:
        headers: The reply's headers, names in lower case unless the mapping ignores case.
        provider: The part of a model id before the colon; decides what a bare "requests" means.
        now: The wall clock in epoch seconds, for resets given as a point in time.

    >>> readings({"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370",
    ...           "x-ratelimit-reset-requests": "2m59.56s"}, provider="groq", now=0.0)
    [Reading(unit='requests', limit=14400.0, level=29.926666666666666, period_s=86400.0)]
    """
    shown = []
    for unit in _UNITS:
        limit = _number(headers.get(f"x-ratelimit-limit-{unit}", ""))
        if limit:
            left = _number(headers.get(f"x-ratelimit-remaining-{unit}", ""))
            reset = duration_s(headers.get(f"x-ratelimit-reset-{unit}", ""))
            daily = provider == "groq" and unit == "requests"
            # a daily limit is a serious thing: not believed before something of it is used
            if not daily or left != limit:
                shown.append(_reading(unit, limit, left, reset, DAY_S if daily else MINUTE_S))
    if not shown and (limit := _number(headers.get("x-ratelimit-limit", ""))):
        left = _number(headers.get("x-ratelimit-remaining", ""))
        shown.append(_reading("requests", limit, left, _until(headers, now), MINUTE_S))
    return shown


def _reading(unit: Unit, limit: float, left: float | None, reset: float | None, usual: float) -> Reading:
    used = max(0.0, limit - left) if left is not None else 0.0
    period = _period(limit, used, reset, usual)
    if reset is None or not used:
        return Reading(unit, limit, used, period)
    # "remaining" is a whole number; the reset says where between two of them the level is
    level = reset * limit / period
    upper = 2 * limit if not left else used
    return Reading(unit, limit, min(max(level, used - 1.0), upper), period)


def _period(limit: float, used: float, reset: float | None, usual: float) -> float:
    """The period that explains the reset, the dialect's usual one where both would.

    A limit that resets at once instead of leaking gives a wrong answer while little of it is used, when the
    answer does not matter yet, and one not longer than its own period when it is used up.
    """
    if not used or not reset:
        return usual
    shown = limit * reset / used
    nearest = min((MINUTE_S, HOUR_S, DAY_S), key=lambda period: abs(math.log(period / shown)))
    near = 1 / 3 <= shown / nearest <= 3
    if near or used < 5:
        return usual if 1 / 3 <= shown / usual <= 3 else nearest
    return shown


def _until(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until `x-ratelimit-reset`, given in epoch milliseconds, epoch seconds or as a duration."""
    value = duration_s(headers.get("x-ratelimit-reset", ""))
    if value is None or value < 1e9:
        return value
    at = value / 1_000 if value > 1e11 else value
    sent = _date(headers.get("date", ""))
    # without the provider's own clock only the near future is believed: ours may be wrong by hours
    seconds, most = (at - sent, 2 * DAY_S) if sent is not None else (at - now, 2 * MINUTE_S)
    return seconds if 0 <= seconds <= most else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _amount(pattern: re.Pattern[str], text: str) -> float | None:
    match = pattern.search(text)
    return _number(match[1].replace(",", "")) if match else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except (ValueError, TypeError):
        return None
    return value if math.isfinite(value) and value >= 0 else None
