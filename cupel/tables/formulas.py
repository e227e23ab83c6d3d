"""Formulas of a workbook whose result nobody has calculated: what reads the file sees an empty cell, or a nought."""

from __future__ import annotations

import html
import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

_TOKEN = re.compile(rb"<(/?)(?:\w+:)?(c|f|v)((?:\s[^<>]*)?)>([^<]?)")
"""A cell, a formula or a value, begun or ended; with the first character behind it."""

_REFERENCE = re.compile(r'\sr="([A-Z]{1,3}[0-9]{1,7})"')
_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^<>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\s[^<>]*>")
_ATTRIBUTE = re.compile(r'\s(?:\w+:)?(\w+)="([^"]*)"')
_IS_STALE = re.compile(r'\sfullCalcOnLoad="(?:1|true)"')
_CHUNK = 1 << 20
_LONGEST_TAG = 1 << 16


@dataclass(slots=True)
class _Cell:
    """A cell as far as it was read."""

    name: str = ""
    is_text: bool = False
    """Whether its result is a text, which may well be empty."""

    has_formula: bool = False
    value: bytes = b""
    """What its value begins with."""

    has_more: bool = field(default=False)

    def lacks_result(self, *, is_stale: bool) -> bool:
        """Whether it is a formula without a result; in a stale workbook a nought is none."""
        if not self.has_formula:
            return False
        if self.value:
            return is_stale and self.value == b"0" and not self.has_more
        return is_stale or not self.is_text


def list_uncalculated(archive: zipfile.ZipFile, sheet: str) -> list[str]:
    """The cells of a sheet that hold a formula nobody calculated, such as `B2`, in the sheet's order.

    Programs that write workbooks (openpyxl, XlsxWriter, most reports) leave the arithmetic to Excel: the result is missing,
    or is nought in a workbook that asks to be calculated when it is opened. A text that was calculated to be empty is none.

    Args:
        archive: The workbook.
        sheet: The sheet's name.
    """
    part = _part_of(archive, sheet)
    if part is None:
        return []
    is_stale = bool(_IS_STALE.search(_read(archive, "xl/workbook.xml")))
    with archive.open(part) as file:
        return [cell.name for cell in _cells(file) if cell.lacks_result(is_stale=is_stale)]


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The file of a workbook in which a sheet is; None where the workbook does not say."""
    numbers = {
        html.unescape(named.get("name", "")): named.get("id", "")
        for named in map(_attributes, _SHEET.findall(_read(archive, "xl/workbook.xml")))
    }
    targets = {
        named.get("Id", ""): named.get("Target", "")
        for named in map(_attributes, _RELATION.findall(_read(archive, "xl/_rels/workbook.xml.rels")))
    }
    target = targets.get(numbers.get(sheet, ""), "")
    part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    return part if target and part in archive.namelist() else None


def _read(archive: zipfile.ZipFile, part: str) -> str:
    with suppress(KeyError):
        return archive.read(part).decode("utf-8", "replace")
    return ""


def _attributes(tag: str) -> dict[str, str]:
    return dict(_ATTRIBUTE.findall(tag))


def _cells(file: IO[bytes]) -> Iterator[_Cell]:
    """Every cell of a sheet, read in one go without holding the sheet."""
    cell = _Cell()
    for is_end, name, attributes, first, second in _tokens(file):
        match name, is_end:
            case b"c", False:
                cell = _begin(attributes)
            case b"c", True:
                yield cell
            case b"f", False:
                cell.has_formula = True
            case b"v", False:
                cell.value, cell.has_more = first, bool(second)


def _begin(attributes: bytes) -> _Cell:
    told = attributes.decode("utf-8", "replace")
    reference = _REFERENCE.search(told)
    return _Cell(name=reference[1] if reference else "", is_text=' t="str"' in told)


def _tokens(file: IO[bytes]) -> Iterator[tuple[bool, bytes, bytes, bytes, bytes]]:
    """Tags as they come: whether it ends, its name, its attributes, and the first two characters behind it."""
    kept = b""
    while chunk := file.read(_CHUNK):
        text = kept + chunk
        # the last tag, or what stands behind it, may go on in the next chunk
        whole = max(text.rfind(b"<"), len(text) - _LONGEST_TAG, 0)
        yield from _tags(text, whole)
        kept = text[whole:]
    yield from _tags(kept, len(kept))


def _tags(text: bytes, end: int) -> Iterator[tuple[bool, bytes, bytes, bytes, bytes]]:
    for tag in _TOKEN.finditer(text, 0, end):
        slash, name, attributes, first = tag.groups()
        second = text[tag.end() : tag.end() + 1]
        yield bool(slash), name, attributes, first, b"" if second == b"<" else second
