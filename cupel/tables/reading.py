"""Open a file of documents: choose its reader, check its columns and survey it before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Protocol

from cupel.errors import InputError
from cupel.tables.columns import require_column
from cupel.tables.csv_json import CsvReader, JsonReader
from cupel.tables.formats import KNOWN, Format, Layout, format_of, require_pyarrow
from cupel.tables.lines import open_text
from cupel.tables.rows import Cells, Ids, Row, Table, id_warnings, name_rows


class Reader(Protocol):
    """What a format must be able to do."""

    def cells(self) -> Iterator[Cells]:
        """Yield the rows from the beginning."""
        ...

    def layout(self, cells: Iterator[Cells]) -> Layout:
        """Return the columns, after going through all of `cells`."""
        ...


def open_table(
    path: Path | str,
    text_column: str = "text",
    id_column: str | None = None,
    inputs: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Table:
    """Open a file of documents, after reading it through once for faults, ids and the number of rows.

    What is wrong with the file as a whole (its encoding, its JSON, its columns) is an error here, before
    anything is paid; what is wrong with one row (too many cells, no topic) stands in that row's `problem`.
    A repeated id `X` becomes `X#2`, with a warning. Cells are never converted: a CSV cell stays a string.

    Args:
        path: CSV, TSV, JSON (an array of objects, or objects one after another), JSONL or Parquet; text also gzipped.
        text_column: The column that holds the documents.
        id_column: The column that holds your ids; without one they are made from the text.
        inputs: Further inputs of the task: name → column, such as `{"topic": "motion"}`.
        limit: Read only this many rows, from the top.

    Raises:
        InputError: Naming the file, the place and the fix.
    """
    path = Path(path)
    wanted = dict(inputs or {})
    reader = _reader(path, text_column)
    ids = Ids()
    counter = _Counter()
    layout = reader.layout(
        counter.watch(islice(reader.cells(), limit), ids if id_column else None, id_column)
    )
    _check(path, layout, counter.rows, text_column=text_column, id_column=id_column, inputs=wanted)

    def read() -> Iterator[Row]:
        return name_rows(
            islice(reader.cells(), limit),
            text_column=text_column,
            id_column=id_column,
            inputs=wanted,
            namer=ids.namer(),
        )

    warnings = id_warnings(ids, source=str(path), id_column=id_column) if id_column else ()
    return Table(str(path), layout, counter.rows, warnings, read)


class _Counter:
    """Counts rows and notes ids while a reader surveys them."""

    def __init__(self) -> None:
        self.rows = 0

    def watch(self, cells: Iterator[Cells], ids: Ids | None, id_column: str | None) -> Iterator[Cells]:
        for cell in cells:
            self.rows += 1
            if ids is not None:
                ids.add(cell.values.get(id_column or ""))
            yield cell


def _reader(path: Path, text_column: str) -> Reader:
    format_ = format_of(path)
    if format_ is None:
        msg = f"{path}: cannot tell the format from {path.suffix or 'a name without a suffix'!r}; known are {KNOWN}"
        raise InputError(msg)
    _refuse_empty(path, format_)
    match format_.name:
        case "csv":
            return CsvReader.open(path, format_, text_column=text_column)
        case "json" | "jsonl":
            return JsonReader(path, format_)
        case "parquet":
            require_pyarrow(path)
            from cupel.tables.parquet import ParquetReader

            return ParquetReader(path)


def _refuse_empty(path: Path, format_: Format) -> None:
    with open_text(path, gzipped=format_.gzipped) as file:
        if file.read(1):
            return
    msg = f"{path}: the file is empty (0 bytes)"
    raise InputError(msg)


def _check(
    path: Path,
    layout: Layout,
    rows: int,
    *,
    text_column: str,
    id_column: str | None,
    inputs: Mapping[str, str],
) -> None:
    wanted = [
        (text_column, "--text-column"),
        *((column, f"--input {name}=COLUMN") for name, column in inputs.items()),
    ]
    if id_column is not None:
        wanted.append((id_column, "--id-column"))
    if layout.columns:
        for column, option in wanted:
            require_column(column, layout.columns, source=str(path), option=option)
    if rows == 0:
        msg = f"{path}: holds no rows" + (", only column names" if layout.columns else "")
        raise InputError(msg)
