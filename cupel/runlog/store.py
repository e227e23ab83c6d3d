"""The run log: every answer that was paid for, and what became of every document.

A response is committed before it is used, keyed by the hash of its request, so that the same request is
never paid twice: not after a crash, not by a second run. Outcomes, attempts, verdicts and failures hang
on it for reports, calibration and refinement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, case, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from cupel.errors import RunLogError
from cupel.project import announce_place
from cupel.runlog import tables
from cupel.runlog.address import SQLITE, VARIABLE, database_url, show_address
from cupel.runlog.cells import read_cell
from cupel.runlog.claims import Claims
from cupel.runlog.database import explain, open_engine, sqlite_path
from cupel.runlog.forget import Forgotten, Selection, forget_for_good
from cupel.runlog.parts import PART
from cupel.runlog.patience import WAIT_S, Patience, patiently, wait_of
from cupel.runlog.rows import attempt_rows, failure_rows, verdict_rows
from cupel.runlog.unsaved import Unsaved
from cupel.runlog.worker import Forget, Insert, Row, T, Worker, Write, insert_of
from cupel.state import Outcome


def now() -> str:
    """The time in UTC, to the second, as text that sorts."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def exact_time() -> str:
    """The time in UTC, to the microsecond, as text that sorts: for what is put in order by it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """One model response, as it was paid for."""

    key: str
    kind: str
    model: str
    text: str
    asked: str = "[]"
    refusal: str | None = None
    finish_reason: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    latency_s: float = 0.0
    tokens: tuple[Any, ...] | None = None
    """Each token of the reply: its text, its log-probability, and the likeliest in its place, with theirs."""

    run_id: str | None = None
    doc_id: str | None = None
    created_at: str = field(default_factory=now)

    def row(self) -> Row:
        """As the table has it."""
        row = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "tokens"}
        row["logprobs"] = None if self.tokens is None else json.dumps(self.tokens, ensure_ascii=False)
        return row

    @property
    def logprobs(self) -> list[float] | None:
        """The log-probability of each token."""
        return None if self.tokens is None else [token[1] for token in self.tokens]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> StoredResponse:
        """From the table's row."""
        written = row["logprobs"]
        listed = None
        if written is not None:
            known = read_cell(tables.responses.c.logprobs, written, row["key"])
            # before 0006 their log-probabilities alone were kept
            listed = tuple(token if isinstance(token, list) else ["", token, []] for token in known)
        return cls(**{name: value for name, value in row.items() if name != "logprobs"}, tokens=listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """What a version hash stands for."""

    version: str
    task: str
    kind: str
    system: str
    user: str
    schema: str


class StoredOutcome(NamedTuple):
    """An outcome as it was stored, how often its document was taken up, and the code that made it."""

    outcome: Outcome
    tries: int
    code: str | None


def text_hash(text: str) -> str:
    """SHA-256 of a document's text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class RunLog:
    """An open run log. Async methods may be used from any event loop; the plain ones read for reports.

    Args:
        url: SQLAlchemy URL of an SQLite file or a PostgreSQL database; made or migrated when needed.
        wait_s: Seconds for which a database is waited for that is locked, full or gone.
        state: Folder for answers that could not be committed; beside the file where the database is one.

    Raises:
        SettingError: If the URL is none.
        RunLogError: If the database cannot be used.
    """

    def __init__(self, url: str, *, wait_s: float = WAIT_S, state: Path | None = None) -> None:
        self.url = url
        path = sqlite_path(url)
        self._wait_s = wait_s
        self._engine = open_engine(url, self._patience())
        unsaved = Unsaved(path.parent if path is not None else state, self.name)
        unsaved.take_up(self._save_kept)
        self._shared_patience = self._patience()
        self._worker = Worker(self._engine, self._shared_patience, unsaved)
        self.claims = Claims(url)
        self._known_prompts: set[str] = set()

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        return show_address(self.url)

    @property
    def is_shared(self) -> bool:
        """Whether processes on several machines may be using it."""
        return self.url.startswith("postgresql")

    @property
    def engine(self) -> Engine:
        """What it is kept in, for others who share things through it."""
        return self._engine

    def close(self, wait_s: float = 60.0) -> int:
        """Write what is waiting and let go of the database.

        Args:
            wait_s: Seconds it may take; paid answers that are left then are kept in a file, for the next time.

        Returns:
            How many were kept so.
        """
        kept = self._worker.close(wait_s)
        self.claims.close()
        return kept

    def hurry(self) -> None:
        """Wait no longer for a database that is away."""
        self._shared_patience.end()

    def rescue(self) -> int:
        """Keep the paid answers that are not committed yet in a file, at once; returns how many."""
        return self._worker.rescue()

    def persist(self, work: Callable[[], T]) -> T:
        """What a function makes of `engine`, called again while the database is away.

        Raises:
            RunLogError: When that takes too long.
        """
        return patiently(work, self._shared_patience)

    def _patience(self) -> Patience:
        return Patience(self._wait_s, self.name, lambda error: explain(error, self.url))

    def _save_kept(self, rows: list[Row]) -> None:
        def save() -> None:
            with self._engine.begin() as connection:
                connection.execute(
                    insert_of(connection)(tables.responses).on_conflict_do_nothing(index_elements=["key"]),
                    rows,
                )

        if rows:
            patiently(save, self._patience())

    # ---- responses and money

    async def response(self, key: str) -> StoredResponse | None:
        """The response to this very request, if it was ever paid for."""
        row = await self._worker.get(tables.responses, key)
        return StoredResponse.of(row) if row else None

    async def save_response(self, response: StoredResponse, *, reservation: str | None = None) -> None:
        """Commit a response, and with it the end of its reservation."""
        await self._worker.write(
            Insert(tables.responses, [response.row()]),
            *([Forget(tables.reservations, reservation)] if reservation else []),
        )

    # ---- the words of threads

    async def save_words(self, rows: list[Row]) -> None:
        """Commit what the state of a thread refers to: `key`, `doc_id`, `kind` and `content` each."""
        await self._worker.write(Insert(tables.words, [{**row, "created_at": now()} for row in rows]))

    async def words(self, keys: Sequence[str]) -> dict[str, str]:
        """The words that are kept under these keys, as JSON."""
        table = tables.words
        query = select(table.c.key, table.c.content).where(table.c.key.in_(keys))
        found = await self.transact(lambda connection: connection.execute(query).all())
        return {row.key: row.content for row in found}

    # ---- reservations

    async def reserve(self, key: str, run_id: str, usd: float) -> None:
        """Commit the most a call can cost, before it is sent."""
        row = {"key": key, "run_id": run_id, "usd": usd, "created_at": now()}
        await self._worker.write(Insert(tables.reservations, [row], replace=True))

    async def write(self, *writes: Write) -> None:
        """Commit these, all or none: for what has tables of its own here, such as batch jobs."""
        await self._worker.write(*writes)

    async def transact(self, work: Callable[[Connection], T], *, paid: StoredResponse | None = None) -> T:
        """What a function makes of the connection, in a transaction and in order with everything else.

        Args:
            work: The function; called again where it was not heard whether its commit was made.
            paid: The response it writes, if it does.
        """
        return await self._worker.call(work, paid=[paid.row()] if paid is not None else [])

    def transact_soon(self, work: Callable[[Connection], Any]) -> None:
        """The same for whoever cannot wait for it."""
        self._worker.send(run=work)

    def release_soon(self, key: str) -> None:
        """`release` for whoever cannot wait for it."""
        self._worker.send(Forget(tables.reservations, key))

    async def release(self, key: str) -> None:
        """A reserved call that was surely not billed."""
        await self._worker.write(Forget(tables.reservations, key))

    async def spent_usd(self, run_id: str) -> float:
        """Paid responses plus what was reserved and never heard of again (a killed process)."""
        return await self.transact(lambda connection: _spent_usd(connection, run_id))

    async def usage_since(self, model: str, since: str, *, without: Sequence[str] = ()) -> tuple[int, int]:
        """Requests answered by a model, and their tokens, from a time on (UTC, ISO), but for those of some runs."""
        table = tables.responses
        tokens_sum = func.coalesce(func.sum(table.c.input_tokens + table.c.output_tokens), 0)
        query = select(func.count(), tokens_sum).where(table.c.model == model, table.c.created_at >= since)
        if without:
            query = query.where(table.c.run_id.is_(None) | table.c.run_id.not_in(without))
        requests, tokens = await self.transact(lambda connection: tuple(connection.execute(query).one()))
        return int(requests), int(tokens)

    # ---- runs and outcomes

    async def start_run(self, row: Row) -> None:
        """Note that a run (re)starts; its first start is kept."""
        await self.transact(lambda connection: _start(connection, row))

    async def has_run(self, run_id: str) -> bool:
        """Whether a run was ever started here."""
        return await self._worker.get(tables.runs, run_id) is not None

    async def finish_run(self, run_id: str, state: str, rows: int | None, *, as_part: bool = False) -> None:
        """Note how a run ended: `finished` or `stopped`; as a part, one that was run alone keeps its place in the list."""
        runs = tables.runs.c
        when = case((runs.kind == PART, now()), else_=runs.updated_at) if as_part else now()
        values = {"state": state, "updated_at": when} | ({} if rows is None else {"rows": rows})
        change = update(tables.runs).where(tables.runs.c.run_id == run_id).values(**values)
        await self.transact(lambda connection: connection.execute(change).rowcount)

    async def plan_of(self, run_id: str) -> dict[str, Any] | None:
        """The plan a run was started with."""
        row = await self._worker.get(tables.runs, run_id)
        return read_cell(tables.runs.c.planned, row["planned"], run_id) if row and row["planned"] else None

    async def note_plan(self, run_id: str, plan: Mapping[str, Any]) -> None:
        """Keep the plan a run was started with."""
        written = json.dumps(plan, ensure_ascii=False)
        change = update(tables.runs).where(tables.runs.c.run_id == run_id).values(planned=written)
        await self.transact(lambda connection: connection.execute(change).rowcount)

    async def note_prompt(self, prompt: PromptVersion) -> None:
        """Keep what a prompt version says; once per process and version."""
        if prompt.version in self._known_prompts:
            return
        self._known_prompts.add(prompt.version)
        row = {**asdict(prompt), "created_at": now()}
        await self._worker.write(Insert(tables.prompt_versions, [row]))

    async def endpoint(self, model: str) -> str | None:
        """JSON of what a model's server was found to do; None where nobody has looked."""
        row = await self._worker.get(tables.endpoints, model)
        return None if row is None else str(row["found"])

    async def note_endpoint(self, model: str, found: str) -> None:
        """Keep what a model's server was found to do, in place of what was found before."""
        row = {"model": model, "found": found, "at": now()}
        await self._worker.write(Insert(tables.endpoints, [row], replace=True))

    async def outcome(self, key: str) -> StoredOutcome | None:
        """The stored outcome of this very document under these very settings."""
        row = await self._worker.get(tables.outcomes, key)
        return StoredOutcome(self.outcome_of(key, row["outcome"]), row["tries"], row["code"]) if row else None

    def outcome_of(self, key: str, written: str) -> Outcome:
        """An outcome's JSON, read.

        Raises:
            RunLogError: If it is damaged; it names the row.
        """
        try:
            outcome: Outcome = json.loads(written)
        except ValueError as error:
            raise RunLogError(
                f"{self.name}: the outcome under {key} is damaged ({error}); `cupel runlog repair` takes it out, "
                "and the same command makes it anew from the answers that are there"
            ) from error
        return outcome

    async def outcome_at(self, run_id: str, position: int) -> Outcome | None:
        """The stored outcome of a row of a run."""
        rows, outcomes = tables.run_rows, tables.outcomes
        query = select(outcomes.c.key, outcomes.c.outcome).join(rows, rows.c.outcome_key == outcomes.c.key)
        query = query.where(rows.c.run_id == run_id, rows.c.position == position)
        row = await self.transact(lambda connection: connection.execute(query).first())
        return None if row is None else self.outcome_of(row.key, row.outcome)

    async def save_outcome(
        self,
        key: str,
        run_id: str,
        outcome: Outcome,
        text: str,
        *,
        position: int | None = None,
        tries: int = 1,
        code: str | None = None,
        again: bool = False,
    ) -> None:
        """Commit an outcome with its attempts, verdicts and failures and the row it is of, all or none.

        Args:
            key: Hash of all that decides it.
            run_id: The run.
            outcome: What became of the document.
            text: The document's text.
            position: Its row in the run's input.
            tries: How often the document was taken up.
            code: Version of the project's code that made it.
            again: Whether an earlier outcome under this key is replaced, with all that hangs on it.
        """
        row = [] if position is None else [_row_of_run(run_id, position, key)]
        made = {"tries": tries, "code": code}
        await self._worker.write(*_outcome_writes(key, run_id, outcome, text, made, again=again), *row)

    async def forgotten_keys(self, run_id: str) -> frozenset[str]:
        """The keys under which a run has nothing but a mark that the document was forgotten."""
        table = tables.outcomes
        query = select(table.c.key).where(table.c.run_id == run_id, table.c.status == tables.FORGOTTEN)
        return await self.transact(lambda connection: frozenset(connection.execute(query).scalars()))

    async def note_row(self, run_id: str, position: int, outcome_key: str) -> None:
        """Which outcome a row of this run's input has."""
        await self._worker.write(_row_of_run(run_id, position, outcome_key))

    async def rows_done(self, run_id: str) -> int:
        """How many rows of a run's input have an outcome."""
        rows = tables.run_rows
        query = select(func.count()).where(rows.c.run_id == run_id)
        return int(await self.transact(lambda connection: connection.execute(query).scalar_one()))

    # ---- reading, for reports and commands

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of one's own for a longer read."""
        connection = patiently(self._engine.connect, self._patience())
        try:
            with connection:
                yield connection
        except SQLAlchemyError as error:
            raise RunLogError(explain(error, self.url)) from error

    def runs(self, *, trials: bool = False) -> list[Row]:
        """Every run a person started and their parts, newest first; with `trials` what was only tried out, too."""
        query = select(tables.runs).order_by(tables.runs.c.updated_at.desc())
        with self.reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [row for row in rows if trials or row["kind"] != "trial"]

    def run_outcomes(self, run_id: str) -> Iterator[tuple[int, Outcome, str]]:
        """Position, outcome and text of every row of a run, in the input's order; forgotten ones left out."""
        rows, outcomes, documents = tables.run_rows, tables.outcomes, tables.documents
        joined = rows.join(outcomes, rows.c.outcome_key == outcomes.c.key).outerjoin(
            documents, outcomes.c.text_hash == documents.c.text_hash
        )
        query = select(rows.c.position, outcomes.c.key, outcomes.c.outcome, documents.c.text)
        query = query.select_from(joined)
        query = query.where(rows.c.run_id == run_id, outcomes.c.status != tables.FORGOTTEN)
        with self.reading() as connection:
            for row in connection.execution_options(yield_per=200).execute(query.order_by(rows.c.position)):
                yield row.position, self.outcome_of(row.key, row.outcome), row.text or ""

    def find_document(self, doc_id: str, run_id: str | None = None) -> list[tuple[Row, str]]:
        """Every stored outcome row of a document with its text, newest first."""
        outcomes, documents = tables.outcomes, tables.documents
        joined = outcomes.outerjoin(documents, outcomes.c.text_hash == documents.c.text_hash)
        query = select(*outcomes.c, documents.c.text).select_from(joined)
        query = query.where(outcomes.c.doc_id == doc_id, outcomes.c.status != tables.FORGOTTEN)
        if run_id:
            query = query.where(outcomes.c.run_id == run_id)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(outcomes.c.finished_at.desc())).mappings()
            return [(dict(row), row["text"] or "") for row in rows]

    def responses_of(self, keys: Sequence[str]) -> dict[str, StoredResponse]:
        """Stored responses by key."""
        query = select(tables.responses).where(tables.responses.c.key.in_(keys))
        with self.reading() as connection:
            return {row["key"]: StoredResponse.of(dict(row)) for row in connection.execute(query).mappings()}

    def rows_of(self, table: Table, **equal: Any) -> list[Row]:
        """Rows of one table whose columns equal these values."""
        query = select(table)
        for name, value in equal.items():
            query = query.where(table.c[name] == value)
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def count_forgotten(self, run_id: str) -> int:
        """Rows of a run whose documents were forgotten."""
        rows, outcomes = tables.run_rows, tables.outcomes
        query = select(func.count()).select_from(rows.join(outcomes, rows.c.outcome_key == outcomes.c.key))
        with self.reading() as connection:
            query = query.where(rows.c.run_id == run_id, outcomes.c.status == tables.FORGOTTEN)
            return int(connection.execute(query).scalar_one())

    def forget(self, what: Selection, *, try_only: bool = False) -> Forgotten:
        """Take documents out for good; with `try_only` say what would go."""
        return forget_for_good(self._engine, self.url, what, try_only=try_only)

    def document_ids(self, prefix: str = "", limit: int = 20) -> list[str]:
        """Some ids in the log that start like this, for a helpful error."""
        column = tables.outcomes.c.doc_id
        query = select(column).where(
            column.startswith(prefix, autoescape=True), tables.outcomes.c.status != tables.FORGOTTEN
        )
        query = query.distinct().limit(limit)
        with self.reading() as connection:
            return list(connection.execute(query).scalars())


def _spent_usd(connection: Connection, run_id: str) -> float:
    responses, reservations = tables.responses, tables.reservations
    paid = select(func.coalesce(func.sum(responses.c.cost_usd), 0.0)).where(responses.c.run_id == run_id)
    held = select(func.coalesce(func.sum(reservations.c.usd), 0.0)).where(reservations.c.run_id == run_id)
    return float(connection.execute(paid).scalar_one()) + float(connection.execute(held).scalar_one())


def _start(connection: Connection, row: Row) -> None:
    # in one statement: another process may start the very same run at this moment
    started = insert_of(connection)(tables.runs).values(
        **row, state="running", started_at=now(), updated_at=now()
    )
    # a run of one task is the same run as that task's part: as a part it leaves name, output and place in the list alone
    renewed = ("state",) if row.get("kind") == PART else ("state", "updated_at", "output_name", "kind")
    again = {name: started.excluded[name] for name in renewed}
    connection.execute(started.on_conflict_do_update(index_elements=["run_id"], set_=again))


def _row_of_run(run_id: str, position: int, outcome_key: str) -> Insert:
    row = {"run_id": run_id, "position": position, "outcome_key": outcome_key}
    return Insert(tables.run_rows, [row], replace=True)


def _outcome_writes(
    key: str, run_id: str, outcome: Outcome, text: str, made: Row, *, again: bool
) -> list[Write]:
    digest = text_hash(text)
    row = {
        "key": key, "run_id": run_id, "doc_id": outcome["doc_id"], "text_hash": digest, "task": outcome["task"],
        "status": outcome["status"], "cost_usd": outcome["cost_usd"], "finished_at": now(), **made,
        "outcome": json.dumps(outcome, ensure_ascii=False),
    }  # fmt: skip
    details = (tables.attempts, tables.verdicts, tables.failures, tables.golds) if again else ()
    return [
        *(Forget(table, key, first=True) for table in details),
        Insert(tables.documents, [{"text_hash": digest, "text": text}]),
        Insert(tables.outcomes, [row], replace=True),
        Insert(tables.attempts, attempt_rows(key, outcome), replace=True),
        Insert(tables.verdicts, verdict_rows(key, outcome), replace=True),
        Insert(tables.failures, failure_rows(key, run_id, outcome, created_at=now()), replace=True),
    ]


def open_run_log(state: Path, env: Mapping[str, str]) -> RunLog:
    """The run log in a project's state folder, or the one `CUPEL_DATABASE_URL` names."""
    url = database_url(state, env)
    announce_place("the run log is", url.removeprefix(SQLITE), env, names=(VARIABLE,))
    return RunLog(url, wait_s=wait_of(env), state=state)
