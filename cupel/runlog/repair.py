"""A damaged SQLite run log: what of it can be read, and a new file with just that.

Tables are walked by SQLite itself as far as it goes, past damaged pages row by row; answers, the only thing that was
paid for, are read off the pages where it does not get to them. A row with a damaged cell is left out, and named.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Table

from cupel.errors import InputError, RunLogError
from cupel.files import write_whole
from cupel.runlog import tables
from cupel.runlog.database import BESIDE, check_beside, check_in_state, open_engine
from cupel.runlog.pages import leaf_rows, mend_header

_CHUNK = 200
_NOT_A_DATABASE, _READONLY = 26, 8
_GAP = 20_000
"""Rows that may be missing in a row before the rest of a table is given up."""

Row = dict[str, Any]


@dataclass(slots=True)
class Checkup:
    """What of a run log can be read."""

    path: Path
    rows: Counter[str] = field(default_factory=Counter)
    """Good rows, by table."""

    damages: list[str] = field(default_factory=list)
    """Each in a sentence; rows that are lost are named."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"run_log": str(self.path), "rows": dict(self.rows), "damages": self.damages}


@dataclass(frozen=True, slots=True)
class Repair:
    """A run log that was written anew."""

    found: Checkup
    aside: Path | None
    """Where the damaged file is now; None where nothing had to be done."""


def check_run_log(path: Path) -> Checkup:
    """Read everything; nothing is changed.

    Raises:
        InputError: If there is no such file.
        RunLogError: If it is in use, or may not be read.
    """
    found = Checkup(path)
    for _ in _good_rows(path, found):
        pass
    return found


def repair_run_log(path: Path) -> Repair:
    """Put a new file with all good rows in the place of a damaged one, which is kept beside it.

    Raises:
        InputError: If there is no such file.
        RunLogError: If it is in use, may not be read, or the new one cannot be written.
    """
    found = Checkup(path)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    fresh = path.with_name(f".{path.name}.repaired")
    _remove(fresh)
    try:
        open_engine(f"sqlite:///{fresh}").dispose()
        with contextlib.closing(sqlite3.connect(fresh)) as connection, connection:
            for table, rows in _good_rows(path, found):
                names = [column.name for column in table.columns]
                marks = ", ".join(f":{name}" for name in names)
                insert = f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # our own names
                connection.executemany(insert, rows)
        if found.is_sound:
            return Repair(found, None)
        with contextlib.closing(sqlite3.connect(fresh)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = path.with_name(f"{path.stem}.damaged-{now}{path.suffix}")
        path.replace(aside)
        for end in BESIDE:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + end).replace(aside.with_name(aside.name + end))
        fresh.replace(path)
    except OSError as error:
        raise RunLogError(
            f"{path}: cannot be repaired there ({error.strerror or error}); see who may write it"
        ) from error
    finally:
        _remove(fresh)
    return Repair(found, aside)


def _remove(path: Path) -> None:
    for end in ("", *BESIDE):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _good_rows(path: Path, found: Checkup) -> Iterator[tuple[Table, list[Row]]]:
    """Good rows, some at a time; what is wrong is noted on the way."""
    check_beside(path)
    check_in_state(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no run log; `cupel run FILE --task TASK` makes one")
    seen: set[bytes] = set()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunLogError(f"{path}: cannot be read ({error.strerror or error})") from error
    if data:
        with _opened(path, data, found) as connection:
            if connection is not None:
                for table, rows in _walk(connection, found):
                    if table is tables.responses:
                        seen.update(row["key"].encode() for row in rows)
                    yield table, rows
    if found.damages:
        yield from _answers_on_pages(path, data, seen, found)


@contextlib.contextmanager
def _opened(path: Path, data: bytes, found: Checkup) -> Iterator[sqlite3.Connection | None]:
    """A connection that changes nothing; to a copy with another header where the file's own is damaged."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(_connect(path, "ro")))
        try:
            lines = connection.execute("PRAGMA integrity_check(20)").fetchall()
            found.damages += [line.decode(errors="replace") for (line,) in lines if line != b"ok"]
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise RunLogError(f"{path} is in use by another program ({error}); end it first") from error
            found.damages.append(f"the file as a whole: {error}")
            if error.sqlite_errorcode == _NOT_A_DATABASE:
                copy = Path(stack.enter_context(tempfile.TemporaryDirectory())) / path.name
                write_whole(copy, mend_header(data))
                connection = stack.enter_context(contextlib.closing(_connect(copy, "rw")))
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError:
            yield None
            return
        yield connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode={mode}", uri=True, timeout=1.0)
    connection.text_factory = bytes  # what is no UTF-8 costs its row, not the reading
    return connection


def _walk(connection: sqlite3.Connection, found: Checkup) -> Iterator[tuple[Table, list[Row]]]:
    for table in tables.metadata.sorted_tables:
        try:
            columns = [row[1].decode() for row in connection.execute(f"PRAGMA table_info({table.name})")]
        except sqlite3.DatabaseError as error:
            found.damages.append(f"table {table.name}: {error}")
            continue
        if not columns:
            found.damages.append(f"table {table.name}: it is not there")
            continue
        found.damages += [
            f"table {table.name}: column {c.name} is not there"
            for c in table.columns
            if c.name not in columns
        ]
        found.rows[table.name] += 0
        for raw in _rows_of(connection, table.name, found):
            rows = [
                row for values in raw if (row := _read(table, dict(zip(columns, values, strict=True)), found))
            ]
            found.rows[table.name] += len(rows)
            yield table, rows


def _rows_of(connection: sqlite3.Connection, name: str, found: Checkup) -> Iterator[list[Sequence[Any]]]:
    """A table's rows in the order of their numbers, past what cannot be read."""
    last = 0
    while True:
        query = f"SELECT rowid, * FROM {name} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608  # our own names
        try:
            rows = connection.execute(query, (last, _CHUNK)).fetchall()
        except sqlite3.DatabaseError as error:
            found.damages.append(f"table {name}: rows after number {last} cannot all be read ({error})")
            rows = list(_one_by_one(connection, name, last))
        if not rows:
            return
        last = rows[-1][0]
        yield [row[1:] for row in rows]


def _one_by_one(connection: sqlite3.Connection, name: str, last: int) -> Iterator[Sequence[Any]]:
    missed = 0
    query = f"SELECT rowid, * FROM {name} WHERE rowid = ?"  # noqa: S608  # our own names
    while missed < _GAP:
        last += 1
        row = None
        with contextlib.suppress(sqlite3.DatabaseError):
            row = connection.execute(query, (last,)).fetchone()
        missed = 0 if row else missed + 1
        if row:
            yield row


def _read(table: Table, raw: Mapping[str, Any], found: Checkup) -> Row | None:
    """A row with its texts decoded; None, and named, where a cell of it is damaged."""
    row: Row = {}
    for column in table.columns:
        value, problem = raw.get(column.name), None
        if value is None and not column.nullable and column.server_default is None:
            problem = "empty"
        if isinstance(value, bytes):
            try:
                value = value.decode()
                if (column.doc or "").startswith("JSON") and value:
                    json.loads(value)
            except UnicodeDecodeError:
                problem = "no UTF-8"
            except ValueError:
                problem = "no JSON"
        if problem is None and value is not None:
            problem = _misfit(column.type.python_type, value)
        if problem is not None:
            keys = [raw.get(key.name) for key in table.primary_key.columns]
            name = " ".join(k.decode(errors="replace") if isinstance(k, bytes) else str(k) for k in keys)
            found.damages.append(f"table {table.name}, row {name}: {column.name} is {problem}")
            return None
        row[column.name] = value
    return row


def _misfit(kind: type, value: Any) -> str | None:
    fits = isinstance(value, (int, float)) if kind in (int, float) else isinstance(value, kind)
    return None if fits else f"{type(value).__name__}, not {kind.__name__}"


def _answers_on_pages(
    path: Path, data: bytes, seen: set[bytes], found: Checkup
) -> Iterator[tuple[Table, list[Row]]]:
    """Answers that SQLite did not get to."""
    table = tables.responses
    names = [column.name for column in table.columns]
    for values in leaf_rows(data):
        key = values[0] if values else None
        if len(values) != len(names) or not _is_hash(key) or key in seen:
            continue
        row = _read(table, dict(zip(names, values, strict=True)), Checkup(path))
        if row is not None:
            seen.add(row["key"].encode())
            found.rows[table.name] += 1
            yield table, [row]


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 64 and not value.strip(b"0123456789abcdef")
