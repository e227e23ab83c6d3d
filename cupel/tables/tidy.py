"""Records as tidy rows: one for each item (a claim, a premise, a mention), beside the document's own columns.

An item is an entry of a list of the record, at whatever depth. Its fields stand in `item_…` columns, the fields of the
record beside its lists in `record_…` columns of every row. A document without an item has one row without one: it is not
lost, and `item_pointer` is null there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cupel._memo import Kept
from cupel.errors import InputError
from cupel.state import Evidence, Record
from cupel.tables.columns import Kind, check_new
from cupel.task import Field, as_key, field_of

ITEM: dict[str, Kind] = {
    "item_list": "text", "item_pointer": "text", "item_parent": "text", "item_text": "text", "item_start": "whole",
    "item_end": "whole", "item_match": "text", "item_parts": "record",
}  # fmt: skip
"""What every item has: its list, where it stands in the record and in which other item, its words and where they stand
in the text as `[start, end)`, how well they match it, and the parts of an elided quote."""

_PLACE = ("start", "end", "match")
_PLACE_KINDS: tuple[Kind, ...] = ("whole", "whole", "text")
_KINDS: dict[str, Kind] = {"string": "text", "integer": "whole", "number": "number", "boolean": "flag"}


@dataclass(frozen=True, slots=True)
class Value:
    """A field that stands in a column: no list of items, and nothing that holds one.

    Attributes:
        path: The names that lead to it, from its item or the record.
        place: What the schema says of it.
        column: Its column.
        spans: Of a quote, the columns that say where it stands; none for an item's first, which has the item's own.
        target: The list and id field it refers to, such as `claims/id`; empty where it is no reference.
        words: Of a reference, the column with the words of what it refers to.
    """

    path: tuple[str, ...]
    place: Field
    column: str
    spans: tuple[str, ...] = ()
    target: str = ""
    words: str = ""


@dataclass(slots=True)
class Level:
    """What a record, or an entry of one of its lists, has: values, and lists of items.

    Attributes:
        name: The list, by the names that lead to it (`claims`, `claims/reasons`); empty for the record.
        values: Its fields that stand in columns.
        lists: By path, what an entry of each is.
        presence: Of objects and lists that may be null, the column that says whether they are there, or how many entries.
        quote: The first value of an item that is words of the document.
        entry: The column of an entry that is one value, or that no columns hold.
    """

    name: str
    values: list[Value] = field(default_factory=list)
    lists: dict[tuple[str, ...], Level] = field(default_factory=dict)
    presence: dict[tuple[str, ...], str] = field(default_factory=dict)
    quote: Value | None = None
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Tidy:
    """How records of a schema become rows.

    Attributes:
        record: The schema's levels.
        columns: Every column of a row, in order, and what it holds.
    """

    record: Level
    columns: Mapping[str, Kind]

    def rows(self, record: Record | None, evidence: Sequence[Evidence]) -> Iterator[dict[str, Any]]:
        """The rows of one document, at least one; `evidence` says where its quotes stand."""
        walk = _Walk({entry["path"]: entry for entry in evidence})
        of_record = walk.own(self.record, record, "")
        items = list(walk.items(self.record, record, "", ""))
        for row in (of_record, *items):
            walk.resolve(row)
        empty: dict[str, Any] = dict.fromkeys(self.columns)
        for row in items or [_Row()]:
            yield {**empty, **of_record.cells, **row.cells}

    def check(self, columns: Sequence[Any], *, source: str) -> None:
        """Refuse documents whose own columns have the name of one of these.

        Raises:
            InputError: Naming them.
        """
        check_new(columns, self.columns, "tidy", source=source)


def tidy_of(schema: Mapping[str, Any]) -> Tidy:
    """How records of this schema become rows.

    >>> claim = {"type": "object", "properties": {"id": {"type": "integer"}, "quote": {"type": "string", "x-grounded": True}}}
    >>> schema = {"type": "object", "properties": {"claims": {"type": "array", "items": claim}, "stance": {"type": "string"}}}
    >>> tidy = tidy_of(schema)
    >>> place = {"path": "/claims/0/quote", "quote": "We must", "match": "verbatim", "start": 4, "end": 11, "parts": [[4, 11]]}
    >>> [row] = tidy.rows({"claims": [{"id": 1, "quote": "We must"}], "stance": "support"}, [place])
    >>> {name: value for name, value in row.items() if value is not None and name != "item_parts"}
    {'item_list': 'claims', 'item_pointer': '/claims/0', 'item_text': 'We must', 'item_start': 4, 'item_end': 11, 'item_match': 'verbatim', 'item_id': 1, 'item_quote': 'We must', 'record_stance': 'support'}
    """
    return _kept.of((schema,), make=lambda: _tidy_of(field_of(schema)))


_kept = Kept[Tidy]()


def read_record(value: Any, *, row: int, source: str) -> Record | None:
    """A record as it stands in a cell: a dict, JSON text, an instance of a class, or nothing.

    Raises:
        InputError: For anything else, with its row from 1.
    """
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InputError(f"{source}: row {row}: the record is no JSON: {error}") from None
    if isinstance(value, Mapping):
        return dict(value)
    if (
        value is None
        or type(value).__name__ == "NAType"
        or value == ""
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    raise InputError(f"{source}: row {row}: a record is an object, and this is {type(value).__name__}")


def _tidy_of(record: Field) -> Tidy:
    columns: dict[str, Kind] = dict(ITEM)
    of_record: dict[str, Kind] = {}
    level = _level(record, "", _Names("record_", of_record), _Names("item_", columns), ())
    return Tidy(level, {**columns, **of_record})


@dataclass(frozen=True, slots=True)
class _Names:
    """Columns that begin alike; the same field of two lists shares one, and no two things do."""

    lead: str
    columns: dict[str, Kind]
    taken: dict[str, str] = field(default_factory=dict)
    """Column → the path of the field it is for."""

    def add(self, path: tuple[str, ...], kind: Kind, more: str = "") -> str:
        """The column of a field; one of two kinds, in two lists, holds any value."""
        name, whose = (
            f"{self.lead}{'_'.join((*path, *([more] if more else [])))}",
            "\x1f".join((*path, "\x1e", more)),
        )
        while (name in ITEM or name in self.taken) and self.taken.get(name) != whose:
            name += "_"
        self.taken[name] = whose
        self.columns[name] = kind if self.columns.get(name, kind) == kind else "record"
        return name


def _level(place: Field, name: str, own: _Names, below: _Names, within: tuple[Field, ...]) -> Level:
    """An object's values and lists; a schema that leads back to itself is followed once, and by values beyond that."""
    level = Level(name)
    waiting: list[tuple[tuple[str, ...], Field]] = [((), place)]
    while waiting:
        path, here = waiting.pop(0)
        for key, child in here.fields.items():
            where, target = (*path, key), _target(child)
            if _is_list(child) and not target:
                if child.is_nullable:
                    level.presence[where] = own.add(where, "whole", "count")
                inside = f"{name}/{'/'.join(where)}".lstrip("/")
                level.lists[where] = _entry(child.item(), inside, below, (*within, place))
            elif _is_object(child) and child not in within:
                if child.is_nullable and not child.mark("x-computed"):  # code gives it all or nothing
                    level.presence[where] = own.add(where, "flag")
                waiting.append((where, child))
            else:
                level.values.append(
                    _value(child, where, target, own, is_first=level.quote is None and bool(name))
                )
                if child.mark("x-grounded") and level.quote is None:
                    level.quote = level.values[-1]
    return level


def _value(place: Field, path: tuple[str, ...], target: str, names: _Names, *, is_first: bool) -> Value:
    """A field with its columns; an item's first quote needs none for its place."""
    column, spans, words = names.add(path, _kind(place)), tuple[str, ...](), ""
    if place.mark("x-grounded") and not is_first:
        spans = tuple(names.add(path, kind, word) for word, kind in zip(_PLACE, _PLACE_KINDS, strict=True))
    if target:
        words = names.add(path, "record" if place.kind == "array" else "text", "text")
    return Value(path, place, column, spans, target, words)


def _kind(place: Field) -> Kind:
    kinds = place.kinds
    return _KINDS.get(next(iter(kinds)), "record") if len(kinds) == 1 else "record"


def _is_list(place: Field) -> bool:
    return place.kinds == {"array"} and len(place.choices) == 1 and not place.first


def _is_object(place: Field) -> bool:
    """Whether an object has its named fields and no others, so that columns hold all of it."""
    return place.kinds == {"object"} and len(place.choices) == 1 and bool(place.fields) and place.is_closed


def _entry(place: Field, name: str, names: _Names, within: tuple[Field, ...]) -> Level:
    if _is_object(place) and not place.is_nullable and place not in within:
        return _level(place, name, names, names, within)
    return Level(name, entry=names.add(("value",), _kind(place)))


def _target(place: Field) -> str:
    mark = place.mark("x-refers-to") or (place.item().mark("x-refers-to") if place.kind == "array" else None)
    return str(mark).strip("/") if mark else ""


@dataclass(slots=True)
class _Row:
    cells: dict[str, Any] = field(default_factory=dict)
    references: dict[str, tuple[str, Any]] = field(default_factory=dict)
    """Column of the resolved words → the list and id field, and what is referred to."""


@dataclass(slots=True)
class _Walk:
    """One record on its way to rows."""

    evidence: Mapping[str, Mapping[str, Any]]
    words: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """List and id field, and an id → the words of the item that has it."""

    def own(self, level: Level, holder: Any, pointer: str) -> _Row:
        """The columns of a level's own values."""
        row = _Row()
        for value in level.values:
            there = row.cells[value.column] = _at(holder, value.path)
            entry = self.evidence.get(_join(pointer, value.path), {})
            row.cells |= {column: entry.get(word) for column, word in zip(value.spans, _PLACE, strict=False)}
            if value.target:
                row.references[value.words] = (value.target, there)
        for path, column in level.presence.items():
            there = _at(holder, path)
            row.cells[column] = len(there) if isinstance(there, list) else True if there is not None else None
        return row

    def items(self, level: Level, holder: Any, pointer: str, parent: str) -> Iterator[_Row]:
        """Every item below a level, each before what it holds."""
        for path, entry in level.lists.items():
            there = _at(holder, path)
            for index, item in enumerate(there if isinstance(there, list) else ()):
                where = f"{_join(pointer, path)}/{index}"
                yield self._item(entry, item, where, parent)
                yield from self.items(entry, item, where, where)

    def _item(self, level: Level, item: Any, pointer: str, parent: str) -> _Row:
        row = _Row({level.entry: item}) if level.entry else self.own(level, item, pointer)
        quote = () if level.entry else level.quote.path if level.quote else None
        place = {} if quote is None else self.evidence.get(_join(pointer, quote), {})
        words = None if quote is None else _at(item, quote)
        row.cells |= {"item_list": level.name, "item_pointer": pointer, "item_parent": parent or None}
        row.cells |= {f"item_{word}": place.get(word) for word in _PLACE}
        parts = place.get("parts") or []
        row.cells["item_parts"] = parts if len(parts) > 1 else None
        row.cells["item_text"] = words if isinstance(words, str) else None
        for value in level.values:
            if value.place.mark("x-id"):
                key = (f"{level.name}/{'/'.join(value.path)}", as_key(_at(item, value.path)))
                self.words.setdefault(key, row.cells["item_text"])
        return row

    def resolve(self, row: _Row) -> None:
        """Say what references refer to, in words."""
        for column, (target, ids) in row.references.items():
            several = ids if isinstance(ids, list) else [ids]
            words = [None if one is None else self.words.get((target, as_key(one))) for one in several]
            row.cells[column] = words if isinstance(ids, list) else words[0]


def _at(holder: Any, path: Sequence[str]) -> Any:
    for key in path:
        holder = holder.get(key) if isinstance(holder, Mapping) else None
    return holder


def _join(pointer: str, path: Sequence[str]) -> str:
    return pointer + "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in path)
