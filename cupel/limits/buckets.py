"""One limit as a leaky bucket, and the limits a person may set.

A bucket of `limit` empties evenly in `period_s`; what does not fit waits `(used + asked - limit) / (limit / period)`
seconds. That reproduces published 429 texts to the millisecond: Groq 5034 + 1443 - 6000 over 100/s is 4.77 s
(elizaOS/eliza issue 4040), OpenAI 8554 + 3082 - 10000 over 166.7/s is 9.816 s (MetaGPT issue 523).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from cupel.errors import SettingError
from cupel.limits.headers import DAY_S, HOUR_S, MINUTE_S, Unit

Kind = Literal["rpm", "tpm", "rph", "tph", "rpd", "tpd"]

KINDS: dict[Kind, tuple[Unit, float, str]] = {
    "rpm": ("requests", MINUTE_S, "requests per minute"),
    "tpm": ("tokens", MINUTE_S, "tokens per minute"),
    "rph": ("requests", HOUR_S, "requests per hour"),
    "tph": ("tokens", HOUR_S, "tokens per hour"),
    "rpd": ("requests", DAY_S, "requests per day"),
    "tpd": ("tokens", DAY_S, "tokens per day"),
}


def kind_of(unit: Unit, period_s: float) -> Kind:
    """The kind of a limit: what refills in six hours or more counts as a daily one.

    >>> kind_of("tokens", 60.0), kind_of("requests", 3_600.0), kind_of("requests", 86_400.0)
    ('tpm', 'rph', 'rpd')
    """
    # a period is often inferred from a reset, so the borders lie well between the three, by factors
    if period_s >= 6 * HOUR_S:
        return "rpd" if unit == "requests" else "tpd"
    if period_s >= HOUR_S / 6:
        return "rph" if unit == "requests" else "tph"
    return "rpm" if unit == "requests" else "tpm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a person allows one model; `None` leaves it to what the provider says.

    Where both are known the smaller one holds.

    Args:
        rpm: Requests per minute.
        tpm: Tokens per minute, prompt and completion together.
        rpd: Requests per day.
        tpd: Tokens per day.
        concurrency: Requests in flight at once.

    Raises:
        SettingError: If one is 0, negative, not finite or not a number.
    """

    rpm: float | None = None
    tpm: float | None = None
    rpd: float | None = None
    tpd: float | None = None
    concurrency: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if self.concurrency is not None and self.concurrency != int(self.concurrency):
            raise SettingError(f"limit concurrency={self.concurrency!r}: a whole number from 1 up")

    @classmethod
    def of(cls, settings: Mapping[str, object], *, model: str) -> Limits:
        """Build from a settings table, naming the model and the field in every error."""
        names = [field.name for field in fields(cls)]
        if unknown := sorted(set(settings) - set(names)):
            raise SettingError(f"limits of {model}: unknown {unknown[0]!r}; known are {', '.join(names)}")
        try:
            return cls(**settings)  # type: ignore[arg-type] # checked in __post_init__
        except SettingError as error:
            raise SettingError(f"limits of {model}: {error}") from None

    def rates(self) -> Iterator[tuple[Unit, float, float]]:
        """Each limit that is set: its unit, how much fits, and the seconds in which that refills."""
        for kind, (unit, period_s, _) in KINDS.items():
            limit = self.of_kind(kind)
            if limit is not None:
                yield unit, limit, period_s

    def of_kind(self, kind: Kind) -> float | None:
        """The limit set for this kind; an hourly one can only be learnt."""
        value: float | None = getattr(self, kind, None)
        return value


def _check(name: str, value: object) -> None:
    if value is None:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value <= 0
    ):
        raise SettingError(
            f"limit {name}={value!r}: a number above 0, or nothing for no limit of your own"
            + (" (to send no request at all, leave the model out of the profile)" if value == 0 else "")
        )
    if name in {"rpm", "rpd", "concurrency"} and value < 1:
        raise SettingError(f"limit {name}={value!r}: at least 1, or no request would ever fit")


class Bucket:
    """A leaky bucket kept beside the provider's own.

    Args:
        limit: How much fits, above 0.
        period_s: Seconds in which a full bucket empties.
        now: The monotonic clock.
        level: How much is in it now.
        guess: Whether the limit is only supposed, so that one call at a time may try to exceed it.
    """

    __slots__ = ("at", "guess", "headroom", "level", "limit", "period_s")

    def __init__(
        self, limit: float, period_s: float, *, now: float, level: float = 0.0, guess: bool = False
    ) -> None:
        self.limit = limit
        self.period_s = period_s
        self.level = level
        self.at = now
        self.guess = guess
        self.headroom = 0.0

    @property
    def rate(self) -> float:
        """What leaks out in a second."""
        return self.limit / self.period_s

    @property
    def daily(self) -> bool:
        """Whether waiting for it is a matter of hours."""
        return self.period_s >= 6 * HOUR_S

    def leak(self, now: float) -> float:
        """Bring the level up to date; a clock that went back leaks nothing."""
        if now > self.at:
            self.level = max(0.0, self.level - (now - self.at) * self.limit / self.period_s)
        self.at = now
        return self.level

    def add(self, amount: float) -> None:
        """Charge, or give back where negative."""
        self.level = max(0.0, self.level + amount)

    def leave_room(self, amount: float) -> None:
        """Something that fitted by our count was refused: someone else uses the limit too, so leave some room."""
        # a tenth of the limit at most, as a precaution: what others really take shows in headers and refusals
        self.headroom = min(0.1 * self.limit, self.headroom + amount)

    def wait_s(self, amount: float, now: float, *, margin_s: float = 0.0) -> float:
        """Seconds until `amount` fits.

        Args:
            amount: More than the whole limit fits once the bucket is empty: the provider decides then.
            now: The monotonic clock.
            margin_s: How much later than ours the provider may have counted; never makes an empty bucket wait.

        >>> round(Bucket(6000, 60, now=0, level=5034).wait_s(1443, now=0), 2)
        4.77
        """
        rate = self.limit / self.period_s
        # a margin is time, and a full bucket leaks `rate` of it a second: room for that much less
        room = max(0.0, self.limit - amount - self.headroom - margin_s * rate)
        return max(0.0, (self.leak(now) - room) / rate)
