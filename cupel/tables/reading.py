"""Open a file of documents: choose its reader, check its columns and survey it before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from cupel.errors import InputError
from cupel.tables.columns import require_column
from cupel.tables.csv_json import CsvReader, JsonReader
from cupel.tables.formats import KNOWN, Layout, format_of, require_excel, require_pyarrow
from cupel.tables.inputs import InputSource, source_of
from cupel.tables.lines import open_text
from cupel.tables.rows import Cells, Ids, Row, Table, id_warnings, name_rows


class Reader(Protocol):
    """What a format must be able to do."""

    @property
    def notes(self) -> Sequence[str]:
        """What of the file cannot be read, and how to mend it."""
        ...

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
    inputs: Mapping[str, Any] | None = None,
    limit: int | None = None,
    *,
    default_id: str | None = None,
) -> Table:
    """Open a file of documents, after reading it through once for faults, ids and the number of rows.

    What is wrong with the file as a whole (its encoding, its JSON, its columns) is an error here, before
    anything is paid; what is wrong with one row (too many cells, no topic) stands in that row's `problem`.
    A repeated id `X` becomes `X#2`, with a warning. Cells are never converted: a CSV cell stays a string.

    Args:
        path: CSV, TSV, JSON (an array of objects, or objects one after another), JSONL, Parquet or Excel (the first
            sheet with the text column); text also gzipped.
        text_column: The column that holds the documents.
        id_column: The column that holds your ids; without one they are made from the text.
        inputs: Further inputs of the task: name → column, such as `{"topic": "motion"}`, or where else it comes from.
        limit: Read only this many rows, from the top.
        default_id: Column to take ids from where it is there, is not the text, and no `id_column` is given.

    Raises:
        InputError: Naming the file, the place and the fix.
    """
    path = Path(path)
    sources = {name: source_of(told) for name, told in (inputs or {}).items()}
    reader = _reader(path, text_column)
    survey = _Survey(id_column or (None if default_id == text_column else default_id))
    layout = reader.layout(survey.watch(islice(reader.cells(), limit)))
    wanted = {name: source for name, source in sources.items() if source.is_there(layout.columns)}
    _check(path, layout, survey.rows, text_column=text_column, id_column=id_column, inputs=wanted)
    named = id_column or (survey.id_column if survey.id_column in layout.columns else None)

    def read() -> Iterator[Row]:
        return name_rows(
            islice(reader.cells(), limit),
            text_column=text_column,
            id_column=named,
            inputs=wanted,
            namer=survey.ids.namer(),
        )

    warnings = id_warnings(survey.ids, source=str(path), id_column=named) if named else ()
    return Table(str(path), layout, survey.rows, (*reader.notes, *warnings), read)


def raw_rows(path: Path) -> tuple[Layout, Iterator[dict[str, Any]]]:
    """A file's columns and its rows as they stand there, whatever they are for.

    Raises:
        InputError: Naming the file, the place and the fix.
    """
    reader = _reader(path, "")
    return reader.layout(reader.cells()), (cell.values for cell in reader.cells())


class _Survey:
    """Counts rows and notes ids while a reader goes through them once."""

    def __init__(self, id_column: str | None) -> None:
        self.id_column = id_column
        self.ids = Ids()
        self.rows = 0

    def watch(self, cells: Iterator[Cells]) -> Iterator[Cells]:
        for cell in cells:
            self.rows += 1
            if self.id_column:
                self.ids.add(cell.values.get(self.id_column))
            yield cell


def _reader(path: Path, text_column: str) -> Reader:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give one file of documents ({KNOWN})")
    if str(path) == "-" or path.is_char_device() or path.is_fifo():
        raise InputError(
            f"{path}: a table is read several times, standard input only once; write it to a file ({KNOWN}) and give that"
        )
    format_ = format_of(path)
    if format_ is None:
        msg = f"{path}: cannot tell the format from {path.suffix or 'a name without a suffix'!r}; known are {KNOWN}"
        raise InputError(msg)
    match format_.name:
        case "csv":
            return CsvReader.open(path, format_, text_column=text_column)
        case "json" | "jsonl":
            return JsonReader(path, format_)
        case "parquet":
            _refuse_empty(path, gzipped=False)
            require_pyarrow(path)
            from cupel.tables.parquet import ParquetReader

            return ParquetReader(path)
        case "xlsx":
            _refuse_empty(path, gzipped=False)
            require_excel(path)
            from cupel.tables.excel import ExcelReader

            return ExcelReader(path, text_column=text_column)


def _refuse_empty(path: Path, *, gzipped: bool) -> None:
    with open_text(path, gzipped=gzipped) as file:
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
    inputs: Mapping[str, InputSource],
) -> None:
    wanted = [
        (text_column, "--text-column"),
        *((str(each.column), f"--input {name}=COLUMN") for name, each in inputs.items() if each.file is None),
    ]
    if id_column is not None:
        wanted.append((id_column, "--id-column"))
    if layout.columns:
        for column, option in wanted:
            require_column(column, layout.columns, source=str(path), option=option)
    if rows == 0:
        _refuse_empty(path, gzipped=path.suffix.lower() == ".gz")
        msg = f"{path}: holds no rows" + (", only column names" if layout.columns else "")
        raise InputError(msg)
