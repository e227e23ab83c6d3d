"""Money set aside before a call is sent: by one process in memory, by several in one row of their run log.

    committed = spent + reserved;  committed + asked ≤ cap       or the call waits, or is not made

What a lost process had reserved stays committed: the provider may have billed it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cupel.errors import BudgetExceededError
from cupel.limits import PICO, RAISE_IT, Budget, pico_cap, pico_of
from cupel.runlog import RunLog, StoredResponse, now, tables

if TYPE_CHECKING:
    from cupel.engine.run import Run

_LOOK_S = 0.25


class KeptBudget(Protocol):
    """A cap that is kept in the run log, by the token of each call."""

    async def reserve(self, token: str, usd: float) -> None:
        """Commit the most a call can cost, before it is sent."""

    async def settle(self, token: str, usd: float, stored: StoredResponse) -> None:
        """Commit a response, and its cost in place of what was reserved, as one."""

    async def release(self, token: str, usd: float) -> None:
        """Give back what was reserved for a call that was surely not billed."""

    def release_soon(self, token: str, usd: float) -> None:
        """The same for whoever cannot wait for it."""


@dataclass(slots=True)
class Hold:
    """Money set aside for one sending, in memory and, under a cap, in the run log."""

    log: RunLog
    run: Run
    usd: float
    token: str
    reservation: Any = None

    @classmethod
    async def take(cls, log: RunLog, run: Run, usd: float) -> Hold:
        """Set the most a call can cost aside, committed, before it is sent; nothing without a cap."""
        held = cls(log, run, usd, secrets.token_hex(16))
        if run.budget is not None and not isinstance(run.budget, Budget):
            if usd > 0:
                try:
                    await run.budget.reserve(held.token, usd)
                except asyncio.CancelledError:  # a stopped run, say: nothing was sent
                    run.budget.release_soon(held.token, usd)
                    raise
                held.reservation = held.token
        elif run.budget is not None and usd > 0:
            held.reservation = await run.budget.reserve(usd)
            try:
                await log.reserve(held.token, run.run_id, usd)
            except BaseException:  # a stopped run, say: nothing was sent, and nobody will come back to this
                held.reservation.settle(0.0)
                log.release_soon(held.token)
                raise
        return held

    async def settle(self, stored: StoredResponse) -> None:
        """The response is here: commit it and free what was set aside beyond its cost, as one."""
        budget = self.run.budget
        if self.reservation is not None and budget is not None and not isinstance(budget, Budget):
            await budget.settle(self.token, self.usd, stored)
            return
        await self.log.save_response(stored, reservation=self.token if self.reservation else None)
        if self.reservation is not None:
            self.reservation.settle(stored.cost_usd or 0.0)

    async def lost(self, *, surely_free: bool) -> None:
        """No response: free the money when it was surely not billed, else count it as spent."""
        if self.reservation is None or self.run.budget is None:
            return
        if not isinstance(self.run.budget, Budget):
            if surely_free:
                await self.run.budget.release(self.token, self.usd)
        elif surely_free:
            await self.log.release(self.token)
            self.reservation.settle(0.0)
        else:
            self.reservation.settle(self.usd)


class _Room(NamedTuple):
    """What became of a reservation, and how the purse stands."""

    taken: bool
    committed: int
    held: int


class SharedBudget(KeptBudget):
    """A run's cap, kept in its run log.

    Args:
        run_log: Shared by all processes of the run.
        run_id: The run, or one of several tasks, whose parts pay from it too.
        max_usd: The cap.
        parts: The runs that are its parts: what they paid before counts.
        patience_s: How long to wait for room while nothing changes: by then, what is reserved is a lost process's.

    Raises:
        SettingError: If the cap is negative or not a number.
    """

    def __init__(
        self,
        run_log: RunLog,
        run_id: str,
        max_usd: float,
        *,
        parts: Sequence[str] = (),
        patience_s: float = 120.0,
    ) -> None:
        self._log, self._run_id, self._patience_s = run_log, run_id, patience_s
        self._parts = list(parts)
        self._cap = pico_cap(max_usd)
        self._line = asyncio.Lock()

    async def open(self) -> None:
        """Count what the run log says was spent and reserved; any process may do so at any time."""
        await self._log.transact(partial(_open, run_id=self._run_id, parts=self._parts))

    async def reserve(self, token: str, usd: float) -> None:
        """Commit the most a call can cost, before it is sent; waits while others may still free room.

        Raises:
            BudgetExceededError: If the cap has no room for it.
        """
        pico = pico_of(usd)
        if (await self._try(token, pico)).taken:
            return
        async with self._line:
            await self._wait(token, pico)

    async def settle(self, token: str, usd: float, stored: StoredResponse) -> None:
        """Commit a response, and its cost in place of what was reserved, as one."""
        change = pico_of(stored.cost_usd or 0.0) - pico_of(usd)
        await self._log.transact(
            partial(_settle, run_id=self._run_id, token=token, change=change, stored=stored), paid=stored
        )

    async def release(self, token: str, usd: float) -> None:
        """Give back what was reserved for a call that was surely not billed."""
        await self._log.transact(
            partial(_settle, run_id=self._run_id, token=token, change=-pico_of(usd), stored=None)
        )

    def release_soon(self, token: str, usd: float) -> None:
        """The same for whoever cannot wait; nothing where nothing was reserved."""
        self._log.transact_soon(
            partial(_settle, run_id=self._run_id, token=token, change=-pico_of(usd), stored=None)
        )

    async def _try(self, token: str, pico: int) -> _Room:
        return await self._log.transact(
            partial(_reserve, run_id=self._run_id, token=token, pico=pico, cap=self._cap)
        )

    async def _wait(self, token: str, pico: int) -> None:
        before, since = None, time.monotonic()
        while True:
            room = await self._try(token, pico)
            if room.taken:
                return
            self._check(room.committed - room.held, pico, "is spent")
            if room != before:
                before, since = room, time.monotonic()
            elif time.monotonic() - since > self._patience_s:
                self._check(
                    room.committed, pico, "is spent, or reserved for calls nobody has heard of again,"
                )
            await asyncio.sleep(_LOOK_S)

    def _check(self, committed: int, pico: int, how: str) -> None:
        if committed + pico > self._cap:
            raise BudgetExceededError(
                f"the budget has no room: ${committed / PICO:.6f} of ${self._cap / PICO:.6f} {how} and the next "
                f"call may cost ${pico / PICO:.6f}. {RAISE_IT}"
            )


def _open(connection: Connection, *, run_id: str, parts: list[str]) -> None:
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    purses = tables.purses
    connection.execute(make(purses).values(run_id=run_id, committed_pico=0).on_conflict_do_nothing())
    # whoever has the row has the purse: nothing of the sums below can change meanwhile
    connection.execute(select(purses).where(purses.c.run_id == run_id).with_for_update())
    responses = tables.responses
    paid = select(func.coalesce(func.sum(responses.c.cost_usd), 0.0)).where(
        responses.c.run_id.in_([run_id, *parts])
    )
    committed = pico_of(float(connection.execute(paid).scalar_one())) + _hold(connection, run_id, *parts)
    connection.execute(update(purses).where(purses.c.run_id == run_id).values(committed_pico=committed))


def _hold(connection: Connection, *run_ids: str) -> int:
    held = tables.reservations
    query = select(func.coalesce(func.sum(held.c.usd), 0.0)).where(held.c.run_id.in_(run_ids))
    return pico_of(float(connection.execute(query).scalar_one()))


def _reserve(connection: Connection, *, run_id: str, token: str, pico: int, cap: int) -> _Room:
    purses, held = tables.purses, tables.reservations
    taken = connection.execute(
        update(purses)
        .where(
            purses.c.run_id == run_id,
            purses.c.committed_pico + pico <= cap,
            # by an earlier try, whose commit was made and whose end was not heard of
            ~select(held.c.key).where(held.c.key == token).exists(),
        )
        .values(committed_pico=purses.c.committed_pico + pico)
    ).rowcount
    if taken:
        row = {"key": token, "run_id": run_id, "usd": pico / PICO, "created_at": now()}
        connection.execute(held.insert(), row)
    if taken or connection.execute(select(held.c.key).where(held.c.key == token)).first() is not None:
        return _Room(taken=True, committed=0, held=0)
    committed = connection.execute(
        select(purses.c.committed_pico).where(purses.c.run_id == run_id)
    ).scalar_one()
    return _Room(taken=False, committed=int(committed), held=_hold(connection, run_id))


def _settle(
    connection: Connection, *, run_id: str, token: str, change: int, stored: StoredResponse | None
) -> None:
    purses, held = tables.purses, tables.reservations
    # the purse first, in every transaction: two processes never wait for each other
    connection.execute(select(purses.c.run_id).where(purses.c.run_id == run_id).with_for_update())
    if connection.execute(delete(held).where(held.c.key == token)).rowcount:
        # else it was settled by an earlier try, whose commit was made and whose end was not heard of
        connection.execute(
            update(purses)
            .where(purses.c.run_id == run_id)
            .values(committed_pico=purses.c.committed_pico + change)
        )
    if stored is not None:
        make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(make(tables.responses).values(**stored.row()).on_conflict_do_nothing())
