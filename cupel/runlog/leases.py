"""Leases in the run log: what only one process at a time may do, given up even by a process that was killed.

A holder on this machine is gone when its process is; one elsewhere when it has not renewed for `LEASE_S`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Update, delete, select, update

from cupel.errors import CupelError, RunBusyError, RunLogError
from cupel.runlog import tables
from cupel.runlog.database import Database
from cupel.runlog.store import RunLog, now
from cupel.runlog.worker import Row, insert_of

T = TypeVar("T")

LEASE_S = 60.0


class Lease:
    """A lease that is held and renewed until it is given back; make it with `take`."""

    def __init__(self, run_log: RunLog, row: Row, lost: Callable[[CupelError], None], what: str) -> None:
        self._log, self._row, self._lost, self._what = run_log, row, lost, what
        self._renewing = asyncio.create_task(self._renew(), name=f"cupel-lease-{row['name']}")

    @classmethod
    async def take(
        cls, run_log: RunLog, name: str, *, what: str, lost: Callable[[CupelError], None]
    ) -> Lease:
        """Take a lease that nobody alive holds.

        Args:
            run_log: Where it is kept.
            name: What it is for.
            what: The same in words, for errors.
            lost: Told when another process took it, as after a long sleep of this one.

        Raises:
            RunBusyError: Naming the process that holds it.
        """
        row = _row(name)
        holder = await run_log.transact(lambda connection: _take(connection, row))
        if holder is not None:
            raise RunBusyError(
                f"{what} of this very command is going on already: {_name(holder)}. Wait for it, or end it and give the "
                "same command: nothing is lost"
            )
        return cls(run_log, row, lost, what)

    async def give_back(self) -> None:
        """Let others have it."""
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        mine = delete(tables.leases).where(*self._mine())
        await self._log.transact(lambda connection: connection.execute(mine).rowcount)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        lease = tables.leases.c
        return lease.name == self._row["name"], lease.owner == self._row["owner"]

    async def _renew(self) -> None:
        mine = update(tables.leases).where(*self._mine())
        while True:
            await asyncio.sleep(LEASE_S / 4)
            try:
                held = await self._log.transact(partial(_renew, mine=mine))
            except RunLogError as error:
                self._lost(error)
                return
            if not held:
                self._lost(
                    RunBusyError(f"another process took over {self._what} while this one was not heard of")
                )
                return


@contextmanager
def hold_lease(database: Database, name: str, *, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lease while a block runs, in whatever thread; a thread of its own renews it.

    Args:
        database: Where it is kept.
        name: What it is for.
        what: The same in words, for errors.
        wait_s: How long to wait for another holder.

    Raises:
        RunBusyError: Naming the process that holds it.
    """
    row, deadline = _row(name), time.monotonic() + wait_s
    while (holder := _write(database, lambda connection: _take(connection, row))) is not None:
        if time.monotonic() >= deadline:
            raise RunBusyError(f"{what} is going on already: {_name(holder)}. Wait for it, or end it")
        time.sleep(0.05)
    lease, ended = tables.leases.c, threading.Event()
    mine = (lease.name == name, lease.owner == row["owner"])
    renewing = threading.Thread(
        target=_keep_renewing, args=(database, update(tables.leases).where(*mine), ended), daemon=True
    )
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join(LEASE_S / 4)
        _write(database, lambda connection: connection.execute(delete(tables.leases).where(*mine)).rowcount)


def _keep_renewing(database: Database, mine: Update, ended: threading.Event) -> None:
    while not ended.wait(LEASE_S / 4):
        # what is not renewed is lost to another host in a while; on this one it is held as long as its process is there
        with suppress(RunLogError):
            _write(database, partial(_renew, mine=mine))


def _write(database: Database, work: Callable[[Connection], T]) -> T:
    def write() -> T:
        with database.engine.begin() as connection:
            return work(connection)

    return database.persist(write)


def _row(name: str) -> Row:
    return {
        "name": name, "owner": secrets.token_hex(16), "host": socket.gethostname(), "pid": os.getpid(),
        "born": birth_of(os.getpid()), "since": now(), "expires_at": time.time() + LEASE_S,
    }  # fmt: skip


def _name(holder: Row) -> str:
    return f"process {holder['pid']} on {holder['host']} since {holder['since']}"


def _take(connection: Connection, row: Row) -> Row | None:
    """None when it is ours now, else who holds it; safe against others who do the same at this moment."""
    table = tables.leases
    connection.execute(
        insert_of(connection)(table).values(**row).on_conflict_do_nothing(index_elements=["name"])
    )
    held = connection.execute(select(table).where(table.c.name == row["name"])).mappings().first()
    if held is None:  # given back between the two statements
        return _take(connection, row)
    if held["owner"] == row["owner"]:
        return None
    if is_alive(held, host=row["host"]):
        return dict(held)
    gone = update(table).where(table.c.name == row["name"], table.c.owner == held["owner"])
    return None if connection.execute(gone.values(**row)).rowcount else dict(held)


def _renew(connection: Connection, *, mine: Update) -> int:
    return int(connection.execute(mine.values(expires_at=time.time() + LEASE_S)).rowcount)


def is_alive(holder: Any, *, host: str) -> bool:
    """Whether the holder of a lease is still there, as seen from a host."""
    if holder["host"] != host:
        return bool(holder["expires_at"] > time.time())
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process: it is there
    start = birth_of(holder["pid"])
    return start is None or holder["born"] is None or start == holder["born"]


def birth_of(pid: int) -> str | None:
    """When a process started, as its system counts; empty for one that has ended, None where that cannot be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]  # a zombie keeps its number until its parent looks
