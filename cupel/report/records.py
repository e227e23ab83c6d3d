"""What the documents' records hold, counted while they pass by: the columns of the page's table, and what its bars show.

Nothing is asked of the schema but what refers to what: a record of a one-off task is read as it stands.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from cupel.report.summary import DocumentEntry
from cupel.tables import Level, Tidy

MAX_COLUMNS = 40
"""Of the rows' own, and of the records'; the page says when there are more."""

MAX_CELL = 140
"""Characters of a cell in the table; a document's page has all of them."""

MAX_LABELS = 12
"""Different values of a field that is drawn as labels."""

MAX_GROUPS = 20
"""Different values of an own column that documents are grouped by."""

MAX_CHOICES = 60
"""Different values of a column that the page offers to choose from."""

_MAX_DAYS = 4_000
_MAX_VALUES = 50_000
_TOP = 12
_PERIODS = 24
_DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?(?=\Z|[T ])", re.ASCII)

Cell = str | float | bool | None
Source = Literal["own", "record", "list"]


class Filter(NamedTuple):
    """Which documents a bar counts: those with a value in a column, or with any entry, or with a value among their items."""

    kind: Literal["is", "some", "has", "starts"]
    column: int
    """Of the table; of `has`, the number of the value in `Figures.values`."""

    value: Cell = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what it counts, how often it is there, and which documents these are."""

    label: str
    number: int
    parts: tuple[tuple[str, int], ...] = ()
    """Of a bar in parts, each label with its number."""

    shows: Filter | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Bars under one title."""

    title: str
    bars: tuple[Bar, ...]
    note: str = ""
    labels: tuple[str, ...] = ()
    """Of bars in parts, the labels in their order; their shade is by place."""


@dataclass(slots=True)
class _Seen:
    """A column of the table, and its values as long as they are few."""

    name: str
    source: Source
    values: Counter[Cell] | None = field(default_factory=Counter)
    dates: bool = True
    filled: int = 0

    def add(self, cell: Cell) -> None:
        if cell is None or cell == "":
            return
        self.filled += 1
        self.dates = self.dates and isinstance(cell, str) and bool(_DATE.match(cell))
        if self.values is not None:
            self.values[cell[:10] if self.dates and isinstance(cell, str) else cell] += 1
            if len(self.values) > (_MAX_DAYS if self.dates else MAX_CHOICES):
                self.values = None

    def may_group(self, most: int) -> bool:
        """Whether documents can be grouped by it: some have the same value."""
        return (
            self.values is not None and not self.dates and 1 < len(self.values) <= min(most, self.filled - 1)
        )

    def are_few(self, most: int) -> bool:
        """Whether there are so few values, and so often the same, that they are labels."""
        if self.values is None or self.dates:
            return False
        return 1 <= len(self.values) <= most and (
            2 * len(self.values) <= self.filled or len(self.values) <= 4
        )


class Records:
    """Takes documents in and counts; its size does not grow with them but for days, groups and the values of items."""

    def __init__(self, tidy: Tidy | None = None) -> None:
        self.columns: list[_Seen] = []
        self.values: list[str] = []
        """The values of items that rows name by number."""

        self.left_out = 0
        """Columns beyond `MAX_COLUMNS`."""

        self.references = list(_references(tidy.record)) if tidy else []
        self._places: dict[tuple[Source, str], int] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._fields: list[str] = []
        self._documents: Counter[int] = Counter()
        self._items: Counter[str] = Counter()
        self._pairs: Counter[tuple[int, Cell, int, Cell]] = Counter()

    def add(self, entry: DocumentEntry) -> tuple[list[Cell], list[int]]:
        """Count a document; return its cells by column, and the numbers of its items' values."""
        cells: dict[int, Cell] = {}
        own = {**dict(entry.inputs), **dict(entry.own)}
        for name, value in _flat(own):
            if value not in (entry.text, entry.outcome["doc_id"]):
                self._put(cells, "own", name, value)
        numbers: set[int] = set()
        if entry.outcome["record"] is not None:
            for name, value in _flat(entry.outcome["record"]):
                if isinstance(value, list):
                    self._put(cells, "list", name, len(value))
                    self._items[name] += len(value)
                    numbers |= self._number(name, value)
                else:
                    self._put(cells, "record", name, value)
        self._documents.update(numbers)
        self._pair(cells)
        width = max(cells, default=-1) + 1
        return [cells.get(place) for place in range(width)], sorted(numbers)

    def _put(self, cells: dict[int, Cell], source: Source, name: str, value: Any) -> None:
        place = self._places.get((source, name))
        if place is None:
            if sum(column.source == source for column in self.columns) >= MAX_COLUMNS:
                self.left_out += 1
                return
            place = self._places[source, name] = len(self.columns)
            self.columns.append(_Seen(name, source))
        cells[place] = cell = _cell(value)
        self.columns[place].add(cell)

    def _number(self, name: str, items: Sequence[Any]) -> set[int]:
        """The numbers of the short values in the items of a list, by their field."""
        numbers = set()
        for item in items:
            for field_, value in _flat(item) if isinstance(item, Mapping) else [("", item)]:
                if not isinstance(value, str) or not value or len(value) > MAX_CELL:
                    continue
                key = (f"{name}.{field_}" if field_ else name, value)
                number = self._numbers.get(key)
                if number is None:
                    if len(self.values) >= _MAX_VALUES:
                        continue
                    number = self._numbers[key] = len(self.values)
                    self.values.append(value)
                    self._fields.append(key[0])
                numbers.add(number)
        return numbers

    def _pair(self, cells: Mapping[int, Cell]) -> None:
        labels = [
            place for place in cells if self.columns[place].source == "record" and self._labelled(place)
        ]
        groups = [
            place for place in cells if self.columns[place].source == "own" and self.columns[place].values
        ]
        for label in labels:
            for group in groups:
                cell = cells[group]
                key = cell[:10] if self.columns[group].dates and isinstance(cell, str) else cell
                if cells[label] is not None and key not in (None, ""):
                    self._pairs[label, cells[label], group, key] += 1

    def _labelled(self, place: int) -> bool:
        values = self.columns[place].values
        return values is not None and 0 < len(values) <= MAX_LABELS

    # ---- what is drawn ---------------------------------------------------------------------------

    def figures(self) -> list[Figure]:
        """The bars, those of the records first, then by group and over time."""
        labels = [
            place
            for place, column in enumerate(self.columns)
            if column.source == "record" and column.are_few(MAX_LABELS)
        ]
        return [
            *map(self._of_label, labels[:4]),
            *self._of_lists(),
            *self._of_values(),
            *(figure for label in labels[:2] for figure in self._by_group(label)),
            *(figure for label in labels[:2] for figure in self._over_time(label)),
        ]

    def used_values(self, figures: Sequence[Figure]) -> dict[int, int]:
        """Of the values that a bar shows, the number in `values` → one counted from 0."""
        numbers = sorted(
            {
                bar.shows.column
                for figure in figures
                for bar in figure.bars
                if bar.shows and bar.shows.kind == "has"
            }
        )
        return {number: place for place, number in enumerate(numbers)}

    def _of_label(self, place: int) -> Figure:
        column = self.columns[place]
        counts = (column.values or Counter()).most_common()
        bars = tuple(Bar(words(value), number, shows=Filter("is", place, value)) for value, number in counts)
        return Figure(_last(column.name), bars, "documents")

    def _of_lists(self) -> Iterator[Figure]:
        lists = [
            (place, column)
            for place, column in enumerate(self.columns)
            if column.source == "list" and self._items[column.name]
        ]
        if lists:
            bars = tuple(
                Bar(words(column.name), self._items[column.name], shows=Filter("some", place))
                for place, column in lists
            )
            yield Figure("Found in the texts", bars, "items in all")

    def _of_values(self) -> Iterator[Figure]:
        by_field: dict[str, list[tuple[int, int]]] = {}
        for number, documents in self._documents.items():
            by_field.setdefault(self._fields[number], []).append((number, documents))
        for name, counts in by_field.items():
            often = sorted(
                (pair for pair in counts if pair[1] > 1), key=lambda pair: (-pair[1], self.values[pair[0]])
            )
            if len(often) < 2:
                continue
            top = often[:_TOP]
            bars = tuple(
                Bar(self.values[number], documents, shows=Filter("has", number)) for number, documents in top
            )
            more = f"; the {len(top)} most frequent of {len(counts):,}" if len(counts) > len(top) else ""
            yield Figure(words(name.replace(".", ": ")), bars, f"documents with it{more}")

    def _by_group(self, label: int) -> Iterator[Figure]:
        own = [
            (len(column.values or ()), group)
            for group, column in enumerate(self.columns)
            if column.source == "own" and column.may_group(MAX_GROUPS)
        ]
        for _, group in sorted(own)[:3]:
            yield self._crossed(
                label, group, {value: value for value in self.columns[group].values or ()}, "is"
            )

    def _over_time(self, label: int) -> Iterator[Figure]:
        for group, column in enumerate(self.columns):
            if column.source == "own" and column.dates and column.values and len(column.values) > 1:
                for length in (10, 7, 4):
                    periods = {day: str(day)[:length] for day in column.values}
                    if len(set(periods.values())) <= _PERIODS or length == 4:
                        yield self._crossed(label, group, periods, "starts")
                        break

    def _crossed(
        self, label: int, group: int, keys: Mapping[Cell, Cell], kind: Literal["is", "starts"]
    ) -> Figure:
        counts: dict[Cell, Counter[Cell]] = {}
        for (which, value, by, key), number in self._pairs.items():
            if (which, by) == (label, group) and key in keys:
                counts.setdefault(keys[key], Counter())[value] += number
        order = [value for value, _ in (self.columns[label].values or Counter[Cell]()).most_common()]
        by_size = sorted(counts, key=lambda key: (-counts[key].total(), str(key)))
        shown = sorted(counts, key=str) if kind == "starts" else by_size
        bars = tuple(
            Bar(
                words(key),
                counts[key].total(),
                tuple((words(value), counts[key][value]) for value in order),
                Filter(kind, group, key),
            )
            for key in shown
        )
        name = _last(self.columns[group].name)
        title = f"{_last(self.columns[label].name)} " + (
            f"over time ({name})" if kind == "starts" else f"by {name}"
        )
        return Figure(title, bars, "documents", tuple(words(value) for value in order))

    def to_index(self) -> list[dict[str, Any]]:
        """The columns for the page's script: name, source, and the values to choose from where they are few."""
        return [
            {
                "name": column.name,
                "source": column.source,
                "choices": sorted(column.values, key=str)
                if column.values and column.may_group(MAX_CHOICES) and column.source != "list"
                else None,
            }
            for column in self.columns
        ]


def words(value: Cell) -> str:
    """A value or a name as it is read.

    >>> words("record_stance"), words(True), words("")
    ('record stance', 'yes', '(empty)')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("_", " ").strip() or "(empty)"


def _last(name: str) -> str:
    """The last part of a dotted name, as it is read.

    >>> _last("meta.debate_title")
    'debate title'
    """
    return words(name.rpartition(".")[2])


def _flat(holder: Mapping[str, Any], lead: str = "", levels: int = 3) -> Iterator[tuple[str, Any]]:
    """Every value by its dotted name; objects are opened a few levels deep."""
    for name, value in holder.items():
        if isinstance(value, Mapping) and value and levels:
            yield from _flat(value, f"{lead}{name}.", levels - 1)
        else:
            yield f"{lead}{name}", value


def _cell(value: Any) -> Cell:
    """A value as the table shows it.

    >>> _cell({"a": 1}), _cell(float("nan")), len(_cell("x" * 500))
    ('{"a": 1}', None, 140)
    """
    value = value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
    if value is None or isinstance(value, bool):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, int | float):
        return None if not math.isfinite(value) else value if abs(value) < 2**53 else str(value)
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = str(value)
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


def _references(level: Level) -> Iterator[tuple[list[str], list[str]]]:
    """Where records refer to items: the names that lead to a reference, and those that lead to the id it names."""
    lead = level.name.split("/") if level.name else []
    for value in level.values:
        if value.target:
            yield [*lead, *value.path], value.target.split("/")
    for entry in level.lists.values():
        yield from _references(entry)
