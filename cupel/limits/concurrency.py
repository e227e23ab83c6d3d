"""How many calls may be in flight where no header says: additive increase, multiplicative decrease.

TCP's rule (Jacobson, "Congestion Avoidance and Control", 1988): halve at a refusal, then feel the way up again.
"""

from __future__ import annotations

import math

PILOT_S = 2.0
"""How long the first call of a model goes alone; after each such time twice as many may go."""


class Concurrency:
    """The number of calls in flight that a provider was last seen to bear.

    Unbounded until the first refusal. A refusal halves it; answers let it grow by one a round, and slowly from
    just below the size that failed last, so that it settles there instead of failing every few rounds.

    Args:
        most: What a person allows; it is never exceeded.
        pilot: The first call goes alone until its reply, to learn the limits before the others collide with them.
    """

    __slots__ = ("_cut_at", "_failed_at", "_most", "_since", "learning", "size")

    def __init__(self, most: float = math.inf, *, pilot: bool = False) -> None:
        self._most = most
        self._failed_at = math.inf
        self._cut_at = -math.inf
        self._since = math.nan
        self.learning = pilot
        self.size = most

    def pilot_left_s(self, in_flight: int, now: float) -> float:
        """Seconds until one more may go while nothing has been answered; 0 where it may."""
        if not self.learning or not in_flight:
            self._since = now
            return 0.0
        rounds = max(0, int((now - self._since) / PILOT_S))
        if in_flight < 2 ** min(rounds, 20):
            return 0.0
        return max(0.001, self._since + (rounds + 1) * PILOT_S - now)

    def fits(self, in_flight: int) -> bool:
        """Whether one more may go."""
        return in_flight + 1 <= self.size

    def grow(self, in_flight: int) -> None:
        """Count an answer; where more might have gone, it has proved nothing."""
        if self.size >= self._most or in_flight + 1 < int(self.size):
            return
        # 1/size for each answer is one more a round: a round is as many answers as are in flight
        pace = 1.0 if self.size + 1 < self._failed_at else 0.05
        self.size = min(self._most, self.size + pace / self.size)

    def shrink(self, in_flight: int, *, sent_at: float, now: float) -> None:
        """Halve it, once for all the calls that were in flight together."""
        # sent before the last cut: refused for the size of then, which is cut already
        if sent_at < self._cut_at:
            return
        self._failed_at = in_flight
        self._cut_at = now
        self.size = max(1.0, min(self.size, in_flight) / 2)
