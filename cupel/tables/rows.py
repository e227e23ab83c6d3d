"""A table as the runner sees it: rows with a text, an id and inputs, and ids that are told apart."""

from __future__ import annotations

import hashlib
import math
import numbers
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cupel.tables.cells import storable
from cupel.tables.formats import Layout
from cupel.tables.inputs import InputSource
from cupel.task import input_text

_FEW = 20_000
"""Ids that are compared before numpy, which finds the repeated ones in less memory, would be imported."""

_LONGEST_ID = 400
"""Characters: PostgreSQL indexes no text of more than 2,700 bytes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the input."""

    position: int
    """0 for the first row; outcomes go back to it."""

    values: dict[str, Any]
    """Every cell as read, by column; empty for a DataFrame."""

    text: object
    """What stands in the text column: anything (`documents.usable_text` judges it)."""

    doc_id: str | None
    """The id column's value, made unique; None where there is none (`documents.document_id` makes one)."""

    inputs: dict[str, str] = field(default_factory=dict)
    """Further inputs of the task, by name."""

    problem: str | None = None
    """Why this row cannot be used whatever its text; None when it can."""

    line: int | None = None
    """The line of the file it begins on, from 1; None where there are no lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one input, in order; it can be read more than once."""

    name: str
    """The file, or `the DataFrame`: it leads every message."""

    layout: Layout
    total: int
    """How many rows it yields (`limit` considered)."""

    warnings: tuple[str, ...]
    read: Callable[[], Iterator[Row]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in order."""
        return self.layout.columns

    def __iter__(self) -> Iterator[Row]:
        return self.read()

    def __len__(self) -> int:
        return self.total


class Cells(NamedTuple):
    """One row as its reader gives it."""

    values: dict[str, Any]
    problem: str | None = None
    line: int | None = None


@dataclass(slots=True)
class Ids:
    """Which ids occur more than once: eight bytes a row, whatever the ids' length."""

    hashes: array[int] = field(default_factory=lambda: array("Q"))
    blanks: int = 0

    def add(self, value: object) -> None:
        """Take note of one row's id."""
        if (name := doc_id_text(value)) is None:
            self.blanks += 1
        else:
            self.hashes.append(_hash(name))

    def namer(self) -> Namer:
        """Return what tells repeated ids apart, for one pass over the rows."""
        if not self.repeats:
            return Namer(array("Q"), frozenset())
        import numpy as np  # a start-up has no time for it, and few tables repeat an id

        seen, counts = np.unique(np.array(self.hashes, dtype=np.uint64), return_counts=True)
        return Namer(array("Q", seen.tobytes()), frozenset(seen[counts > 1].tolist()))

    @property
    def repeats(self) -> int:
        """Rows whose id an earlier row has."""
        if len(self.hashes) <= _FEW:
            return len(self.hashes) - len(set(self.hashes))
        import numpy as np

        return len(self.hashes) - len(np.unique(np.array(self.hashes, dtype=np.uint64)))


@dataclass(slots=True)
class Namer:
    """Gives the second row of an id `X` the id `X#2`, the third `X#3`, past any that exist already."""

    seen: array[int]
    """Hashes of all ids, ascending; empty where none is repeated."""

    repeated: frozenset[int]
    last: Counter[str] = field(default_factory=Counter)

    def name(self, value: object) -> str | None:
        """Return the id of the next row, None for an empty cell."""
        name = doc_id_text(value)
        if name is None or _hash(name) not in self.repeated:
            return name
        self.last[name] += 1
        if self.last[name] == 1:
            return name
        while self._taken(f"{name}#{self.last[name]}"):
            self.last[name] += 1
        return f"{name}#{self.last[name]}"

    def _taken(self, name: str) -> bool:
        place = bisect_left(self.seen, _hash(name))
        return place < len(self.seen) and self.seen[place] == _hash(name)


def id_text(value: object) -> str | None:
    r"""Return an id or input as text, what no database holds escaped; None for an empty cell.

    >>> id_text(17), id_text(float("nan")), id_text("")
    ('17', None, None)
    >>> print(id_text("half \ud83d, a NUL \x00"))
    half \ud83d, a NUL \x00
    """
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, numbers.Real) and math.isnan(value):
        return None
    return storable(str(value)).replace("\x00", r"\x00") or None


def doc_id_text(value: object) -> str | None:
    """Return an id as text, None for an empty cell; one that no index holds is cut, and told apart by a hash.

    >>> doc_id_text("x" * 2000)[-20:]
    'xxx…5c0e0ea421571c30'
    """
    text = id_text(value)
    if text is None or len(text) <= _LONGEST_ID:
        return text
    return f"{text[:_LONGEST_ID]}…{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def name_rows(
    cells: Iterable[Cells],
    *,
    text_column: str,
    id_column: str | None,
    inputs: Mapping[str, InputSource],
    namer: Namer,
) -> Iterator[Row]:
    """Turn what a reader gives into rows."""
    for position, cell in enumerate(cells):
        found = {name: _value(cell, source) for name, source in inputs.items()}
        yield Row(
            position=position,
            values=cell.values,
            text=cell.values.get(text_column),
            doc_id=None if id_column is None else namer.name(cell.values.get(id_column)),
            inputs={name: value for name, value in found.items() if value is not None},
            problem=cell.problem or _missing_input(found, inputs),
            line=cell.line,
        )


def _value(cell: Cells, source: InputSource) -> str | None:
    return id_text(
        input_text(cell.values.get(str(source.column)) if source.file is None else source.file.text)
    )


def _missing_input(found: Mapping[str, str | None], inputs: Mapping[str, InputSource]) -> str | None:
    for name, value in found.items():
        if value is None and not inputs[name].is_optional:
            return f"no {name}: the cell of column {str(inputs[name].column)!r} is empty"
    return None


def id_warnings(ids: Ids, *, source: str, id_column: str) -> tuple[str, ...]:
    """Say which rows share an id or have none."""
    warnings = []
    if repeats := ids.repeats:
        warnings.append(
            f"{source}: {repeats} {_rows(repeats)} an id of column {id_column!r} that an earlier row has; "
            "the second X is called X#2, the third X#3"
        )
    if ids.blanks:
        warnings.append(
            f"{source}: the id column {id_column!r} is empty in {ids.blanks} rows; "
            "their ids are made from their text"
        )
    return tuple(warnings)


def _rows(count: int) -> str:
    return "row has" if count == 1 else "rows have"


def _hash(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
