"""A shared gate in PostgreSQL: every process on one database keeps the same limits, by the database's clock.

A bucket is kept as the moment it will be empty: nothing has to run for it to leak. Reserving moves that moment and
tells how long to wait, in one statement: every call gets a turn in one line, sleeps once, and meets nobody when it
wakes.

    empty_at - now = level / rate       a full bucket is empty in `period_s`: whoever leaves it emptier than that may go
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from cupel.errors import RunLogError
from cupel.limits import postgres_charges
from cupel.limits.buckets import Kind
from cupel.limits.postgres_charges import BEAT_S, GONE_S, NOW, OpenCharge
from cupel.limits.shared_gate import Charge, Turn

MARGIN_S = 0.25
"""Sent so much later than a bucket says, for a request that travels faster than the ones before it."""

_LOCK = text("SELECT pg_advisory_xact_lock(7220156)")
_CREATE = text("""
    CREATE TABLE IF NOT EXISTS cupel_limits (
        lane text NOT NULL, kind text NOT NULL, empty_at double precision NOT NULL, PRIMARY KEY (lane, kind)
    )""")
# `greatest`: what lies in the past has leaked out, and a process that has seen the bucket fuller is believed
_RESERVE = text(f"""
    INSERT INTO cupel_limits AS l (lane, kind, empty_at)
    VALUES (:lane, :kind, {NOW} + :level_s + :amount_s)
    ON CONFLICT (lane, kind) DO UPDATE
    SET empty_at = greatest(l.empty_at, {NOW} + :level_s) + :amount_s
    RETURNING empty_at - {NOW}""")  # noqa: S608 (constants only)
_PAUSED = text(f"SELECT empty_at - {NOW} FROM cupel_limits WHERE lane = :lane AND kind = 'pause'")  # noqa: S608 (constants only)


@dataclass
class _Batch:
    """What has come together since the last transaction began."""

    asked: list[tuple[str, Sequence[Charge], asyncio.Future[Turn]]] = field(default_factory=list)
    owed_s: dict[tuple[str, Kind], float] = field(default_factory=lambda: defaultdict(float))
    withdrawn: list[OpenCharge] = field(default_factory=list)
    """What was given back while its turn may not have come."""

    pauses: dict[str, float] = field(default_factory=dict)
    beat: bool = False

    def __bool__(self) -> bool:
        return bool(self.asked or self.owed_s or self.pauses or self.beat)


def _open_charges(lane: str, charges: Sequence[Charge], wait_s: float = 0.0) -> Iterator[OpenCharge]:
    for charge in charges:
        yield OpenCharge(lane, charge.kind, charge.seconds(charge.amount), wait_s)


class PostgresGate:
    """A `SharedGate` in a PostgreSQL database; its table is made on first use.

    Calls that come while a transaction runs share the next one, in a thread.

    Args:
        engine: Any engine on that database, such as the run log's.
        patiently: Makes one transaction, again while the database is away.
        settle_s: How long what is given back may wait for a reservation to travel with.
        gone_s: How long another gate may be silent before its open charges are given back for it.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        patiently: Callable[[Callable[[], list[Turn]]], list[Turn]] = lambda work: work(),
        settle_s: float = 0.5,
        gone_s: float = GONE_S,
    ) -> None:
        self._engine = engine
        self._patiently = patiently
        self._settle_s = settle_s
        self._gone_s = gone_s
        self._name = secrets.token_hex(8)
        self._waiting_until = 0.0
        self._open: set[OpenCharge] = set()
        self._looked_at = -math.inf
        self._beating: asyncio.TimerHandle | None = None
        self._ready = False
        self._batch = _Batch()
        self._writing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def reserve(self, lane: str, charges: Sequence[Charge]) -> Turn:
        """Charge a call, and say when its turn is.

        Raises:
            RunLogError: If the database does not answer.
        """
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._batch.asked.append((lane, charges, turn))
        self._start()
        return await turn

    def give_back(self, lane: str, charges: Sequence[Charge]) -> None:
        """Return what was not used."""
        for charge in charges:
            self._batch.owed_s[lane, charge.kind] += charge.seconds(charge.amount)
        if time.monotonic() < self._waiting_until:
            self._batch.withdrawn += self._open.intersection(_open_charges(lane, charges))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._settle_s, self._start)

    def pause(self, lane: str, wait_s: float) -> None:
        """Hold everyone on this lane back."""
        self._batch.pauses[lane] = max(wait_s, self._batch.pauses.get(lane, 0.0))
        self._start()

    async def aclose(self) -> None:
        """Write what is owed; a database that is gone is left alone."""
        if self._beating is not None:
            self._beating.cancel()
        self._start()
        if self._writing is not None:
            await self._writing

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._batch:
                batch, self._batch = self._batch, _Batch()
                await self._write_batch(batch)
        finally:
            self._writing = None
        if self._beating is None and time.monotonic() < self._waiting_until:
            self._beating = asyncio.get_running_loop().call_later(min(BEAT_S, self._gone_s / 3), self._beat)

    async def _write_batch(self, batch: _Batch) -> None:
        try:
            turns = await asyncio.to_thread(self._patiently, partial(self._transact, batch))
        except (SQLAlchemyError, RunLogError) as error:
            problem = f"the limits shared through PostgreSQL cannot be reached: {str(error).splitlines()[0]}"
            for _, _, answer in batch.asked:
                if not answer.done():
                    answer.set_exception(RunLogError(problem))
            return
        for (lane, charges, answer), turn in zip(batch.asked, turns, strict=True):
            if turn.wait_s > 0:
                self._keep_open(lane, charges, turn.wait_s)
            if answer.done():  # cancelled meanwhile
                self.give_back(lane, charges)
            else:
                answer.set_result(turn)

    def _keep_open(self, lane: str, charges: Sequence[Charge], wait_s: float) -> None:
        # forgotten all at once, when nobody waits any more: a stale one matters only should this process be killed
        if time.monotonic() > self._waiting_until:
            self._open.clear()
        self._waiting_until = max(self._waiting_until, time.monotonic() + wait_s)
        self._open.update(_open_charges(lane, charges))

    def _beat(self) -> None:
        """Be heard of while anybody here waits for a turn."""
        self._beating = None
        if time.monotonic() < self._waiting_until:
            self._batch.beat = True
            self._start()

    def _transact(self, batch: _Batch) -> list[Turn]:
        self._give_back_lost()
        with self._engine.begin() as connection:
            for lane, wait_s in sorted(batch.pauses.items()):
                self._move(connection, lane, "pause", amount_s=0.0, level_s=wait_s)
            turns = self._charge(connection, batch)
            for (lane, kind), amount_s in sorted(batch.owed_s.items()):
                connection.execute(
                    postgres_charges.GIVE_BACK, {"lane": lane, "kind": kind, "amount_s": amount_s}
                )
            for charge in batch.withdrawn:
                postgres_charges.forget(connection, self._name, charge)
            waited_for = [
                charge
                for (lane, charges, _), turn in zip(batch.asked, turns, strict=True)
                if turn.wait_s > 0
                for charge in _open_charges(lane, charges, turn.wait_s)
            ]
            postgres_charges.note(connection, self._name, waited_for)
            if waited_for or batch.beat:
                postgres_charges.beat(connection, self._name)
        return turns

    def _give_back_lost(self) -> None:
        """Now and then, and in a transaction of its own: no two of them then wait for each other."""
        if time.monotonic() - self._looked_at < min(BEAT_S, self._gone_s):
            return
        self._looked_at = time.monotonic()
        with self._engine.begin() as connection:
            if not self._ready:
                connection.execute(_LOCK)
                for statement in (_CREATE, *postgres_charges.CREATE):
                    connection.execute(statement)
                self._ready = True
            postgres_charges.give_back_lost(connection, gone_s=self._gone_s)

    def _charge(self, connection: Connection, batch: _Batch) -> list[Turn]:
        """Move each bucket once for all who asked, and hand out the turns from the last to the first."""
        amounts: dict[tuple[str, Kind], float] = defaultdict(float)
        levels: dict[tuple[str, Kind], float] = defaultdict(float)
        for lane, charges, _ in batch.asked:
            for charge in charges:
                amounts[lane, charge.kind] += charge.seconds(charge.amount)
                levels[lane, charge.kind] = max(levels[lane, charge.kind], charge.seconds(charge.level))
        ahead = {
            (lane, kind): self._move(connection, lane, kind, amount_s=amount_s, level_s=levels[lane, kind])
            # always in the same order, so that no two transactions wait for each other
            for (lane, kind), amount_s in sorted(amounts.items())
        }
        paused = {lane: self._paused_s(connection, lane) for lane, _ in amounts}
        turns = []
        for lane, charges, _ in reversed(batch.asked):
            turn = Turn(max(0.0, paused[lane]))
            for charge in charges:
                # `ahead` is the bucket behind this call; less its amount, it is the one behind the call before
                wait = ahead[lane, charge.kind] - charge.period_s + min(MARGIN_S, charge.period_s / 60)
                ahead[lane, charge.kind] -= charge.seconds(charge.amount)
                # at an empty bucket nobody waits, not even for the margin
                if wait > turn.wait_s and ahead[lane, charge.kind] > 0:
                    turn = Turn(wait, charge.kind)
            turns.append(turn)
        return turns[::-1]

    @staticmethod
    def _move(connection: Connection, lane: str, kind: str, *, amount_s: float, level_s: float) -> float:
        """Seconds until this bucket will be empty, with the amount in it."""
        values = {"lane": lane, "kind": kind, "amount_s": amount_s, "level_s": level_s}
        return float(connection.execute(_RESERVE, values).scalar_one())

    @staticmethod
    def _paused_s(connection: Connection, lane: str) -> float:
        return float(connection.execute(_PAUSED, {"lane": lane}).scalar() or 0.0)
