"""Which formats there are, told by suffix, and what is known of a table's columns."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cupel.errors import SettingError

FormatName = Literal["csv", "json", "jsonl", "parquet"]

_SUFFIXES: dict[str, FormatName] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
KNOWN = ".csv, .tsv, .json, .jsonl, .parquet (the text formats also with .gz)"


@dataclass(frozen=True, slots=True)
class Format:
    """A file's format, as its name tells it."""

    name: FormatName
    gzipped: bool = False
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table, and what is known of their types."""

    columns: tuple[str, ...]
    kinds: Mapping[str, str] = field(default_factory=lambda: types.MappingProxyType({}))
    """`string | integer | number | boolean | json` by column; a column not named here holds strings."""

    arrow: Any = None
    """The schema of a Parquet input; None for other formats."""


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its suffix, None when it is not one of ours.

    >>> format_of(Path("speeches.jsonl.gz"))
    Format(name='jsonl', gzipped=True, delimiter=',')
    >>> format_of(Path("speeches.xlsx")) is None
    True
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    gzipped = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[:-1] if gzipped else suffixes)[-1:]
    name = _SUFFIXES.get(suffix[0]) if suffix else None
    if name is None or (gzipped and name == "parquet"):
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
