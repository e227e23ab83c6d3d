"""A record as the list of items a judge goes through: every entry of a list, and every single value, by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from cupel._memo import Kept
from cupel.state import Evidence, Record
from cupel.task import Field, compact, field_of

_SHORT_QUOTE = 4
"""Words below which a quote that stands in the text several times is shown with its neighbours."""

_AROUND = 40
"""Characters shown on either side of such a quote."""

_SHOWN = 1_200
"""Longest value that is shown; a record's values are no longer than its document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing a record says.

    Attributes:
        number: From 1, in the order the judge is shown them.
        name: The list it is an entry of, or the field it stands in; inside an object by path, such as `site/city`.
        path: JSON pointer to it.
        value: What is there.
        is_entry: Whether it is an entry of a list, and may be left out.
        quote: The document's words it rests on; empty where it has none.
        start: Where the quote begins in the text; None where it has none, or stands nowhere.
        end: One past its last character.
    """

    number: int
    name: str
    path: str
    value: Any
    is_entry: bool
    quote: str = ""
    start: int | None = None
    end: int | None = None

    def part(self, field: str) -> Any:
        """The value of a field of an entry that has fields; else the value itself."""
        return self.value.get(field) if self.is_entry and isinstance(self.value, Mapping) else self.value


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the items of a task may be, as its schema says.

    Attributes:
        lists: Name → what an entry of it is.
        singles: Name → what the value is.
    """

    lists: Mapping[str, Field]
    singles: Mapping[str, Field]

    def place(self, item: Item, field: str = "") -> Field:
        """What the schema says of an item, or of a field of it where it has one of that name."""
        named = self.lists if item.is_entry else self.singles
        place = named.get(item.name, field_of({})).fitting(item.value)
        return place.fields.get(field, place) if item.is_entry else place

    @property
    def fields(self) -> dict[str, Field]:
        """Fields an entry of any list has, by name; ids left out, as they name nothing but places."""
        every = (pair for entry in self.lists.values() for pair in entry.fields.items())
        return {name: place for name, place in every if not place.mark("x-id")}


_kinds = Kept[Kinds]()


def kinds_of(schema: Mapping[str, Any]) -> Kinds:
    """What a record of this schema may hold; objects are opened, entries of lists are one item each.

    >>> schema = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}},
    ...     "site": {"type": "object", "properties": {"city": {"type": "string"}}}}}
    >>> kinds = kinds_of(schema)
    >>> list(kinds.lists), list(kinds.singles)
    (['tags'], ['site/city'])
    """
    return _kinds.of((schema,), make=lambda: _kinds_of(field_of(schema)))


def _kinds_of(record: Field) -> Kinds:
    lists: dict[str, Field] = {}
    singles: dict[str, Field] = {}
    waiting, seen = [("", record)], {id(record)}
    while waiting:
        above, place = waiting.pop(0)
        for name, field in place.fields.items():
            path = f"{above}{_escape(name)}"
            if field.kind == "array":
                lists[path] = field.item()
            elif field.fields and id(field) not in seen:  # a schema may lead back to itself
                seen.add(id(field))
                waiting.append((f"{path}/", field))
            else:
                singles[path] = field
    return Kinds(lists, singles)


def items_of(record: Record, schema: Mapping[str, Any], evidence: Sequence[Evidence]) -> list[Item]:
    """The items of a record: entries in the order of the document, then single values.

    Ids are none: they name nothing but places.

    Args:
        record: The record.
        schema: The task's.
        evidence: Where each quote of the record stands, by its path.
    """
    kinds = kinds_of(schema)
    found = [_placed(item, evidence) for item in _walk(record, kinds)]
    entries = [item for item in found if item.is_entry]
    # a quote that stands nowhere comes after those that do, in the record's own order
    entries.sort(key=lambda item: (item.start is None, item.start or 0))
    ordered = [*entries, *(item for item in found if not item.is_entry)]
    return [replace(item, number=number) for number, item in enumerate(ordered, start=1)]


def _walk(record: Record, kinds: Kinds) -> Iterator[Item]:
    for name in kinds.lists:
        values = _at(record, name)
        for index, value in enumerate(values if isinstance(values, list) else ()):
            yield Item(number=0, name=name, path=f"/{name}/{index}", value=value, is_entry=True)
    for name, place in kinds.singles.items():
        if not place.mark("x-id") and _has(record, name):
            yield Item(number=0, name=name, path=f"/{name}", value=_at(record, name), is_entry=False)


def _at(record: Any, name: str) -> Any:
    for part in steps_of(name):
        record = record.get(part) if isinstance(record, Mapping) else None
    return record


def _has(record: Record, name: str) -> bool:
    """Whether a record says anything at a place, be it null: gold may leave out what nobody annotated."""
    above, _, last = name.rpartition("/")
    holder = _at(record, above) if above else record
    return isinstance(holder, Mapping) and steps_of(last)[0] in holder


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def steps_of(name: str) -> list[str]:
    """The fields that lead to a list or a value, from its name.

    >>> steps_of("site/a~1b")
    ['site', 'a/b']
    """
    return [part.replace("~1", "/").replace("~0", "~") for part in name.split("/")]


def _placed(item: Item, evidence: Sequence[Evidence]) -> Item:
    """The item with its first quote; what stands under a path that only begins the same is another's."""
    for entry in evidence:
        if entry["path"] == item.path or entry["path"].startswith(f"{item.path}/"):
            return replace(item, quote=entry["quote"], start=entry["start"], end=entry["end"])
    return item


def show_items(
    items: Sequence[Item], schema: Mapping[str, Any], text: str, *, every: Sequence[Item] = ()
) -> str:
    """The items as the judge reads them, a numbered line each.

    Args:
        items: Those to show.
        schema: The task's.
        text: The document.
        every: All items of the record, where `items` are a part of them: references name their numbers.

    >>> claim = {"type": "object", "properties": {"quote": {"type": "string", "x-grounded": True}, "sure": {"type": "boolean"}}}
    >>> schema = {"type": "object", "properties": {"claims": {"type": "array", "items": claim}}}
    >>> place = {"path": "/claims/0/quote", "quote": "It works", "start": 0, "end": 8}
    >>> print(show_items(items_of({"claims": [{"quote": "It works", "sure": True}]}, schema, [place]), schema, "It works."))
    1. claims: "It works" · sure: true
    """
    kinds, numbers = kinds_of(schema), numbers_by_id(every or items, schema)
    return "\n".join(f"{item.number}. {_line(item, kinds, numbers, text)}" for item in items)


def _line(item: Item, kinds: Kinds, numbers: Mapping[tuple[str, str], int], text: str) -> str:
    place, value = kinds.place(item), item.value
    if not isinstance(value, Mapping):
        quoted = _quoted(item, text) if item.quote else _plain(value)
        return f"{item.name}: {quoted}"
    shown = [f"{item.name}:"] if not item.quote else [f"{item.name}: {_quoted(item, text)}"]
    for name, part in value.items():
        field = place.field(name).fitting(part)
        if field.mark("x-id") or (isinstance(part, str) and part == item.quote):
            continue
        target = field.mark("x-refers-to")
        shown.append(f"{name}: {_reference(part, str(target), numbers) if target else _plain(part)}")
    return " · ".join(shown).replace(": · ", ": ", 1)


def numbers_by_id(items: Sequence[Item], schema: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """`list/id field` and an id → the number of the item that has it."""
    kinds, numbers = kinds_of(schema), dict[tuple[str, str], int]()
    for item in items:
        fields = kinds.place(item).fields if item.is_entry and isinstance(item.value, Mapping) else {}
        for name, field in fields.items():
            if field.mark("x-id"):
                numbers.setdefault((f"{item.name}/{name}", str(item.value.get(name))), item.number)
    return numbers


def _reference(value: Any, target: str, numbers: Mapping[tuple[str, str], int]) -> str:
    """What a reference names, as the number of that item."""
    named = [numbers.get((target, str(one))) for one in (value if isinstance(value, list) else [value])]
    known = [f"item {number}" for number in named if number is not None]
    return ", ".join(known) if known else "nothing"


def _plain(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "(empty)"
    return value[:_SHOWN] if isinstance(value, str) else compact(value)[:_SHOWN]


def _quoted(item: Item, text: str) -> str:
    quote = f'"{item.quote[:_SHOWN]}"'
    if item.start is None or item.end is None or len(item.quote.split()) >= _SHORT_QUOTE:
        return quote
    if _occurrences(text, item.quote) < 2:
        return quote
    before, after = text[max(0, item.start - _AROUND) : item.start], text[item.end : item.end + _AROUND]
    return f"{quote} (in “…{_one_line(before)}{item.quote}{_one_line(after)}…”)"


@lru_cache(maxsize=4_096)
def _occurrences(text: str, quote: str) -> int:
    return text.count(quote)


def _one_line(words: str) -> str:
    return words.replace("\n", " ")
