"""A run's spending cap in one process: reserve the most a call can cost, then settle what it did cost.

    spent + reserved + asked ≤ cap       or the call waits for a reservation to settle, or is not made

Amounts are whole picodollars inside, so that a million small sums add up exactly; reservations round up. What was
reserved when a process was killed counts as spent, because the provider may have billed it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

from cupel.errors import BudgetExceededError, SettingError

PICO = 10**12
"""Picodollars in a US dollar."""

RAISE_IT = "Raise --max-usd and give the same command: nothing finished is asked again"
"""What to do where a run's cap has no room."""


class Reservation:
    """Money set aside for one call; settle it exactly once, with 0 for a call that was never billed."""

    __slots__ = ("_open", "_pico", "_replace")

    def __init__(self, pico: int, replace: Callable[[int, int], None]) -> None:
        self._pico = pico
        self._replace = replace
        self._open = True

    def settle(self, usd: float) -> None:
        """Replace what was reserved by what the call did cost.

        A cost above what was reserved is recorded as it is: the next calls find less room.

        Raises:
            ValueError: If it was settled before, or the amount is negative or not finite.
        """
        cost = pico_of(usd)
        if not self._open:
            raise ValueError("this reservation was settled or released before")
        self._open = False
        self._replace(self._pico, cost)


class Budget:
    """A cap on spending, never exceeded as long as no call costs more than was reserved for it.

    Args:
        max_usd: The cap; 0 for nothing but free calls.
        spent_usd: Spent before, or reserved by a process that is gone, as the run log has it.

    Raises:
        SettingError: If the cap is negative or not a number.
    """

    def __init__(self, max_usd: float, *, spent_usd: float = 0.0) -> None:
        self._cap = pico_cap(max_usd)
        self._spent = pico_of(spent_usd)
        self._reserved = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def reserve(self, usd: float) -> Reservation:
        """Set the highest cost of a call aside before it is sent.

        Waits while reservations under way may still free room, first come first served.

        Args:
            usd: The most this call can cost.

        Raises:
            BudgetExceededError: If the cap has no room for it.
            ValueError: If the amount is negative or not finite.
        """
        pico = pico_of(usd)
        # not past those who wait: a stream of small calls would starve a large one
        if not self._waiting and self._fits(pico):
            self._reserved += pico
        else:
            self._check(pico)
            await self._turn(pico)
        return Reservation(pico, self._replace)

    async def _turn(self, pico: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, pico))
        try:
            await turn
        except asyncio.CancelledError:
            # cancelled in the moment it was admitted: the money is set aside already, for nobody
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._reserved -= pico
            self._wake()
            raise

    def _replace(self, reserved: int, cost: int) -> None:
        self._reserved -= reserved
        self._spent += cost
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn, pico = self._waiting[0]
            if not turn.done() and not self._admit(turn, pico):
                return
            self._waiting.popleft()

    def _admit(self, turn: asyncio.Future[None], pico: int) -> bool:
        try:
            self._check(pico)
        except BudgetExceededError as error:
            turn.set_exception(error)
            return True
        if not self._fits(pico):
            return False
        # here, not when the waiting call wakes: another may ask in between
        self._reserved += pico
        turn.set_result(None)
        return True

    def _fits(self, pico: int) -> bool:
        return self._spent + self._reserved + pico <= self._cap

    def _check(self, pico: int) -> None:
        """Raise where no settling of what is reserved could make room."""
        if self._spent + pico > self._cap:
            raise BudgetExceededError(
                f"the budget has no room: ${self._spent / PICO:.6f} of ${self._cap / PICO:.6f} is spent "
                f"and the next call may cost ${pico / PICO:.6f}. {RAISE_IT}"
            )


def pico_cap(max_usd: float) -> int:
    """A cap in picodollars.

    Raises:
        SettingError: If it is negative or not a number.
    """
    if not (math.isfinite(max_usd) and max_usd >= 0):
        raise SettingError(f"max_usd={max_usd!r}: a number of US dollars from 0 up, or nothing for no cap")
    return math.floor(max_usd * PICO + 0.5)


def pico_of(usd: float) -> int:
    """An amount in picodollars, rounded up.

    Raises:
        ValueError: If it is negative or not finite.

    >>> pico_of(0.1)
    100000000000
    """
    if not (math.isfinite(usd) and usd >= 0):
        raise ValueError(f"an amount of {usd!r} USD: a number from 0 up")
    # a hair above a whole one is float noise, not a cost
    return math.ceil(round(usd * PICO, 3))
