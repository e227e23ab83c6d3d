"""What was ever tried on a task's prompt: versions, looks, decisions and promotions, in the run log and beside the prompt.

The run log has every entry whole. `prompts/<task>/ledger.jsonl` has those that others must know, for git: one line an
entry, of hashes and figures, never a text or gold. Lines are a set, in whatever order: branches that were merged have
the entries of both, and a clone whose run log is empty knows the looks that were spent. Reading unites the two; each
write brings both up to date. Nothing is changed or taken out, and an entry with a known key is not written again, so a
run killed at any instant and started anew leaves the same ledger; but for remarks that quote a document somebody asked
to be forgotten, which are emptied.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from cupel.errors import OutputPathError, RunLogError, UsageError
from cupel.files import SHARED, read_text, write_whole
from cupel.improvement.entries import Book, Entry, Kind, Look, digest
from cupel.runlog import (
    FORGOTTEN,
    Database,
    OpenDatabase,
    database_url,
    exact_time,
    hold_lease,
    insert_of,
    sqlite_path,
    tables,
    wait_of,
)
from cupel.text import find_traces

__all__ = ["Book", "Entry", "Kind", "Ledger", "Look", "ledger_of"]

FILE = "ledger.jsonl"
VERSIONS = "versions"
"""Folder of a task with what its promoted versions say: who clones it can go back to them."""

PUBLIC: Mapping[str, tuple[str, ...]] = {
    "version": ("version", "parent", "author"),
    "look": ("version", "against", "docs", "follows", "held_out"),
    "decision": (
        "version", "against", "decision", "evidence", "look_key", "metric", "n", "groups", "fixes", "breaks", "before",
        "after", "gain", "interval", "p", "test", "alpha",
    ),
    "promotion": ("version", "from", "environment", "approver"),
    "rollback": ("version", "from", "environment", "approver"),
}  # fmt: skip
"""What of each kind is committed; other kinds stay in the run log."""

MARKS = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")
"""Git's, between the lines of two branches: lines are a set, so what they enclose is read as any other."""


class Ledger:
    """The ledgers of a project's tasks.

    Args:
        database: The run log, or how to open it: an address.
        prompts: The tasks' folders, each with its committed ledger; none is written or read where left out.
        earlier: The file in which Cupel kept the ledger before the run log had it.
    """

    def __init__(
        self, database: Database | str, *, prompts: Path | None = None, earlier: Path | None = None
    ) -> None:
        self._given, self._prompts, self._earlier = database, prompts, earlier

    @property
    def place(self) -> str:
        """What a holder of the ledger excludes others from: one for each run log."""
        return self._given if isinstance(self._given, str) else str(self._given.engine.url)

    @cached_property
    def _database(self) -> Database:
        return (
            OpenDatabase(self._given, wait_s=wait_of(os.environ))
            if isinstance(self._given, str)
            else self._given
        )

    def path(self, task: str) -> Path | None:
        """The committed ledger of a task; None where there is no folder to keep it in."""
        folder = self._prompts / task if self._prompts is not None else None
        return folder / FILE if folder is not None and folder.is_dir() else None

    # ---- reading

    def book(self, task: str) -> Book:
        """All that is known of a task, of this run log and of the committed ledger.

        Raises:
            RunLogError: For a line of the file that is no entry, naming it.
        """
        kept, shown = self._stored(task)
        lines = self._read_file(task)
        for how, at, docs in lines.shown:
            for name in docs:
                shown[name] = min(shown.get(name, (at, how)), (at, how))
        # what the run log has is whole, the file's lines have less
        merged = [
            replace(entry, at=min(entry.at, line.at)) if (line := lines.entries.get(entry.id)) else entry
            for entry in kept
        ]
        known = {entry.id for entry in kept}
        merged += [self._with_content(e) for key, e in lines.entries.items() if key not in known]
        return Book.of(merged, shown)

    def entries(self, *, task: str | None = None, kind: Kind | None = None) -> list[Entry]:
        """Return the entries, oldest first."""
        names = [task] if task is not None else self._tasks()
        found = [entry for name in names for entry in self.book(name).entries if kind in (None, entry.kind)]
        return sorted(found, key=lambda entry: entry.order)

    def _tasks(self) -> list[str]:
        def read(connection: Connection) -> list[str]:
            return list(connection.execute(select(tables.ledger.c.task).distinct()).scalars())

        named = (
            {path.parent.name for path in self._prompts.glob(f"*/{FILE}")}
            if self._prompts is not None
            else set()
        )
        return sorted({*named, *self._reading(read, []), *(entry.task for entry in self._read_earlier())})

    def _stored(self, task: str) -> tuple[list[Entry], dict[str, tuple[str, str]]]:
        ledger, seen = tables.ledger, tables.seen_documents

        def read(connection: Connection) -> tuple[list[Entry], dict[str, tuple[str, str]]]:
            rows = connection.execute(select(ledger).where(ledger.c.task == task)).all()
            shown = connection.execute(select(seen).where(seen.c.task == task)).all()
            entries = [Entry(row.kind, row.task, row.key, row.at, json.loads(row.data)) for row in rows]
            return entries, {row.doc_hash: (row.at, row.how) for row in shown}

        entries, shown = self._reading(read, ([], {}))
        known = {entry.id for entry in entries}
        earlier = [e for e in self._read_earlier() if e.task == task and e.id not in known]
        return [*entries, *earlier], dict(shown)

    def _reading(self, read: Any, nothing: Any) -> Any:
        """What the run log says; nothing where there is none yet: looking makes no file."""
        if (
            isinstance(self._given, str)
            and (path := sqlite_path(self._given)) is not None
            and not path.exists()
        ):
            return nothing
        database = self._database

        def work() -> Any:
            with database.engine.connect() as connection:
                return read(connection)

        return database.persist(work)

    def _read_file(self, task: str) -> _Lines:
        path = self.path(task)
        lines = _Lines({}, [])
        for number, line in enumerate(_bytes_of(path).split(b"\n") if path else [], 1):
            if line.strip() and not line.startswith(MARKS):
                lines.take(_row_of(line, f"{path}:{number}"), task)
        return lines

    def _with_content(self, entry: Entry) -> Entry:
        """A version of the committed ledger with what it says, where it was promoted and so is kept."""
        if entry.kind != "version" or self._prompts is None:
            return entry
        path = self._prompts / entry.task / VERSIONS / f"{entry.key}.json"
        try:
            content = json.loads(read_text(path))
        except (OSError, ValueError):
            return entry
        return replace(entry, data={**content, **entry.data})

    def _read_earlier(self) -> list[Entry]:
        """The ledger of a Cupel that kept it in a file of its own; a last line torn by a kill is passed over."""
        content = _bytes_of(self._earlier) if self._earlier is not None else b""
        entries = []
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                row = json.loads(line)
                entries.append(Entry(row["kind"], row["task"], row["key"], row["at"], row["data"]))
            except (ValueError, KeyError, TypeError) as error:
                raise RunLogError(
                    f"{self._earlier}:{number}: not a ledger entry ({error}); restore the file, lines are never edited"
                ) from error
        return entries

    # ---- writing

    def append(self, kind: Kind, *, task: str, key: str, at: str, data: Mapping[str, Any]) -> Entry:
        """Write an entry; where its key is known, return the one that stands.

        Raises:
            RunLogError: If the run log cannot be written.
        """
        return self._write(Entry(kind, task, key, at, data))

    def spend_look(
        self,
        *,
        task: str,
        key: str,
        version: str,
        against: str,
        docs: Iterable[str],
        follows: Collection[str] = (),
    ) -> Look:
        """Spend a look at documents on a candidate, before anything of it is seen.

        The same key again (after a kill, or to be shown) spends nothing more.

        Args:
            task: The task.
            key: What the look is about: campaign and candidate.
            version: The candidate.
            against: What it is compared with.
            docs: Hashes of the documents, from `document_hash`.
            follows: Keys of looks of a nominee that passed, of which this candidate is a person's edit.
        """
        data = {"version": version, "against": against, "docs": sorted(docs)}
        data |= {"follows": sorted(follows)} if follows else {}
        self._write(Entry("look", task, key, exact_time(), data))
        look = self.book(task).look(key)
        if look is None:  # pragma: no cover - it was just written
            raise RunLogError(f"the look {key} of {task!r} was written and is not there")
        return look

    def looks(self, task: str) -> int:
        """Count the looks that were spent on a task's prompts."""
        return len(self.book(task).looks)

    def promote(
        self, version: str, *, task: str, approver: str, at: str | None = None, environment: str = "local"
    ) -> Entry:
        """Point a task's environment at a version; whether it may is for the caller to know.

        Promoting the active version again is no entry.
        """
        return self._point("promotion", version, task=task, approver=approver, at=at, environment=environment)

    def rollback(
        self, version: str, *, task: str, approver: str, at: str | None = None, environment: str = "local"
    ) -> Entry:
        """Point a task's environment back at a version it was at, or started from.

        Raises:
            UsageError: If it never was; the message names those it was at.
        """
        been = self.history(task, environment)
        if version not in been:
            raise UsageError(
                f"{task!r} was never at version {version}; it was at {', '.join(been) or 'none'}"
            )
        return self._point("rollback", version, task=task, approver=approver, at=at, environment=environment)

    def active(self, task: str, environment: str = "local") -> str | None:
        """Return the version an environment points at; None before the first promotion."""
        moves = self.book(task).moves(environment)
        return str(moves[-1].data["version"]) if moves else None

    def history(self, task: str, environment: str = "local") -> list[str]:
        """Return every version an environment was at, oldest first, each once; first what it started from."""
        moves = self.book(task).moves(environment)
        been = [str(v) for move in moves for v in (move.data["from"], move.data["version"]) if v]
        return list(dict.fromkeys(been))

    def lineage(self, task: str, version: str) -> list[str]:
        """Return a version and its parents, youngest first."""
        return self.book(task).lineage(version)

    def forget(self, texts: Sequence[str]) -> int:
        """Empty what was said beside prompts where it quotes one of these texts; returns in how many entries.

        A prompt's own words stay, since its version is their hash: where they quote a text, the file still does. The
        committed ledger has no remarks, and keeps the hashes of documents.

        Args:
            texts: What is to be forgotten.

        Raises:
            RunLogError: If the run log or the file of before cannot be written.
        """
        table = tables.ledger

        def read(connection: Connection) -> dict[str, str]:
            return {row.id: row.data for row in connection.execute(select(table.c.id, table.c.data))}

        kept = {key: json.loads(data) for key, data in self._reading(read, {}).items()}
        emptied = _empty_quoting(kept, texts)
        if emptied:
            database = self._database

            def write() -> None:
                with database.engine.begin() as connection:
                    for key, data in emptied.items():
                        written = json.dumps(data, sort_keys=True, allow_nan=False)
                        connection.execute(update(table).where(table.c.id == key).values(data=written))

            database.persist(write)
        return len(emptied.keys() | self._forget_earlier(texts))

    def _forget_earlier(self, texts: Sequence[str]) -> set[str]:
        """The same in the file of before; ids of the entries."""
        entries = self._read_earlier()
        emptied = _empty_quoting({entry.id: entry.data for entry in entries}, texts)
        if emptied and self._earlier is not None:
            rows = [
                {"kind": e.kind, "task": e.task, "key": e.key, "at": e.at, "data": emptied.get(e.id, e.data)}
                for e in entries
            ]
            lines = (json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n" for row in rows)
            write_whole(self._earlier, "".join(lines))
        return set(emptied)

    @contextlib.contextmanager
    def session(self, task: str, *, wait_s: float = 0.0) -> Iterator[None]:
        """Hold a task for improving it, by a lease of the run log; another who wants it is refused, or waits.

        Args:
            task: The task.
            wait_s: How long to wait for another to finish.

        Raises:
            RunBusyError: If another process holds it, naming it.
        """
        with hold_lease(self._database, f"task-{task}"[:64], what=f"work on task {task!r}", wait_s=wait_s):
            yield

    def _point(
        self, kind: Kind, version: str, *, task: str, approver: str, at: str | None, environment: str
    ) -> Entry:
        book = self.book(task)
        moves = book.moves(environment)
        if moves and moves[-1].data["version"] == version:
            return moves[-1]
        at = _later(at or exact_time(), moves[-1].at if moves else "")
        origin = str(moves[-1].data["version"]) if moves else next(iter(book.lineage(version)[1:]), None)
        data = {"version": version, "from": origin, "environment": environment, "approver": approver}
        # what it says is in its key: of two clones that moved, each keeps its move
        entry = self._write(Entry(kind, task, digest([at, data]), at, data))
        self._keep_content(task, [version, *([origin] if origin else [])])
        return entry

    def _write(self, entry: Entry) -> Entry:
        """Bring the run log up to date with the file and with this entry, then the file with the run log."""
        book = self.book(entry.task)
        if known := next((one for one in book.entries if one.id == entry.id), None):
            entry = known

        def write() -> None:
            with self._database.engine.begin() as connection:
                _store(connection, [*book.entries, entry], entry.task, book.shown)

        self._database.persist(write)
        self._write_file(entry.task)
        return entry

    def _write_file(self, task: str) -> None:
        """The committed ledger, whole: what the run log and the file know together, a line an entry, sorted."""
        path = self.path(task)
        if path is None:
            return
        book = self.book(task)
        rows = [row for entry in book.entries if (row := _public(entry)) is not None]
        content = "".join(_line(row) for row in [*rows, *_shown_rows(book.shown)])
        if content.encode() == _bytes_of(path):
            return
        try:
            write_whole(path, content, permissions=SHARED)
        except OSError as error:
            # the run log has it: who may not write here, as in an image, can still work
            logging.getLogger("cupel").warning(
                "%s: cannot be written (%s); the run log has all of it, clones of the folder do not",
                path, error.strerror or error,
            )  # fmt: skip

    def _keep_content(self, task: str, versions: Collection[str]) -> None:
        """Keep what versions say beside the committed ledger."""
        if (path := self.path(task)) is None:
            return
        for entry in self.book(task).kind("version"):
            file = path.parent / VERSIONS / f"{entry.key}.json"
            if entry.key in versions and "rules" in entry.data and not file.exists():
                content = {
                    name: value
                    for name, value in entry.data.items()
                    if name not in ("edits", "dropped", "diff", "campaign")
                }
                written = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
                try:
                    file.parent.mkdir(exist_ok=True)
                    write_whole(file, written, permissions=SHARED)
                except OSError as error:
                    raise OutputPathError(f"{file}: cannot be written ({error.strerror or error})") from error


_PROMPTS = frozenset({"extract", "judge", "judge_items", "refine", "text"})
"""Under these keys stands what versions are hashes of."""


def _empty_quoting(data: Mapping[str, Mapping[str, Any]], texts: Sequence[str]) -> dict[str, Any]:
    """Those of these entries whose remarks quote one of the texts, without the remarks."""
    lines = {key: json.dumps(each, ensure_ascii=False) for key, each in data.items()}
    made = {key: _emptied(data[key], texts) for key in find_traces(texts, lines)}
    return {key: each for key, each in made.items() if each != data[key]}


def _emptied(value: Any, texts: Sequence[str]) -> Any:
    """Plain JSON without the remarks that quote one of the texts."""
    match value:
        case Mapping():
            return {k: v if k in _PROMPTS else _emptied(v, texts) for k, v in value.items()}
        case list():
            return [_emptied(each, texts) for each in value]
        case str() if find_traces(texts, {0: value}):
            return FORGOTTEN
    return value


class _Lines:
    """What a committed ledger says."""

    def __init__(self, entries: dict[str, Entry], shown: list[tuple[str, str, list[str]]]) -> None:
        self.entries, self.shown = entries, shown

    def take(self, row: Mapping[str, Any], task: str) -> None:
        """One line more; of two with one key, which two clones wrote, the earlier one."""
        if row["kind"] == "seen":
            self.shown.append((row["data"]["how"], row["at"], list(row["data"]["docs"])))
            return
        entry = Entry(row["kind"], task, row["key"], row["at"], row["data"])
        standing = self.entries.get(entry.id)
        if standing is None or entry.order < standing.order:
            self.entries[entry.id] = entry


def _row_of(line: bytes, where: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
        said = row.pop("id")
        problem = "" if said == digest(row) else "it was changed after it was written"
        if row["kind"] not in PUBLIC and row["kind"] != "seen":
            problem = f"its kind {row['kind']!r} is of a newer Cupel"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem, row = f"{type(error).__name__}: {error}", {}
    if problem:
        raise RunLogError(
            f"{where}: not an entry of a ledger ({problem}); restore the line from git, lines are never edited"
        )
    return row


def _public(entry: Entry) -> dict[str, Any] | None:
    names = PUBLIC.get(entry.kind)
    if names is None:
        return None
    data = {name: entry.data[name] for name in names if name in entry.data}
    return {"kind": entry.kind, "key": entry.key, "at": entry.at, "data": data}


def _shown_rows(shown: Mapping[str, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    together: dict[tuple[str, str], list[str]] = {}
    for name, moment in shown.items():
        together.setdefault(moment, []).append(name)
    for (at, how), docs in sorted(together.items()):
        data = {"how": how, "docs": sorted(docs)}
        yield {"kind": "seen", "key": digest(data), "at": at, "data": data}


def _line(row: Mapping[str, Any]) -> str:
    whole = {"id": digest(row), **row}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def _store(
    connection: Connection, entries: Iterable[Entry], task: str, shown: Mapping[str, tuple[str, str]]
) -> None:
    ledger, seen = tables.ledger, tables.seen_documents
    stored = set(connection.execute(select(ledger.c.id).where(ledger.c.task == task)).scalars())
    rows = [
        {
            "id": entry.id, "task": task, "kind": entry.kind, "key": entry.key, "at": entry.at,
            "data": json.dumps(entry.data, sort_keys=True, allow_nan=False),
        }
        for entry in entries if entry.id not in stored
    ]  # fmt: skip
    known = set(connection.execute(select(seen.c.doc_hash).where(seen.c.task == task)).scalars())
    new = [
        {"task": task, "doc_hash": name, "how": how, "at": at}
        for name, (at, how) in shown.items()
        if name not in known
    ]
    # another process may write the same at this moment
    if rows:
        connection.execute(insert_of(connection)(ledger).on_conflict_do_nothing(index_elements=["id"]), rows)
    if new:
        keys = ["task", "doc_hash"]
        connection.execute(insert_of(connection)(seen).on_conflict_do_nothing(index_elements=keys), new)


def _later(at: str, than: str) -> str:
    """A time, moved behind another one where a clock went back or two moves fell into one moment."""
    if at > than:
        return at
    return (datetime.fromisoformat(than) + timedelta(microseconds=1)).isoformat(timespec="microseconds")


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunLogError(f"{path}: cannot be read ({error.strerror})") from error


def ledger_of(state: Path, database: Database | None = None) -> Ledger:
    """The ledger of the project whose state folder this is.

    Args:
        state: The folder.
        database: Its run log, where that is open.
    """
    prompts = state.parent / "prompts"
    return Ledger(
        database or database_url(state, os.environ),
        prompts=prompts if prompts.is_dir() else None,
        earlier=state / "refinement" / "ledger.jsonl",
    )
