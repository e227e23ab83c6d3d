"""One thread that owns the connection and serves reads and writes in groups.

Everything that waits is answered in one transaction: one commit for as many calls as came in while the
last one was being written. A caller is told only after that commit, so nothing paid is used before it
is safe. Single reads become one `IN` query.

A database that is away is waited for, with everything that waits in hand. What is left when patience runs
out, or the process has to end, is kept in a file: paid answers, the only thing here that cannot be had again.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, bindparam, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, SQLAlchemyError

from cupel.runlog import tables
from cupel.runlog.patience import Patience, is_passing
from cupel.runlog.unsaved import Unsaved
from cupel.text import storable_row

Row = dict[str, Any]
T = TypeVar("T")
MAX_GROUP = 512


@dataclass(slots=True)
class Insert:
    """Rows for one table; what stands is kept, or replaced."""

    table: Table
    rows: list[Row]
    replace: bool = False


@dataclass(slots=True)
class Forget:
    """Delete the row with this key."""

    table: Table
    key: str
    first: bool = False
    """Before the inserts of the same group: what is written anew may have fewer rows than what it replaces."""


Write = Insert | Forget


@dataclass(slots=True)
class _Errand:
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]
    table: Table | None = None
    key: str = ""
    writes: Sequence[Write] = ()
    run: Callable[[Connection], Any] | None = None
    paid: Sequence[Row] = ()
    """Rows of `responses` that `run` writes."""

    @property
    def answers(self) -> list[Row]:
        """The paid answers this is to commit."""
        inserts = (write for write in self.writes if isinstance(write, Insert))
        return [*self.paid, *(row for each in inserts if each.table is tables.responses for row in each.rows)]


class Worker:
    """The thread behind a run log; `close` writes what is waiting and ends it.

    Args:
        engine: What it opens its connection with.
        patience: How long a database that is away is waited for.
        unsaved: Where paid answers go that cannot be committed.
    """

    def __init__(self, engine: Engine, patience: Patience, unsaved: Unsaved) -> None:
        self._engine, self._patience, self._unsaved = engine, patience, unsaved
        self._connection: Connection | None = None
        self._group: list[_Errand] = []
        """What is being served now."""

        self._given_up = False
        """Patience has run out on a group, and nothing was written since; that something can be read proves nothing."""

        self._jobs: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="cupel-runlog", daemon=True)
        self._thread.start()

    async def get(self, table: Table, key: str) -> Row | None:
        """The row with this primary key, or None."""
        row: Row | None = await self._submit(table=table, key=key)
        return row

    async def write(self, *writes: Write) -> None:
        """Return when these are committed; all of them or none. Texts are made storable here, whoever said them."""
        for write in writes:
            if isinstance(write, Insert):
                write.rows = [storable_row(row) for row in write.rows]
        await self._submit(writes=writes)

    async def call(self, run: Callable[[Connection], T], *, paid: Sequence[Row] = ()) -> T:
        """What a function makes of the connection, in a transaction and in order with everything else.

        It is called again where the database went away, and it was not heard whether the commit was made.

        Args:
            run: The function.
            paid: Rows of `responses` that it writes.
        """
        result: T = await self._submit(run=run, paid=paid)
        return result

    def send(self, *writes: Write, run: Callable[[Connection], Any] | None = None) -> None:
        """The same for whoever cannot wait for it."""
        # nobody asks what came of it
        self._submit(writes=writes, run=run).add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )

    def close(self, wait_s: float = 60.0) -> int:
        """Serve what is waiting, then end the thread.

        Args:
            wait_s: Seconds it may take; what is left then is kept in a file.

        Returns:
            How many paid answers were kept so.
        """
        if not self._thread.is_alive():
            return 0
        self._jobs.put(None)
        hurry = threading.Timer(wait_s, self._patience.end)
        hurry.start()
        self._thread.join(timeout=wait_s + 0.2)
        hurry.cancel()
        return self.rescue() if self._thread.is_alive() else 0

    def rescue(self) -> int:
        """Keep the paid answers that are not committed yet in a file, from any thread; returns how many."""
        self._patience.end()
        left = list(self._group)
        while not self._jobs.empty():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                left.append(job)
        return self._keep(left)

    def _keep(self, group: Iterable[_Errand]) -> int:
        return self._unsaved.keep(row for job in group for row in job.answers)

    def _submit(self, **what: Any) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(_Errand(loop, done, **what))
        return done

    def _serve(self) -> None:
        while (group := self._next_group()) is not None:
            self._group = group
            answers = self._try(group)
            self._group = []
            _tell(group, answers)
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _try(self, group: list[_Errand]) -> list[Any]:
        """What becomes of each errand of a group, tried again while the database is away."""
        was_away = False
        while True:
            try:
                self._connection = self._connection or self._engine.connect()
                answers = self._answer(self._connection, group)
            except Exception as error:  # noqa: BLE001 - a waiting caller must hear of it, whatever it is
                _drop(self._connection)
                self._connection = None
                passing = is_passing(error)
                if passing and self._patience.wait(error):
                    was_away = True
                    continue
                self._given_up = self._given_up or passing
                # what one of them brought is its own trouble; a database that is gone is everybody's
                if len(group) > 1 and not (passing or isinstance(error, OperationalError | InterfaceError)):
                    return [self._try([job])[0] for job in group]
                if isinstance(error, SQLAlchemyError):
                    if passing or isinstance(error, OperationalError) or type(error) is DatabaseError:
                        self._keep(group)  # the database's trouble, not that of what was to be written
                    return [self._patience.error(error)] * len(group)
                return [error] * len(group)
            if was_away or not self._given_up or any(job.writes or job.paid for job in group):
                self._given_up = False
                self._patience.restore()
            return answers

    def _next_group(self) -> list[_Errand] | None:
        job = self._jobs.get()
        if job is None:
            return None
        group = [job]
        while len(group) < MAX_GROUP and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)  # finish this group first
                break
            group.append(job)
        return group

    def _answer(self, connection: Connection, group: list[_Errand]) -> list[Any]:
        with connection.begin():
            _write(connection, [write for job in group for write in job.writes])
            rows = _read(connection, group)
            return [job.run(connection) if job.run else rows.get((job.table, job.key)) for job in group]


def _drop(connection: Connection | None) -> None:
    """Give up a connection after an error; the next group opens a new one."""
    if connection is not None:
        connection.invalidate()
        connection.close()


def _read(connection: Connection, group: Iterable[_Errand]) -> dict[tuple[Table | None, str], Row]:
    wanted: dict[Table, list[str]] = {}
    for job in group:
        if job.table is not None:
            wanted.setdefault(job.table, []).append(job.key)
    return {
        (table, row[_key_of(table)]): dict(row)
        for table, keys in wanted.items()
        for row in connection.execute(_rows_with(table), {"keys": keys}).mappings()
    }


def _write(connection: Connection, writes: Iterable[Write]) -> None:
    inserts: dict[tuple[Table, bool], list[Row]] = {}
    forgets: dict[bool, dict[Table, list[str]]] = {True: {}, False: {}}
    for write in writes:
        if isinstance(write, Insert):
            inserts.setdefault((write.table, write.replace), []).extend(write.rows)
        else:
            forgets[write.first].setdefault(write.table, []).append(write.key)
    _forget(connection, forgets[True])
    for (table, replace), rows in inserts.items():
        if rows:
            connection.execute(_insert(table, insert_of(connection), replace=replace), rows)
    _forget(connection, forgets[False])


def _forget(connection: Connection, forgets: dict[Table, list[str]]) -> None:
    for table, keys in forgets.items():
        connection.execute(_delete_with(table), {"keys": keys})


def _key_of(table: Table) -> str:
    return next(iter(table.primary_key.columns)).name


# Built once, so that SQLAlchemy compiles each once: building one anew takes longer than running it.


@cache
def _rows_with(table: Table) -> Any:
    return select(table).where(table.c[_key_of(table)].in_(bindparam("keys", expanding=True)))


@cache
def _delete_with(table: Table) -> Any:
    return delete(table).where(table.c[_key_of(table)].in_(bindparam("keys", expanding=True)))


@cache
def _insert(table: Table, make: Any, *, replace: bool) -> Any:
    """INSERT that keeps or replaces what stands."""
    insert = make(table)
    keys = [column.name for column in table.primary_key.columns]
    if not replace:
        return insert.on_conflict_do_nothing(index_elements=keys)
    others = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=others)


def insert_of(connection: Connection) -> Any:
    """The dialect's own INSERT, which knows conflicts; only who uses PostgreSQL imports all its drivers."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    return sqlite.insert


def _tell(group: list[_Errand], answers: Sequence[Any]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, answer in zip(group, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job.done, answer))
    for loop, results in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, results)


def _resolve(results: Iterable[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in results:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
