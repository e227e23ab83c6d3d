"""A leaky bucket, as providers keep one for each limit."""

from __future__ import annotations


class LeakyBucket:
    """A burst up to `limit`, then a steady refill of `limit` a minute; None is no limit."""

    def __init__(self, limit: float | None, minute_s: float) -> None:
        self.limit = limit
        self._rate = (limit or 0.0) / minute_s
        self._used = 0.0
        self._at = 0.0

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` fits; 0 when it does."""
        if self.limit is None:
            return 0.0
        self._leak(now)
        return max(0.0, (self._used + amount - self.limit) / self._rate)

    def take(self, amount: float, now: float) -> None:
        """Count `amount` as used."""
        self._leak(now)
        self._used += amount

    def left(self, now: float) -> float:
        """What still fits now."""
        self._leak(now)
        return max(0.0, (self.limit or 0.0) - self._used)

    def full_in(self, now: float) -> float:
        """Seconds until nothing is used any more."""
        self._leak(now)
        return self._used / self._rate if self._rate else 0.0

    def _leak(self, now: float) -> None:
        self._used = max(0.0, self._used - (now - self._at) * self._rate)
        self._at = now
