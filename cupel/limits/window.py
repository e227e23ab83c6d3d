"""How many calls may be in flight where no header says: additive increase, multiplicative decrease."""

from __future__ import annotations

import math


class Window:
    """The number of calls in flight that a provider was last seen to bear.

    Unbounded until the first refusal. A refusal halves it; answers let it grow by one a round, and slowly from
    just below the size that failed last, so that it settles there instead of failing every few rounds.

    Args:
        most: What a person allows; it is never exceeded.
    """

    __slots__ = ("_cut_at", "_failed_at", "_most", "size")

    def __init__(self, most: float = math.inf) -> None:
        self._most = most
        self._failed_at = math.inf
        self._cut_at = -math.inf
        self.size = most

    def fits(self, in_flight: int) -> bool:
        """Whether one more may go."""
        return in_flight + 1 <= self.size

    def answered(self, in_flight: int) -> None:
        """Count an answer; a window that was not full has proved nothing."""
        if self.size >= self._most or in_flight + 1 < int(self.size):
            return
        pace = 1.0 if self.size + 1 < self._failed_at else 0.05
        self.size = min(self._most, self.size + pace / self.size)

    def refused(self, in_flight: int, *, sent_at: float, now: float) -> None:
        """Halve it, once for all the calls that were in flight together."""
        if sent_at < self._cut_at:
            return
        self._failed_at = in_flight
        self._cut_at = now
        self.size = max(1.0, min(self.size, in_flight) / 2)
