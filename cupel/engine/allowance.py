"""What callers of a server may do in a day, counted in the run log, so that all its processes keep one cap.

    spent + held + asked ≤ cap       or the call waits while others may still free room, or is not made
    documents + 1 ≤ cap              or the request is refused

What a lost process held stays held until the day is over: the provider may have billed it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from cupel.engine.money import KeptBudget
from cupel.errors import BudgetExceededError
from cupel.limits import PICO, pico_cap, pico_of
from cupel.runlog import RunLog, StoredResponse, insert_of, now, tables

PATIENCE_S = 20.0
_LOOK_S = 0.1
_OWNER = "served"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """What one name may come to in a day.

    Attributes:
        name: The allowance's row, such as `2026-11-29 k3f…`.
        what: Whose it is, in words.
        usd: US dollars.
        documents: Documents.
    """

    name: str
    what: str
    usd: float
    documents: int


class Short(NamedTuple):
    """An allowance without room: which, what of it is spent and held, in picodollars."""

    cap: Cap
    spent: int
    held: int


class AllowanceBudget(KeptBudget):
    """The money of one served request: every call is held against all of its caps, or against none.

    Args:
        run_log: Shared by all processes of the server.
        caps: Those that hold for the caller today.
        patience_s: How long to wait for room that calls under way may still free.
    """

    def __init__(self, run_log: RunLog, caps: Sequence[Cap], *, patience_s: float = PATIENCE_S) -> None:
        # in one order everywhere: two processes never wait for each other
        self._log, self._caps, self._patience_s = run_log, sorted(caps, key=_name), patience_s

    async def reserve(self, token: str, usd: float) -> None:
        """Hold the most a call can cost, before it is sent.

        Raises:
            BudgetExceededError: If a cap has no room for it.
        """
        pico, until = pico_of(usd), time.monotonic() + self._patience_s
        while (
            short := await self._log.transact(partial(_hold, caps=self._caps, token=token, pico=pico))
        ) is not None:
            if short.spent + pico > pico_cap(short.cap.usd) or time.monotonic() > until:
                raise BudgetExceededError(
                    f"{short.cap.what} may spend ${short.cap.usd:.6g} today: ${short.spent / PICO:.6f} is spent, "
                    f"${short.held / PICO:.6f} is held for calls under way, and the next call may cost ${usd:.6f}"
                )
            await asyncio.sleep(_LOOK_S)

    async def settle(self, token: str, usd: float, stored: StoredResponse) -> None:
        """Commit a response, and its cost in place of what was held, as one."""
        work = partial(
            _settle,
            caps=self._caps,
            token=token,
            pico=pico_of(usd),
            cost=pico_of(stored.cost_usd or 0.0),
            stored=stored,
        )
        await self._log.transact(work, paid=stored)

    async def release(self, token: str, usd: float) -> None:
        """Give back what was held for a call that was surely not billed."""
        await self._log.transact(self._given_back(token, usd))

    def release_soon(self, token: str, usd: float) -> None:
        """The same for whoever cannot wait."""
        self._log.transact_soon(self._given_back(token, usd))

    def _given_back(self, token: str, usd: float) -> partial[None]:
        return partial(_settle, caps=self._caps, token=token, pico=pico_of(usd), cost=0, stored=None)


async def take_documents(run_log: RunLog, caps: Sequence[Cap], count: int, *, usd: float = 0.0) -> str | None:
    """Count documents against every cap, or against none; in words, which has no room.

    Args:
        run_log: Where they are counted.
        caps: Those that hold for the caller today.
        count: How many.
        usd: What is spent with them at once, where nobody holds it call by call.
    """
    ordered = sorted(caps, key=_name)
    return await run_log.transact(partial(_take, caps=ordered, count=count, pico=pico_of(usd)))


async def give_back_documents(run_log: RunLog, caps: Sequence[Cap], count: int) -> None:
    """Uncount documents that were taken and never begun.

    Args:
        run_log: Where they were counted.
        caps: Those they were counted against.
        count: How many.
    """
    table = tables.allowances
    counted = table.c.name.in_([cap.name for cap in caps]) & (table.c.documents >= count)
    fewer = update(table).where(counted).values(documents=table.c.documents - count)
    await run_log.transact(lambda connection: connection.execute(fewer).rowcount)


def _name(cap: Cap) -> str:
    return cap.name


def _open(connection: Connection, caps: Sequence[Cap]) -> None:
    insert = insert_of(connection)(tables.allowances)
    for cap in caps:
        row = {"name": cap.name, "documents": 0, "spent_pico": 0, "held_pico": 0}
        connection.execute(insert.values(**row).on_conflict_do_nothing(index_elements=["name"]))


def _take(connection: Connection, *, caps: Sequence[Cap], count: int, pico: int) -> str | None:
    table = tables.allowances
    _open(connection, caps)
    for done, cap in enumerate(caps):
        most = pico_cap(cap.usd)
        room = (
            table.c.spent_pico < most
            if most and not pico
            else table.c.spent_pico + table.c.held_pico + pico <= most
        )
        taken = connection.execute(
            update(table)
            .where(table.c.name == cap.name, table.c.documents + count <= cap.documents, room)
            .values(documents=table.c.documents + count, spent_pico=table.c.spent_pico + pico)
        ).rowcount
        if not taken:
            back = {"documents": table.c.documents - count, "spent_pico": table.c.spent_pico - pico}
            for earlier in caps[:done]:
                connection.execute(update(table).where(table.c.name == earlier.name).values(**back))
            return _tell(connection, cap, count)
    return None


def _tell(connection: Connection, cap: Cap, count: int) -> str:
    row = connection.execute(select(tables.allowances).where(tables.allowances.c.name == cap.name)).one()
    if row.documents + count > cap.documents:
        return f"{cap.what} may send {cap.documents} documents a day, and {row.documents} were taken today"
    spent = (row.spent_pico + row.held_pico) / PICO
    return f"{cap.what} may spend ${cap.usd:.6g} a day, and ${spent:.6f} is spent or held today"


def _hold(connection: Connection, *, caps: Sequence[Cap], token: str, pico: int) -> Short | None:
    table, held = tables.allowances, tables.reservations
    _open(connection, caps)
    for (
        cap
    ) in caps:  # whoever has the rows has the allowances: nothing of the sums below can change meanwhile
        connection.execute(select(table.c.name).where(table.c.name == cap.name).with_for_update())
    if connection.execute(select(held.c.key).where(held.c.key == token)).first() is not None:
        return None  # by an earlier try, whose commit was made and whose end was not heard of
    for cap in caps:
        row = connection.execute(select(table).where(table.c.name == cap.name)).one()
        if row.spent_pico + row.held_pico + pico > pico_cap(cap.usd):
            return Short(cap, int(row.spent_pico), int(row.held_pico))
    more = update(table).where(table.c.name.in_([cap.name for cap in caps]))
    connection.execute(more.values(held_pico=table.c.held_pico + pico))
    note = {"key": token, "run_id": _OWNER, "usd": pico / PICO, "created_at": now()}
    connection.execute(held.insert(), note)
    return None


def _settle(
    connection: Connection,
    *,
    caps: Sequence[Cap],
    token: str,
    pico: int,
    cost: int,
    stored: StoredResponse | None,
) -> None:
    table, held = tables.allowances, tables.reservations
    for cap in caps:
        connection.execute(select(table.c.name).where(table.c.name == cap.name).with_for_update())
    if connection.execute(delete(held).where(held.c.key == token)).rowcount:
        change = {"held_pico": table.c.held_pico - pico, "spent_pico": table.c.spent_pico + cost}
        connection.execute(update(table).where(table.c.name.in_([cap.name for cap in caps])).values(**change))
    if stored is not None:
        insert = insert_of(connection)(tables.responses).values(**stored.row())
        connection.execute(insert.on_conflict_do_nothing(index_elements=["key"]))
