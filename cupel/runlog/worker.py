"""One thread that owns the connection and serves reads and writes in groups.

Everything that waits is answered in one transaction: one commit for as many calls as came in while the
last one was being written. A caller is told only after that commit, so nothing paid is used before it
is safe. Single reads become one `IN` query.
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
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from cupel.errors import RunLogError
from cupel.runlog.database import explain
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


class Worker:
    """The thread behind a run log; `close` writes what is waiting and ends it."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine, self._url = engine, url
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

    async def call(self, run: Callable[[Connection], T]) -> T:
        """What a function makes of the connection, in a transaction and in order with everything else."""
        result: T = await self._submit(run=run)
        return result

    def close(self) -> None:
        """Serve what is waiting, then end the thread."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout=60)

    async def _submit(self, **what: Any) -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(_Errand(loop, done, **what))
        return await done

    def _serve(self) -> None:
        connection: Connection | None = None
        while (group := self._next_group()) is not None:
            try:
                connection = connection or self._engine.connect()
                answers = self._answer(connection, group)
            except Exception as error:  # noqa: BLE001 - a waiting caller must hear of it, whatever it is
                _drop(connection)
                connection = None
                # what one of them brought is its own trouble; a database that is gone is everybody's
                alone = len(group) > 1 and not isinstance(error, OperationalError | InterfaceError)
                answers = (
                    [self._answer_alone(job) for job in group]
                    if alone
                    else [self._explain(error)] * len(group)
                )
            _tell(group, answers)
        if connection is not None:
            connection.close()
        self._engine.dispose()

    def _answer_alone(self, job: _Errand) -> Any:
        """What one errand of a group that failed comes to by itself."""
        try:
            with self._engine.connect() as connection:
                return self._answer(connection, [job])[0]
        except Exception as error:  # noqa: BLE001 - its caller hears of it
            return self._explain(error)

    def _explain(self, error: Exception) -> Exception:
        return RunLogError(explain(error, self._url)) if isinstance(error, SQLAlchemyError) else error

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
