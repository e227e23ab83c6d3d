"""Which formats there are, told by suffix, and what is known of a table's columns."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cupel.errors import SettingError

FormatName = Literal["csv", "json", "jsonl", "parquet", "xlsx"]

_SUFFIXES: dict[str, FormatName] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
}
KNOWN = ".csv, .tsv, .json, .jsonl, .parquet, .xlsx (the text formats also with .gz)"
Quoting = Literal["minimal", "text", "all"]
"""Which cells of a CSV file stand in quotes: those that have to, those that are no numbers too, or every one."""


@dataclass(frozen=True, slots=True)
class Format:
    """A file's format, as its name tells it."""

    name: FormatName
    gzipped: bool = False
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Style:
    """How a CSV file is written, beside what is in it: an output of the same kind is written so too."""

    delimiter: str = ","
    quoting: Quoting = "minimal"
    has_mark: bool = False
    """Whether a byte order mark stands in front, by which Excel knows UTF-8."""

    usual: str = ","
    """The delimiter its suffix stands for."""

    def of(self, format_: Format) -> Style:
        """How an output is written: as the input is, with the delimiter its own suffix stands for where that differs."""
        return self if format_.delimiter == self.usual else replace(self, delimiter=format_.delimiter)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table, and what is known of their types."""

    columns: tuple[str, ...]
    kinds: Mapping[str, str] = field(default_factory=lambda: types.MappingProxyType({}))
    """`string | integer | number | boolean | json` by column; a column not named here holds strings."""

    arrow: Any = None
    """The schema of a Parquet input; None for other formats."""

    style: Style | None = None
    """Of a CSV or TSV input; None for other formats."""


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its suffix, None when it is not one of ours.

    >>> format_of(Path("speeches.jsonl.gz"))
    Format(name='jsonl', gzipped=True, delimiter=',')
    >>> format_of(Path("speeches.docx")) is None
    True
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    gzipped = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[:-1] if gzipped else suffixes)[-1:]
    name = _SUFFIXES.get(suffix[0]) if suffix else None
    if name is None or (gzipped and name in ("parquet", "xlsx")):
        return None
    return Format(name, gzipped=gzipped, delimiter="\t" if suffix == [".tsv"] else ",")


def require_pyarrow(path: Path) -> None:
    """Refuse Parquet where pyarrow is not installed.

    Raises:
        SettingError: Naming the extra to install.
    """
    try:
        import pyarrow.parquet  # noqa: F401  # only whether it is there
    except ImportError:
        raise SettingError(
            f"{path}: Parquet needs pyarrow, which is not installed: pip install 'cupel[parquet]'"
        ) from None


def require_excel(path: Path) -> None:
    """Refuse Excel where its readers and writers are not installed.

    Raises:
        SettingError: Naming the extra to install.
    """
    try:
        import python_calamine  # noqa: F401  # only whether they are there
        import xlsxwriter  # noqa: F401  # as above
    except ImportError:
        raise SettingError(
            f"{path}: Excel needs packages that are not installed: pip install 'cupel[excel]'"
        ) from None
