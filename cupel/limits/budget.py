"""Spending caps of a run and of one document: reserve the most a call can cost, then settle what it did cost.

    spent + reserved + asked ≤ cap       or the call waits for a reservation to settle, or is not made

Amounts are whole picodollars inside, so that a million small sums add up exactly; reservations round up. What was
reserved when a process was killed counts as spent, because the provider may have billed it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass

from cupel.errors import BudgetExceededError, DocumentBudgetError, SettingError

PICO = 10**12
"""Picodollars in a US dollar."""

RAISE_IT = "Raise --max-usd and give the same command: nothing finished is asked again"
"""What to do where a run's cap has no room."""


@dataclass(frozen=True, slots=True)
class BudgetSnapshot:
    """A budget at one moment, in USD.

    Args:
        max_usd: The cap; `None` for none.
        spent_usd: Settled.
        reserved_usd: Held for calls under way.
    """

    max_usd: float | None
    spent_usd: float
    reserved_usd: float

    @property
    def left_usd(self) -> float:
        """What a new call could reserve now; infinite without a cap."""
        return (
            math.inf if self.max_usd is None else max(0.0, self.max_usd - self.spent_usd - self.reserved_usd)
        )


class Reservation:
    """Money held for one call; settle or release it exactly once."""

    __slots__ = ("_open", "_pico", "_purses")

    def __init__(self, purses: tuple[_Purse, ...], pico: int) -> None:
        self._purses = purses
        self._pico = pico
        self._open = True

    @property
    def usd(self) -> float:
        """What is held."""
        return self._pico / PICO

    def settle(self, usd: float) -> None:
        """Replace what was held by what the call did cost.

        A cost above what was held is recorded as it is: the next calls find less room.

        Raises:
            ValueError: If it was settled or released before, or the amount is negative or not finite.
        """
        cost = pico_of(usd)
        if not self._open:
            raise ValueError("this reservation was settled or released before")
        self._open = False
        for purse in self._purses:
            purse.pay(self._pico, cost)


class Budget:
    """A cap on spending, never exceeded as long as no call costs more than was reserved for it.

    Args:
        max_usd: The cap; `None` for none, 0 for nothing but free calls.
        spent_usd: Spent before, as the run log has it.
        reserved_usd: Reserved before and never settled: counted as spent.

    Raises:
        SettingError: If the cap is negative or not a number.
    """

    def __init__(
        self, max_usd: float | None = None, *, spent_usd: float = 0.0, reserved_usd: float = 0.0
    ) -> None:
        spent = pico_of(spent_usd) + pico_of(reserved_usd)
        self._purses: tuple[_Purse, ...] = (_Purse(pico_cap(max_usd), spent, of_document=False),)

    def for_document(self, max_usd: float | None, *, spent_usd: float = 0.0) -> Budget:
        """A document's own cap inside this one; what it spends is spent here too.

        Args:
            max_usd: The document's cap; `None` for none of its own.
            spent_usd: What this document has cost before, already part of the run's sum.
        """
        document = Budget()
        document._purses = (_Purse(pico_cap(max_usd), pico_of(spent_usd), of_document=True), *self._purses)
        return document

    def snapshot(self) -> BudgetSnapshot:
        """The cap, what is spent and what is held."""
        purse = self._purses[0]
        most = None if purse.cap is None else purse.cap / PICO
        return BudgetSnapshot(most, purse.spent / PICO, purse.held / PICO)

    async def reserve(self, usd: float) -> Reservation:
        """Hold the highest cost of a call before it is sent.

        Waits while reservations under way may still free room, first come first served.

        Args:
            usd: The most this call can cost.

        Raises:
            BudgetExceededError: If the run's cap has no room for it.
            DocumentBudgetError: If the document's cap has none.
            ValueError: If the amount is negative or not finite.
        """
        pico = pico_of(usd)
        holding: list[_Purse] = []
        try:
            for purse in self._purses:
                await purse.hold(pico)
                holding.append(purse)
        except BaseException:
            for purse in holding:
                purse.pay(pico, 0)
            raise
        return Reservation(self._purses, pico)

    def settle(self, reservation: Reservation, usd: float) -> None:
        """Replace what was held by what the call did cost; see `Reservation.settle`."""
        reservation.settle(usd)

    def release(self, reservation: Reservation) -> None:
        """Give back what was held for a call that was never billed."""
        reservation.settle(0.0)


class _Purse:
    """One cap, and who waits for room under it."""

    __slots__ = ("_of_document", "_waiting", "cap", "held", "spent")

    def __init__(self, cap: int | None, spent: int, *, of_document: bool) -> None:
        self.cap = cap
        self.spent = spent
        self.held = 0
        self._of_document = of_document
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def hold(self, pico: int) -> None:
        if not self._waiting and self._fits(pico):
            self.held += pico
            return
        self._check(pico)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, pico))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.held -= pico
            self._wake()
            raise

    def pay(self, held: int, cost: int) -> None:
        self.held -= held
        self.spent += cost
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
        except (BudgetExceededError, DocumentBudgetError) as error:
            turn.set_exception(error)
            return True
        if not self._fits(pico):
            return False
        self.held += pico
        turn.set_result(None)
        return True

    def _fits(self, pico: int) -> bool:
        return self.cap is None or self.spent + self.held + pico <= self.cap

    def _check(self, pico: int) -> None:
        """Raise where no settling of what is held could make room."""
        if self.cap is None or self.spent + pico <= self.cap:
            return
        amounts = (
            f"${self.spent / PICO:.6f} of ${self.cap / PICO:.6f} is spent "
            f"and the next call may cost ${pico / PICO:.6f}"
        )
        if self._of_document:
            raise DocumentBudgetError(f"this document's budget has no room: {amounts}")
        raise BudgetExceededError(f"the budget has no room: {amounts}. {RAISE_IT}")


def pico_cap(max_usd: float | None) -> int | None:
    """A cap in picodollars.

    Raises:
        SettingError: If it is negative or not a number.
    """
    if max_usd is None:
        return None
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
