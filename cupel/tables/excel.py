"""Excel: the first sheet that has the texts, read whole; written a row at a time, every text as text."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import python_calamine as calamine
import xlsxwriter

from cupel.errors import InputError, OutputPathError
from cupel.files import require_regular
from cupel.tables.cells import json_text, storable
from cupel.tables.formats import Layout
from cupel.tables.formulas import list_uncalculated
from cupel.tables.rows import Cells

_CELL = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_CHUNK = 1 << 20
_OVERLAP = 32
_SHOWN_CELLS = 3
_LARGEST = 1 << 30
"""Bytes a workbook may unpack to: a thousand times what is packed is no table."""

_MOST_CELLS = 50_000_000
"""Of the rectangle a sheet fills, which is held in memory: one cell far away makes it large."""

LONGEST_CELL = 32_767
"""Characters that Excel takes in one cell."""

_MOST_ROWS = 1_048_576
_EXACT = 2**53
"""Integers beyond it would be rounded: Excel has no others than floating point numbers."""

_MADE = dt.datetime(2000, 1, 1)  # noqa: DTZ001  # no time of day: the same rows, the same bytes


class ExcelReader:
    """One sheet of a workbook; cells come as text, numbers, booleans and dates."""

    def __init__(self, path: Path, *, text_column: str) -> None:
        self.path = path
        _measure(path)
        try:
            book = calamine.CalamineWorkbook.from_path(str(path))
            opened = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
            sheets = [(name, sheet.to_python()) for name, sheet in opened.items()]
        except (
            calamine.CalamineError,
            calamine.ZipError,
            calamine.XmlError,
            calamine.PasswordError,
        ) as error:
            raise InputError(f"{path}: cannot be read as an Excel workbook: {error}") from None
        headed = [(name, rows, _header(rows)) for name, rows in sheets]
        chosen = next(
            (each for each in headed if text_column in each[2]), headed[0] if headed else ("", [], ())
        )
        self.sheet, self._rows, header = chosen
        self.columns = self._checked(header)
        self.notes = self._tell_uncalculated(opened[self.sheet].start, text_column) if opened else ()

    def cells(self) -> Iterator[Cells]:
        """Yield the rows below the header; blank ones are passed over."""
        for line, row in self._below():
            yield Cells(
                {name: _value(cell) for name, cell in zip(self.columns, row, strict=False)}, line=line
            )

    def layout(self, cells: Iterator[Cells]) -> Layout:
        """Return the columns and the kinds of their values."""
        kinds: dict[str, set[str]] = {name: set() for name in self.columns}
        for cell in cells:
            for name, value in cell.values.items():
                if value is not None:
                    kinds[name].add(_kind(value))
        return Layout(self.columns, {name: _common(found) for name, found in kinds.items()})

    def _below(self) -> Iterator[tuple[int, Sequence[Any]]]:
        rows = iter(enumerate(self._rows, start=1))
        next((row for _, row in rows if not _is_blank(row)), None)
        return ((line, row) for line, row in rows if not _is_blank(row))

    def _tell_uncalculated(self, start: tuple[int, int] | None, text_column: str) -> tuple[str, ...]:
        """Say which cells are empty for want of a calculation.

        Raises:
            InputError: If they are documents.
        """
        with zipfile.ZipFile(self.path) as archive:
            cells = list_uncalculated(archive, self.sheet)
        if not cells:
            return ()
        first = start[1] if start else 0
        places = {_column_number(cell.rstrip("0123456789").encode()) - 1 - first for cell in cells}
        columns = [name for place, name in enumerate(self.columns) if place in places]
        shown = ", ".join(cells[:_SHOWN_CELLS]) + (" …" if len(cells) > _SHOWN_CELLS else "")
        told = (
            f"{self.path}: sheet {self.sheet!r}: {len(cells):,} cells of {', '.join(map(repr, columns)) or 'no column'} hold a "
            f"formula that was never calculated ({shown}), so there is no value to read. Open the workbook in Excel or "
            "LibreOffice, save it, and run again"
        )
        if text_column in columns:
            raise InputError(told)
        return (told,)

    def _checked(self, header: Sequence[str]) -> tuple[str, ...]:
        named = list(header)
        while (
            named
            and not named[-1]
            and all(_is_blank(row[len(named) - 1 : len(named)]) for _, row in self._below())
        ):
            named.pop()
        for number, name in enumerate(named):
            if not name:
                raise InputError(
                    f"{self.path}: sheet {self.sheet!r}: column {number + 1} has no name in the first row; give it one"
                )
            if name in named[:number]:
                raise InputError(
                    f"{self.path}: sheet {self.sheet!r}: column {name!r} occurs twice, as number {named.index(name) + 1} "
                    f"and {number + 1}; give each column its own name"
                )
        return tuple(named)


class ExcelSink:
    """Rows on one sheet; what stands in a cell is never a formula or a link, whatever it begins with."""

    def __init__(self, target: Any, columns: Sequence[str], *, path: Path) -> None:
        self.path, self.columns = path, list(columns)
        self.cut = 0
        """Cells that were too long for Excel."""

        self._book = xlsxwriter.Workbook(
            target,
            {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
             "strings_to_numbers": False, "default_date_format": "yyyy-mm-dd hh:mm:ss"},
        )  # fmt: skip
        self._book.set_properties({"created": _MADE})
        self._days = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._row = 0
        self._put(self.columns)

    @property
    def notes(self) -> list[str]:
        """What a reader of the file should know."""
        if not self.cut:
            return []
        return [
            (
                f"{self.cut:,} cells of {self.path} are longer than the {LONGEST_CELL:,} characters Excel takes in one, and are "
                "cut there; a .jsonl or .csv output has them whole"
            )
        ]

    def write(self, values: Mapping[str, Any]) -> None:
        """Take one row."""
        self._put([values.get(column) for column in self.columns])

    def finish(self) -> None:
        """Put the workbook together."""
        self._book.close()

    def abandon(self) -> None:
        """Let go of the file, whatever is in it."""
        self._book.close()

    def _put(self, cells: Sequence[Any]) -> None:
        if self._row == _MOST_ROWS:
            raise OutputPathError(
                f"{self.path}: Excel takes {_MOST_ROWS:,} rows on a sheet, and there are more. Choose a .csv, .jsonl or "
                ".parquet output; what was answered is not asked again"
            )
        for place, value in enumerate(cells):
            self._cell(place, value)
        self._row += 1

    def _cell(self, place: int, value: Any) -> None:
        sheet, row = self._sheet, self._row
        match value:
            case None:
                return
            case bool():
                sheet.write_boolean(row, place, value)
            case int() | float() if abs(value) <= _EXACT:  # neither infinity nor NaN is
                sheet.write_number(row, place, value)
            case float() if value != value:  # noqa: PLR0124  # NaN
                return
            case dt.datetime() if value.tzinfo is None and value.year >= 1900:
                sheet.write_datetime(row, place, value)
            case dt.date() if not isinstance(value, dt.datetime) and value.year >= 1900:
                sheet.write_datetime(row, place, value, self._days)
            case str():
                self._text(place, value)
            case _:
                self._text(place, json_text(value).strip('"') if _is_plain(value) else json_text(value))

    def _text(self, place: int, text: str) -> None:
        text = storable(text)
        if len(text) > LONGEST_CELL:
            self.cut += 1
            text = text[: LONGEST_CELL - 1] + "…"
        self._sheet.write_string(self._row, place, text)


def _measure(path: Path) -> None:
    """Look a workbook through without holding it: how much it unpacks to, and how far its sheets reach.

    Raises:
        InputError: If it is no workbook, or one no memory holds.
    """
    unpacked = 0
    try:
        require_regular(path)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                is_sheet = member.filename.startswith("xl/worksheets/")
                rows, columns, kept = 0, 0, b""
                with archive.open(member) as file:
                    while chunk := file.read(_CHUNK):
                        unpacked += len(chunk)
                        if unpacked > _LARGEST:
                            raise InputError(
                                f"{path}: unpacks to more than {_LARGEST >> 30} GB; save it as CSV"
                            )
                        for letters, number in _CELL.findall(kept + chunk) if is_sheet else ():
                            rows, columns = max(rows, int(number)), max(columns, _column_number(letters))
                        kept = chunk[-_OVERLAP:]
                if rows * columns > _MOST_CELLS:
                    raise InputError(
                        f"{path}: a sheet reaches to row {rows:,} and column {columns:,}: delete what stands far from the "
                        "table, or save it as CSV"
                    )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: not an Excel workbook (.xlsx): {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _header(rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    first = next((row for row in rows if not _is_blank(row)), ())
    return tuple("" if cell is None else str(_value(cell) or "") for cell in first)


def _is_blank(row: Sequence[Any]) -> bool:
    return all(cell in ("", None) for cell in row)


def _value(cell: Any) -> Any:
    """A cell as a value: empty is nothing, and a whole number an integer, as a person sees it there."""
    if isinstance(cell, float) and abs(cell) <= _EXACT and cell == int(cell):
        return int(cell)
    return None if cell == "" else cell


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
    return "string"


def _common(kinds: set[str]) -> str:
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else ("json" if kinds else "string")


def _is_plain(value: Any) -> bool:
    """Whether JSON has it as a string only because it has no better form: a time, a date before 1900."""
    return not isinstance(value, list | dict | tuple | int | float)
