"""Documents taken out of the run log for good: texts, replies and records go, what was paid stays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, Table, delete, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from cupel.errors import RunLogError
from cupel.runlog import tables
from cupel.runlog.cells import read_cell
from cupel.runlog.database import explain
from cupel.runlog.tables import FORGOTTEN
from cupel.runlog.worker import Row, insert_of
from cupel.state import Outcome, calls_of
from cupel.text import find_traces

_AT_ONCE = 400
"""Keys in one statement: SQLite takes a thousand values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which documents are forgotten: those that meet all that is said.

    Args:
        doc_ids: With one of these ids, in any run.
        run_ids: In one of these runs: of several tasks, each is a run of its own.
        before: Whose outcome was reached before this time (UTC, ISO).
    """

    doc_ids: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    before: str | None = None

    def of(self, table: Table, time: str) -> list[ColumnElement[bool]]:
        """The conditions on a table that knows runs and documents, with the name of its column of time."""
        conditions: list[ColumnElement[bool]] = []
        if self.doc_ids:
            conditions.append(table.c.doc_id.in_(self.doc_ids))
        if self.run_ids:
            conditions.append(table.c.run_id.in_(self.run_ids))
        if self.before is not None:
            conditions.append(table.c[time] < self.before)
        return conditions


@dataclass(slots=True, kw_only=True)
class Forgotten:
    """What was taken out."""

    documents: int = 0
    """Outcomes; a document that three runs had counts three times."""

    replies: int = 0
    words: int = 0
    """Texts, records and findings that threads of a server refer to."""

    run_ids: list[str] = field(default_factory=list)
    doc_ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """The texts, so that what was made of them elsewhere can be found."""

    same_text: list[str] = field(default_factory=list)
    """Ids of documents that stay and have a text of those: it stays with them."""


def forgotten_outcome(doc_id: str, task: str, cost_usd: float | None) -> Outcome:
    """What stands for a document that was forgotten: no status, no record, what it cost."""
    no_status: Any = None
    return Outcome(
        doc_id=doc_id, task=task, status=no_status, record=None, evidence=[], confidence=None, score=None,
        calibrated=False, model=None, tier=None, prompt_version="", reasons=[FORGOTTEN], cost_usd=cost_usd,
        latency_s=0.0, language=None, attempts=[], verdicts=[], addenda=[], review=None, path=[FORGOTTEN],
    )  # fmt: skip


def is_forgotten(outcome: Outcome) -> bool:
    """Whether it stands for a forgotten document."""
    return outcome["path"] == [FORGOTTEN]


def hide_id(doc_id: str) -> str:
    """What stands for the id of a forgotten document.

    >>> hide_id("debate-7")
    'forgotten-66d4b991b7c2'
    """
    return f"{FORGOTTEN}-{sha256(doc_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def tombstone_key(run_id: str, doc_id: str) -> str:
    """The key that keeps a run from taking up again a document that had no outcome yet when it was forgotten."""
    return _hash(f"{run_id}\x1f{FORGOTTEN}\x1f{hide_id(doc_id)}")


def forget(connection: Connection, what: Selection) -> Forgotten:
    """Take documents out, in the transaction of this connection.

    Of an outcome stay its key, run, task and cost, of a reply its model, tokens, cost and time: the money adds up as
    before. A reply that another document of the same text was answered by stays, as that document's; one that
    several documents share a request with goes. Replies about no one document (of a rewriter) go where they share
    six words in a row with a forgotten text.

    Raises:
        RunLogError: If a batch job that holds one of them is still at a provider.
    """
    _check_batches(connection, what)
    gone = _outcomes(connection, *what.of(tables.outcomes, "finished_at"))
    keys, hashes = {row["key"] for row in gone}, {row["text_hash"] for row in gone if row["text_hash"]}
    staying = [row for row in _with_texts(connection, hashes) if row["key"] not in keys]
    replies, kept = _calls(gone), {key for key, packed in _calls(staying).items() if not packed}
    loose = _loose_replies(connection, what)
    doomed = {key for key, packed in replies.items() if packed or key not in kept}
    doomed |= {row["key"] for row in loose}
    lone_hashes = hashes - {row["text_hash"] for row in staying}
    served = _words(connection, what)
    texts = [*_texts(connection, lone_hashes), *(row["content"] for row in served if row["kind"] == "text")]
    doomed |= _written_from(connection, texts)
    forgotten = Forgotten(
        documents=len(gone),
        run_ids=sorted({row["run_id"] for row in [*gone, *loose] if row["run_id"]}),
        doc_ids=sorted(
            {row["doc_id"] for row in [*gone, *loose, *served] if row["doc_id"]} | set(what.doc_ids)
        ),
        texts=texts,
        same_text=sorted({row["doc_id"] for row in staying}),
        replies=_empty_replies(connection, doomed),
        words=len(served),
    )
    _delete(connection, tables.words.c.key, {row["key"] for row in served})
    _hand_over(connection, kept & set(replies), staying)
    for table in (tables.attempts, tables.verdicts, tables.failures, tables.golds):
        _delete(connection, table.c.outcome_key, keys)
    _delete(connection, tables.documents.c.text_hash, lone_hashes)
    _empty_outcomes(connection, gone)
    _bury(connection, loose)
    connection.execute(delete(tables.batch_requests).where(*what.of(tables.batch_requests, "created_at")))
    return forgotten


def forget_for_good(engine: Engine, url: str, what: Selection, *, try_only: bool = False) -> Forgotten:
    """Take documents out in one transaction, then have the database write over what was deleted.

    Args:
        engine: The run log's.
        url: Its address, for messages.
        what: Which documents.
        try_only: Say what would go, and leave everything as it is.

    Raises:
        RunLogError: If the database fails, or a batch job that holds one of them is still at a provider.
    """
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            forgotten = forget(connection, what)
            if try_only:
                transaction.rollback()
                return forgotten
        # a deleted row stands in the file until its page is used again
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
            if connection.dialect.name == "sqlite":
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    except SQLAlchemyError as error:
        raise RunLogError(explain(error, url)) from error
    return forgotten


def _check_batches(connection: Connection, what: Selection) -> None:
    table = tables.batch_requests
    waiting = select(table.c.run_id).where(table.c.state == "sent", *what.of(table, "created_at")).distinct()
    if runs := sorted(connection.execute(waiting).scalars()):
        raise RunLogError(
            f"a batch job of run {', '.join(runs)} is still at its provider with documents to be forgotten; "
            "collect it with the run's own command first, then forget them"
        )


def _outcomes(connection: Connection, *conditions: ColumnElement[bool]) -> list[Row]:
    query = select(tables.outcomes).where(tables.outcomes.c.status != FORGOTTEN, *conditions)
    return [dict(row) for row in connection.execute(query).mappings()]


def _with_texts(connection: Connection, hashes: Iterable[str]) -> list[Row]:
    column = tables.outcomes.c.text_hash
    return [row for some in _some(hashes) for row in _outcomes(connection, column.in_(some))]


def _some(values: Iterable[str]) -> Iterator[list[str]]:
    listed = sorted(values)
    yield from (listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE))


def _calls(rows: Iterable[Row]) -> dict[str, bool]:
    """The keys of the replies these outcomes came of, and whether other documents were asked about with them."""
    return {
        call["key"]: call.get("packed", 1) > 1
        for row in rows
        for _, call in calls_of(read_cell(tables.outcomes.c.outcome, row["outcome"], row["key"]))
    }


def _loose_replies(connection: Connection, what: Selection) -> list[Row]:
    """Replies about a document under a run that has no outcome of it: it was killed, or stopped, in between."""
    replies, outcomes = tables.responses, tables.outcomes
    has_one = select(outcomes.c.key).where(
        outcomes.c.doc_id == replies.c.doc_id,
        outcomes.c.run_id == replies.c.run_id,
        outcomes.c.status != FORGOTTEN,
    )
    query = select(replies.c.key, replies.c.run_id, replies.c.doc_id, replies.c.kind).where(
        replies.c.doc_id.is_not(None),
        replies.c.finish_reason.is_distinct_from(FORGOTTEN),
        *what.of(replies, "created_at"),
        ~has_one.exists(),
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _words(connection: Connection, what: Selection) -> list[Row]:
    """What threads refer to; they are of no run."""
    table = tables.words
    if what.run_ids:
        return []
    rows = connection.execute(select(table).where(*what.of(table, "created_at"))).mappings()
    return [{**row, "content": json.loads(row["content"])} for row in rows]


def _texts(connection: Connection, hashes: Iterable[str]) -> list[str]:
    table = tables.documents
    return [
        found
        for some in _some(hashes)
        for found in connection.execute(select(table.c.text).where(table.c.text_hash.in_(some))).scalars()
    ]


def _written_from(connection: Connection, texts: list[str]) -> set[str]:
    """Keys of replies about no one document, such as a rewriter's, that were made from one of the texts."""
    table = tables.responses
    query = select(table.c.key, table.c.asked, table.c.text).where(
        table.c.kind.in_(("improve", "compare")) | table.c.doc_id.is_(None)
    )
    replies = connection.execute(query).mappings() if texts else ()
    return find_traces(texts, {row["key"]: f"{row['asked']} {row['text']}" for row in replies})


def _empty_replies(connection: Connection, keys: Iterable[str]) -> int:
    """Keep of these replies what they cost, under a key that no request has: the request may be made anew."""
    table, emptied = tables.responses, 0
    for some in _some(keys):
        ids = connection.execute(select(table.c.key, table.c.doc_id).where(table.c.key.in_(some))).all()
        for key, doc_id in ids:
            change = update(table).where(table.c.key == key).values(
                key=_hash(f"{FORGOTTEN}\x1f{key}"), doc_id=doc_id and hide_id(doc_id), asked="[]", text="",
                refusal=None, finish_reason=FORGOTTEN, logprobs=None,
            )  # fmt: skip
            emptied += connection.execute(change).rowcount
    return emptied


def _hand_over(connection: Connection, keys: Iterable[str], staying: list[Row]) -> None:
    """Name the document that stays on replies that are its as well."""
    owner = {
        call["key"]: row["doc_id"]
        for row in staying
        for _, call in calls_of(read_cell(tables.outcomes.c.outcome, row["outcome"], row["key"]))
    }
    for key in keys:
        change = update(tables.responses).where(tables.responses.c.key == key).values(doc_id=owner[key])
        connection.execute(change)


def _delete(connection: Connection, column: Column[Any], values: Iterable[str]) -> None:
    for some in _some(values):
        connection.execute(delete(column.table).where(column.in_(some)))


def _empty_outcomes(connection: Connection, rows: list[Row]) -> None:
    for row in rows:
        change = update(tables.outcomes).where(tables.outcomes.c.key == row["key"])
        connection.execute(change.values(**_emptied(row["doc_id"], row["task"], row["cost_usd"])))


def _emptied(doc_id: str, task: str, cost_usd: float | None) -> Row:
    hidden = hide_id(doc_id)
    outcome = json.dumps(forgotten_outcome(hidden, task, cost_usd))
    return {"doc_id": hidden, "status": FORGOTTEN, "outcome": outcome}


def _bury(connection: Connection, loose: list[Row]) -> None:
    """Leave a mark where a run knows replies of a document and no outcome: resumed, it does not ask again."""
    task_of = dict(connection.execute(select(tables.runs.c.run_id, tables.runs.c.task)).all())
    for run_id, doc_id in {(row["run_id"], row["doc_id"]) for row in loose if row["run_id"] in task_of}:
        key, task = tombstone_key(run_id, doc_id), task_of[run_id]
        row = {
            "key": key, "run_id": run_id, "text_hash": "", "task": task, "cost_usd": None, "tries": 1,
            "finished_at": "", **_emptied(doc_id, task, None),
        }  # fmt: skip
        connection.execute(insert_of(connection)(tables.outcomes).values(row).on_conflict_do_nothing())


def _hash(said: str) -> str:
    return sha256(said.encode()).hexdigest()
