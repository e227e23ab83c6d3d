"""Which documents of a task were seen: an outcome that somebody looked at can no longer prove a prompt they then changed.

*Seen* is what was shown with its gold, or with right and wrong, beside a result of the task's prompt: in a terminal,
on a page, in a frame; or what went to a rewriter, or to an earlier gate. Whoever shows such a thing says so with
`note_seen`; the gate decides on documents that are not among them (`Book.seen`).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection

from cupel.runlog import Database, RunLog, exact_time, insert_of, tables
from cupel.text import words


@functools.lru_cache(maxsize=2_048)  # a campaign asks for the same ones at every step
def document_hash(text: str) -> str:
    """Sixteen hexadecimal digits of a document's words: other spaces, quotes or capitals make no other document.

    >>> document_hash("A point, well made.") == document_hash("  a point / well made")
    True
    """
    said = " ".join(words(text)) or text
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def note_seen(run_log: RunLog | Database, task: str, doc_hashes: Iterable[str], *, how: str) -> int:
    """Note that documents were shown beside a result of a task's prompt; the first time counts, again changes nothing.

    Call it before the showing, so that a killed process has noted too much and never too little. It waits for the
    run log: from asynchronous code, call it in a thread.

    Args:
        run_log: The run log.
        task: The task's name.
        doc_hashes: Of the documents' texts, from `document_hash`.
        how: Where they are shown, in a word or two: `rerun`, `show`, `failures`, `report`, `rewriter`.

    Returns:
        How many were not seen before.

    Raises:
        RunLogError: If the run log cannot be written.
    """
    at = exact_time()
    rows = [{"task": task, "doc_hash": name, "how": how, "at": at} for name in dict.fromkeys(doc_hashes)]

    def write() -> int:
        with run_log.engine.begin() as connection:
            return _insert(connection, rows)

    return run_log.persist(write) if rows else 0


def _insert(connection: Connection, rows: list[dict[str, str]]) -> int:
    table = tables.seen_documents
    insert = insert_of(connection)(table).on_conflict_do_nothing(index_elements=["task", "doc_hash"])
    # one by one: a list is sent as one statement whose count of rows not every driver knows
    return sum(connection.execute(insert, row).rowcount for row in rows)
