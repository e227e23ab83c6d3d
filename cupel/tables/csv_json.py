"""Readers of CSV, JSON and JSONL: rows one at a time, and a survey of the whole before anything is paid."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from cupel.errors import InputError
from cupel.tables.cells import is_number
from cupel.tables.formats import Format, Layout, Quoting, Style
from cupel.tables.lines import Located, decode_lines, head_of, json_lines, json_objects
from cupel.tables.rows import Cells

_LOOKED_AT = 20
"""Rows by which it is told which cells stand in quotes."""

_LONGEST_CELL = 2**31 - 1
_INT64 = 2**63
_EXACT_IN_FLOAT = 2**53


@dataclass(frozen=True, slots=True)
class CsvReader:
    """A CSV file with a header; every cell stays the string it is."""

    notes: ClassVar[tuple[str, ...]] = ()

    path: Path
    format: Format
    style: Style
    columns: tuple[str, ...]

    @classmethod
    def open(cls, path: Path, format_: Format, *, text_column: str) -> CsvReader:
        """Read the header; the delimiter is the one that makes `text_column` a column, or, without one, the most columns."""
        # The limit is the module's own and 128 KB: less than one long speech.
        csv.field_size_limit(_LONGEST_CELL)
        delimiters = [
            format_.delimiter,
            *(each for each in (",", ";", "\t", "|") if each != format_.delimiter),
        ]
        headers = ((each, _header(path, format_, each)) for each in delimiters)
        if text_column:
            delimiter = next((each for each, header in headers if text_column in header), format_.delimiter)
        else:  # it is not known which column is meant
            delimiter = max(headers, key=lambda each: len(each[1]))[0]
        header = next(_csv_rows(path, format_, delimiter), (1, []))[1]
        return cls(path, format_, _style(path, format_, delimiter), _distinct(path, header))

    def cells(self) -> Iterator[Cells]:
        """Yield the rows; one with too few or too many cells carries that as its problem."""
        lines = _csv_rows(self.path, self.format, self.style.delimiter)
        next(lines, None)
        for line, row in lines:
            yield Cells(dict(zip(self.columns, row, strict=False)), self._problem(line, row), line)

    def layout(self, cells: Iterator[Cells]) -> Layout:
        """Return the columns; all are strings."""
        for _ in cells:
            pass
        return Layout(self.columns, style=self.style)

    def _problem(self, line: int, row: list[str]) -> str | None:
        if len(row) == len(self.columns):
            return None
        return (
            f"line {line} has {len(row)} cells, the header {len(self.columns)}: "
            f'put cells that hold {self.style.delimiter!r} or a line break in "quotes"'
        )


@dataclass(frozen=True, slots=True)
class JsonReader:
    """A JSON or JSONL file of objects; a column is any key that occurs."""

    notes: ClassVar[tuple[str, ...]] = ()

    path: Path
    format: Format

    def cells(self) -> Iterator[Cells]:
        """Yield the rows, each with its own keys."""
        read = json_lines if self.format.name == "jsonl" else json_objects
        located: Iterator[Located] = read(self.path, gzipped=self.format.gzipped)
        return (Cells(item.value, line=item.line) for item in located)

    def layout(self, cells: Iterator[Cells]) -> Layout:
        """Return every key that occurs, in the order first seen, with the kind that holds its values."""
        seen: dict[str, set[str]] = {}
        for cell in cells:
            for name, value in cell.values.items():
                kinds = seen.setdefault(name, set())
                if value is not None:
                    kinds.add(_kind(value))
        return Layout(tuple(seen), {name: _common_kind(kinds) for name, kinds in seen.items()})


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            if abs(value) <= _EXACT_IN_FLOAT:
                return "integer"
            return "long" if -_INT64 <= value < _INT64 else "json"
        case float():
            return "number"
        case str():
            return "string"
    return "json"


def _common_kind(kinds: set[str]) -> str:
    """Return the one kind that holds all these values unchanged; JSON text where there is none."""
    if not kinds:
        return "string"
    if kinds <= {"integer", "long"}:
        return "integer"
    if kinds == {"integer", "number"}:
        return "number"
    return min(kinds) if len(kinds) == 1 else "json"


def _csv_rows(path: Path, format_: Format, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins on; blank lines are passed over."""
    reader = csv.reader(decode_lines(path, gzipped=format_.gzipped), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{path}: line {line}: not valid CSV: {error}. Check the quotes of the row that begins there: "
                'a quote inside a quoted cell is written twice ("")'
            ) from None
        if row is None:
            return
        if row:
            yield line, row
        line = reader.line_num + 1


def _header(path: Path, format_: Format, delimiter: str) -> list[str]:
    try:
        return next(_csv_rows(path, format_, delimiter), (1, []))[1]
    except InputError:  # of the one that is taken it is said
        return []


def _style(path: Path, format_: Format, delimiter: str) -> Style:
    """How a file is written, by its first rows."""
    head = head_of(path, gzipped=format_.gzipped)
    row: list[str] = []
    words, numbers = set[bool](), set[bool]()
    with suppress(csv.Error):  # said where the rows are read
        for _ in islice(csv.reader(_noted(head.lines, row), delimiter=delimiter), _LOOKED_AT):
            for cell, is_quoted in quoted_cells("".join(row), delimiter):
                if cell:
                    (numbers if is_number(cell) else words).add(is_quoted)
            row.clear()
    quoting: Quoting = "minimal"
    if words == {True}:
        quoting = "text" if False in numbers else "all"
    return Style(delimiter, quoting, head.has_mark, usual=format_.delimiter)


def _noted(lines: Iterable[str], notes: list[str]) -> Iterator[str]:
    for line in lines:
        notes.append(line)
        yield line


def quoted_cells(row: str, delimiter: str) -> Iterator[tuple[str, bool]]:
    """Each cell of a row as it is written, without its quotes, and whether it stands in them.

    >>> list(quoted_cells('1;"a ""b"";c";', ";"))
    [('1', False), ('a ""b"";c', True), ('', False)]
    """
    row, at = row.rstrip("\r\n"), 0
    while at <= len(row):
        if is_quoted := row.startswith('"', at):
            at += 1
            end = row.find('"', at)
            while end >= 0 and row.startswith('""', end):
                end = row.find('"', end + 2)
            end = len(row) if end < 0 else end
            yield row[at:end], is_quoted
            end = row.find(delimiter, end)
        else:
            end = row.find(delimiter, at)
            yield row[at : len(row) if end < 0 else end], is_quoted
        if end < 0:
            return
        at = end + 1


def _distinct(path: Path, header: list[str]) -> tuple[str, ...]:
    for number, name in enumerate(header):
        if name in header[:number]:
            raise InputError(
                f"{path}: line 1: column {name!r} occurs twice, as number {header.index(name) + 1} and "
                f"{number + 1}; give each column its own name"
            )
    return tuple(header)
