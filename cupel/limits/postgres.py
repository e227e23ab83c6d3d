"""A shared gate in PostgreSQL: every process on one database keeps the same limits, by the database's clock.

A bucket is kept as the moment it will be empty. Reserving moves that moment and tells how long to wait, in one
statement: every call takes its place in one line, sleeps once, and meets nobody when it wakes.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from cupel.errors import RunLogError
from cupel.limits.buckets import Kind
from cupel.limits.postgres_places import BEAT_S, CREATE, GONE_S, Place, beat, give_back_lost, leave, take
from cupel.limits.shared_gate import Ask, Grant

MARGIN_S = 0.25
"""Sent so much later than a bucket says, for a request that travels faster than the ones before it."""

_NOW = "extract(epoch FROM clock_timestamp())::double precision"
_LOCK = text("SELECT pg_advisory_xact_lock(7220156)")
_CREATE = text("""
    CREATE TABLE IF NOT EXISTS cupel_limits (
        lane text NOT NULL, kind text NOT NULL, empty_at double precision NOT NULL, PRIMARY KEY (lane, kind)
    )""")
_RESERVE = text(f"""
    INSERT INTO cupel_limits AS l (lane, kind, empty_at)
    VALUES (:lane, :kind, {_NOW} + :level_s + :amount_s)
    ON CONFLICT (lane, kind) DO UPDATE
    SET empty_at = greatest(l.empty_at, {_NOW} + :level_s) + :amount_s
    RETURNING empty_at - {_NOW}""")  # noqa: S608 (constants only)
_GIVE_BACK = text(
    "UPDATE cupel_limits SET empty_at = empty_at - :amount_s WHERE lane = :lane AND kind = :kind"
)
_PAUSED = text(f"SELECT empty_at - {_NOW} FROM cupel_limits WHERE lane = :lane AND kind = 'pause'")  # noqa: S608 (constants only)


@dataclass
class _Batch:
    """What has come together since the last transaction began."""

    asked: list[tuple[str, Sequence[Ask], asyncio.Future[Grant]]] = field(default_factory=list)
    owed_s: dict[tuple[str, Kind], float] = field(default_factory=lambda: defaultdict(float))
    left: list[Place] = field(default_factory=list)
    """What was given back while its turn may not have come."""

    pauses: dict[str, float] = field(default_factory=dict)
    beat: bool = False

    def __bool__(self) -> bool:
        return bool(self.asked or self.owed_s or self.pauses or self.beat)


def _wait_for(batch: _Batch, grants: Sequence[Grant]) -> Iterator[Place]:
    for (lane, asks, _), grant in zip(batch.asked, grants, strict=True):
        if grant.wait_s > 0:
            for ask in asks:
                yield Place(lane, ask.kind, ask.seconds(ask.amount), grant.wait_s)


class PostgresGate:
    """A `SharedGate` in a PostgreSQL database; its table is made on first use.

    Calls that come while a transaction runs share the next one, in a thread.

    Args:
        engine: Any engine on that database, such as the run log's.
        settle_s: How long what is given back may wait for a reservation to travel with.
        gone_s: How long another gate may be silent before its places are given back for it.
    """

    def __init__(self, engine: Engine, *, settle_s: float = 0.5, gone_s: float = GONE_S) -> None:
        self._engine = engine
        self._settle_s = settle_s
        self._gone_s = gone_s
        self._name = secrets.token_hex(8)
        self._waiting_until = 0.0
        self._taken: set[Place] = set()
        self._looked_at = -math.inf
        self._beating: asyncio.TimerHandle | None = None
        self._ready = False
        self._batch = _Batch()
        self._writing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def reserve(self, lane: str, asks: Sequence[Ask]) -> Grant:
        """Take a place in the line.

        Raises:
            RunLogError: If the database does not answer.
        """
        place: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._batch.asked.append((lane, asks, place))
        self._start()
        return await place

    def give_back(self, lane: str, asks: Sequence[Ask]) -> None:
        """Return what was not used."""
        for ask in asks:
            self._batch.owed_s[lane, ask.kind] += ask.seconds(ask.amount)
            place = Place(lane, ask.kind, ask.seconds(ask.amount))
            if place in self._taken and time.monotonic() < self._waiting_until:
                self._batch.left.append(place)
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
            grants = await asyncio.to_thread(self._transact, batch)
        except SQLAlchemyError as error:
            problem = f"the limits shared through PostgreSQL cannot be reached: {str(error).splitlines()[0]}"
            for _, _, place in batch.asked:
                if not place.done():
                    place.set_exception(RunLogError(problem))
            return
        for (lane, asks, place), grant in zip(batch.asked, grants, strict=True):
            if grant.wait_s > 0:
                self._waits(lane, asks, grant)
            if place.done():
                # cancelled meanwhile
                self.give_back(lane, asks)
            else:
                place.set_result(grant)

    def _waits(self, lane: str, asks: Sequence[Ask], grant: Grant) -> None:
        if time.monotonic() > self._waiting_until:
            self._taken.clear()
        self._waiting_until = max(self._waiting_until, time.monotonic() + grant.wait_s)
        self._taken.update(Place(lane, ask.kind, ask.seconds(ask.amount)) for ask in asks)

    def _beat(self) -> None:
        """Be heard of while anybody here waits for a turn."""
        self._beating = None
        if time.monotonic() < self._waiting_until:
            self._batch.beat = True
            self._start()

    def _transact(self, batch: _Batch) -> list[Grant]:
        self._give_back_lost()
        with self._engine.begin() as connection:
            for lane, wait_s in sorted(batch.pauses.items()):
                self._move(connection, lane, "pause", amount_s=0.0, level_s=wait_s)
            grants = self._take_places(connection, batch)
            for (lane, kind), amount_s in sorted(batch.owed_s.items()):
                connection.execute(_GIVE_BACK, {"lane": lane, "kind": kind, "amount_s": amount_s})
            for place in batch.left:
                leave(connection, self._name, place)
            waited_for = list(_wait_for(batch, grants))
            take(connection, self._name, waited_for)
            if waited_for or batch.beat:
                beat(connection, self._name)
        return grants

    def _give_back_lost(self) -> None:
        """Now and then, and in a transaction of its own: no two of them then wait for each other."""
        if time.monotonic() - self._looked_at < min(BEAT_S, self._gone_s):
            return
        self._looked_at = time.monotonic()
        with self._engine.begin() as connection:
            if not self._ready:
                connection.execute(_LOCK)
                for statement in (_CREATE, *CREATE):
                    connection.execute(statement)
                self._ready = True
            give_back_lost(connection, gone_s=self._gone_s)

    def _take_places(self, connection: Connection, batch: _Batch) -> list[Grant]:
        """Move each bucket once for all who asked, and hand out the places from the last to the first."""
        amounts: dict[tuple[str, Kind], float] = defaultdict(float)
        levels: dict[tuple[str, Kind], float] = defaultdict(float)
        for lane, asks, _ in batch.asked:
            for ask in asks:
                amounts[lane, ask.kind] += ask.seconds(ask.amount)
                levels[lane, ask.kind] = max(levels[lane, ask.kind], ask.seconds(ask.level))
        ahead = {
            (lane, kind): self._move(connection, lane, kind, amount_s=amount_s, level_s=levels[lane, kind])
            # always in the same order, so that no two transactions wait for each other
            for (lane, kind), amount_s in sorted(amounts.items())
        }
        paused = {lane: self._paused_s(connection, lane) for lane, _ in amounts}
        grants = []
        for lane, asks, _ in reversed(batch.asked):
            grant = Grant(max(0.0, paused[lane]))
            for ask in asks:
                wait = ahead[lane, ask.kind] - ask.period_s + min(MARGIN_S, ask.period_s / 60)
                ahead[lane, ask.kind] -= ask.seconds(ask.amount)
                if wait > grant.wait_s and ahead[lane, ask.kind] > 0:
                    grant = Grant(wait, ask.kind)
            grants.append(grant)
        return grants[::-1]

    @staticmethod
    def _move(connection: Connection, lane: str, kind: str, *, amount_s: float, level_s: float) -> float:
        """Seconds until this bucket will be empty, with the amount in it."""
        values = {"lane": lane, "kind": kind, "amount_s": amount_s, "level_s": level_s}
        return float(connection.execute(_RESERVE, values).scalar_one())

    @staticmethod
    def _paused_s(connection: Connection, lane: str) -> float:
        return float(connection.execute(_PAUSED, {"lane": lane}).scalar() or 0.0)
