"""How long everyone on a model holds still after a 429."""

from __future__ import annotations

import math

LONGEST_S = 60.0
"""The longest pause of our own choosing."""


class Pause:
    """The pause of one lane: as long as the provider asks, else growing from one refusal to the next."""

    __slots__ = ("_strikes", "_until", "daily", "length_s")

    def __init__(self) -> None:
        self._until = -math.inf
        self._strikes = 0
        self.length_s = 0.0
        self.daily = False

    def left_s(self, now: float) -> float:
        """Seconds still to wait; never more than at first, should the clock have gone back."""
        if not self.length_s:
            return 0.0
        left = min(self.length_s, self._until - now)
        if left > 0:
            return left
        self.length_s, self.daily = 0.0, False
        return 0.0

    def hold(self, wait_s: float, *, daily: bool, now: float) -> None:
        """Wait at least so long from now on; a shorter pause does not end a longer one."""
        self.daily = self.daily or daily
        if now + wait_s > self._until or not self.length_s:
            self._until, self.length_s = now + wait_s, wait_s

    def own_s(self, *, sent_at: float) -> float:
        """A wait for a 429 that names none; it grows once for all the calls that were in flight together."""
        # refused calls that were sent before this pause began were refused for the same cause
        if sent_at >= self._until - self.length_s:
            self._strikes += 1
        return min(LONGEST_S, 0.5 * 2.0 ** min(self._strikes, 7))

    def reset(self) -> None:
        """An answer came: the next wait of our own is short again."""
        self._strikes = 0
