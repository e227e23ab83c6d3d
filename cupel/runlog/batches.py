"""What is at a provider's batch API, in the run log: no job is forgotten or sent twice, whenever a run is killed.

parked ── a job is made of it ──→ sent ── good line ──→ answered
   ↑                               │
   └──── failed line, or no job ───┴── too often ──→ live
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from cupel.runlog import tables
from cupel.runlog.store import RunLog, StoredResponse, now
from cupel.runlog.worker import Forget, Insert, T

_KEYS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One request that waits for, or is in, a batch job."""

    key: str
    run_id: str
    model: str
    kind: str
    doc_id: str
    asked: str
    body: str
    usd: float
    job_id: str | None = None
    state: str = "parked"
    tries: int = 0
    created_at: str = field(default_factory=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """One job at a provider."""

    job_id: str
    run_id: str
    model: str
    requests: int
    state: str = "made"
    file_id: str | None = None
    batch_id: str | None = None
    problem: str | None = None
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)


class BatchLog:
    """The batch tables of an open run log."""

    def __init__(self, run_log: RunLog) -> None:
        self._log = run_log

    async def request(self, key: str) -> BatchRequest | None:
        """The request under this key, if it was ever parked."""
        table = tables.batch_requests
        return next(iter(await self._read(BatchRequest, select(table).where(table.c.key == key))), None)

    async def _read(self, kind: type[T], query: Select[Any]) -> list[T]:
        return await self._log.transact(
            lambda connection: [kind(**row) for row in connection.execute(query).mappings()]
        )

    async def park(self, request: BatchRequest, *, reserved: bool) -> None:
        """Commit a request, and with it the money set aside for it."""
        held = {"key": request.key, "run_id": request.run_id, "usd": request.usd, "created_at": now()}
        await self._log.write(
            Insert(tables.batch_requests, [asdict(request)], replace=True),
            *([Insert(tables.reservations, [held], replace=True)] if reserved else []),
        )

    async def make_job(self, job: BatchJob, keys: Sequence[str]) -> None:
        """Commit a job and whose requests it carries, before anything of it is sent."""

        def work(connection: Connection) -> None:
            connection.execute(tables.batch_jobs.insert(), asdict(job))
            _change(connection, keys, job_id=job.job_id, state="sent")

        await self._log.transact(work)

    async def change_job(self, job_id: str, **values: Any) -> None:
        """Commit how far a job has come."""
        table = tables.batch_jobs
        change = update(table).where(table.c.job_id == job_id).values(updated_at=now(), **values)
        await self._log.transact(lambda connection: connection.execute(change).rowcount)

    async def job(self, job_id: str) -> BatchJob | None:
        """One job."""
        table = tables.batch_jobs
        return next(iter(await self._read(BatchJob, select(table).where(table.c.job_id == job_id))), None)

    async def open_jobs(self, run_id: str) -> list[BatchJob]:
        """The jobs of a run that have not ended, oldest first."""
        table = tables.batch_jobs
        query = select(table).where(table.c.run_id == run_id, table.c.state != "ended")
        query = query.order_by(table.c.created_at)
        return await self._read(BatchJob, query)

    async def of_job(self, job_id: str) -> list[BatchRequest]:
        """The requests a job still owes an answer to, in one fixed order."""
        table = tables.batch_requests
        query = select(table).where(table.c.job_id == job_id, table.c.state == "sent").order_by(table.c.key)
        return await self._read(BatchRequest, query)

    async def save_answers(self, responses: Sequence[StoredResponse]) -> None:
        """Commit answers: responses like any others, and the end of their reservations."""
        keys = [response.key for response in responses]
        await self._log.write(
            Insert(tables.responses, [response.row() for response in responses]),
            *(Forget(tables.reservations, key) for key in keys),
        )
        await self._log.transact(lambda connection: _change(connection, keys, state="answered", body=""))

    async def ask_again(self, keys: Sequence[str], *, live: bool) -> None:
        """Commit that a job came back without these; they wait for another one, or are sent one by one."""

        def work(connection: Connection) -> None:
            tries = tables.batch_requests.c.tries + 1
            _change(connection, keys, state="live" if live else "parked", tries=tries, job_id=None)
            if live:
                _forget(connection, keys)

        await self._log.transact(work)

    async def give_up(self, keys: Sequence[str]) -> None:
        """Commit that these were answered with what nobody can read: what was set aside for them stays spent."""
        await self._log.transact(lambda connection: _change(connection, keys, state="live", job_id=None))

    async def forget_unsent(self, run_id: str) -> None:
        """Free the money of requests that were never sent: their documents park them anew."""
        table = tables.batch_requests
        query = select(table.c.key).where(table.c.run_id == run_id, table.c.state == "parked")
        await self._log.transact(
            lambda connection: _forget(connection, list(connection.execute(query).scalars()))
        )

    async def held_usd(self, run_id: str) -> dict[str, float]:
        """What is set aside for each request that is at a provider now."""
        table, held = tables.batch_requests, tables.reservations
        query = select(held.c.key, held.c.usd).select_from(held.join(table, held.c.key == table.c.key))
        query = query.where(held.c.run_id == run_id, table.c.state == "sent")
        return await self._log.transact(
            lambda connection: {row.key: row.usd for row in connection.execute(query)}
        )


def _change(connection: Connection, keys: Sequence[str], **values: Any) -> None:
    table = tables.batch_requests
    for some in _portions(keys):
        connection.execute(update(table).where(table.c.key.in_(some)).values(**values))


def _forget(connection: Connection, keys: Sequence[str]) -> None:
    for some in _portions(keys):
        connection.execute(delete(tables.reservations).where(tables.reservations.c.key.in_(some)))


def _portions(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many keys as one statement takes: SQLite has a limit of variables, and a batch may be 50,000 requests."""
    for start in range(0, len(keys), _KEYS_A_STATEMENT):
        yield keys[start : start + _KEYS_A_STATEMENT]
