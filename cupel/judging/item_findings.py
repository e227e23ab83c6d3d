"""What a judge says of a record item by item: the form it fills in, and its reply read and checked by code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cupel._memo import Kept
from cupel.judging.findings import FINDING_SCHEMA, Finding, QuoteGrounder, read_findings
from cupel.judging.items import Item, Kinds, kinds_of
from cupel.state import FindingName, FindingRecord
from cupel.task import Field, TaskCriterion, object_schema
from cupel.text import is_grounded

EXTRA = "should not be here"
LIST = "wrong list"
"""What can be wrong with an entry beside its fields; a field of a schema has no such name."""

Fault = Literal["extra", "wrong list", "cut", "wrong label", "other", ""]

COVERED = 0.5
"""Share of the shorter of two passages that both cover from which a missing one is there already."""

_SAID: Mapping[str, FindingName] = {"right": "pass", "wrong": "fail", "unknown": "unknown"}
_NUMBER = re.compile(r"\d+")
_MOST_TRIES = 64
"""Places of a quote that are looked at for a free one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFinding:
    """What was found of one item.

    Attributes:
        item: The item.
        finding: `pass` where it is right, `fail`, or `unknown`.
        reasoning: Why, in the judge's words.
        field: What of it is wrong: `EXTRA`, `LIST`, or a field's name; empty where nothing is.
        fault: The same as one of few kinds.
        should_be: What it should be, where the judge said so and code could check it: a label, a list's name, the
            number of an item, words of the document; None else.
        is_told: Whether the judge said what it should be, be it null.
    """

    item: Item
    finding: FindingName
    reasoning: str = ""
    field: str = ""
    fault: Fault = ""
    should_be: Any = None
    is_told: bool = False

    @property
    def criterion(self) -> str:
        """The kind of fault by name, as `find_differences` names what is wrong by gold."""
        name = self.item.name
        if self.finding == "pass" or not self.item.is_entry:
            return name
        if self.fault == "wrong list" and self.should_be:
            return f"{self.should_be}_as_{name}"
        end = {"extra": "extra", "wrong list": "list", "cut": "cut"}.get(self.fault, self.field)
        return f"{name}_{end}" if end else name

    def to_record(self) -> FindingRecord:
        """As the state carries it."""
        return FindingRecord(
            criterion=self.criterion, finding=self.finding, reasoning=self.reasoning,
            evidence_quote=self.item.quote or None, quote_match=None, path=self.item.path, field=self.field,
            should_be=self.should_be if self.is_told else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something the document says and the record does not: a passage, found in the text, and the list it belongs to."""

    name: str
    quote: str
    start: int
    end: int
    label: Any = None

    def to_record(self) -> FindingRecord:
        """As the state carries it."""
        return FindingRecord(
            criterion=f"{self.name}_missing", finding="fail", reasoning=f"missing from {self.name}",
            evidence_quote=self.quote, quote_match="verbatim", path=f"/{self.name}", field="",
            should_be=self.label,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A judge's reply as code understood it.

    Attributes:
        findings: One for every item, in their order.
        missing: What the record lacks; each stands in the document and is in no item.
        void: Passages said to be missing that stand nowhere, or are an item already, each with the reason.
        criteria: One for each criterion that is asked beside the items.
    """

    findings: Sequence[ItemFinding]
    missing: Sequence[Missing] = ()
    void: Sequence[str] = ()
    criteria: Sequence[Finding] = ()


# ---- the form


_schemas = Kept[dict[str, Any]]()


def items_schema(schema: Mapping[str, Any], criteria: Sequence[TaskCriterion] = ()) -> dict[str, Any]:
    """The strict JSON Schema of a judgement by items; the same for every record of a task, and not to be changed.

    An item that is right takes a number and a word; one that is not is told with why first, so that the judge has
    thought before it says what should be there.

    Args:
        schema: The task's.
        criteria: Those that are asked beside the items.

    >>> claim = {"type": "object", "properties": {"quote": {"type": "string", "x-grounded": True}}}
    >>> form = items_schema({"type": "object", "properties": {"claims": {"type": "array", "items": claim}}})
    >>> form["$defs"]["fault"]["properties"]["field"]["enum"]
    ['should not be here', 'quote']
    """
    ids = "\x1f".join(criterion.id for criterion in criteria)
    return _schemas.of((schema,), ids, make=lambda: _items_schema(kinds_of(schema), criteria))


def _items_schema(kinds: Kinds, criteria: Sequence[TaskCriterion]) -> dict[str, Any]:
    right = object_schema({"item": {"type": "integer"}, "finding": {"type": "string", "enum": ["right"]}})
    wrong = object_schema(
        {
            "item": {"type": "integer"},
            "why": {"type": "string"},
            "finding": {"type": "string", "enum": ["wrong", "unknown"]},
            "field": {"type": "string", "enum": field_names(kinds)},
            "should_be": {"type": ["string", "null"]},
        }
    )
    item = {"anyOf": [{"$ref": "#/$defs/right"}, {"$ref": "#/$defs/fault"}]}
    properties: dict[str, Any] = {"items": {"type": "array", "items": item}}
    definitions = {"right": right, "fault": wrong}
    if kinds.lists:
        properties["missing"] = {"type": "array", "items": _missing_schema(kinds)}
    if criteria:
        properties["criteria"] = object_schema({each.id: {"$ref": "#/$defs/finding"} for each in criteria})
        definitions["finding"] = FINDING_SCHEMA
    return {**object_schema(properties), "$defs": definitions}


def field_names(kinds: Kinds) -> list[str]:
    """What can be wrong, by name: of entries, then of single values."""
    whole = [EXTRA] if kinds.lists else []
    others = [LIST] if len(kinds.lists) > 1 else []
    return list(
        dict.fromkeys([*whole, *others, *kinds.fields, *kinds.singles, *([] if kinds.fields else ["value"])])
    )


def _missing_schema(kinds: Kinds) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "quote": {"type": "string"},
        "list": {"type": "string", "enum": list(kinds.lists)},
    }
    labels = {label: None for entry in kinds.lists.values() if entry.is_choice for label in entry.labels}
    if labels:
        properties["label"] = {"enum": [*labels, None]}
    return object_schema(properties)


# ---- the reply


def read_items(
    reply: object,
    items: Sequence[Item],
    schema: Mapping[str, Any],
    *,
    grounder: QuoteGrounder,
    every: Sequence[Item] = (),
    criteria: Sequence[TaskCriterion] = (),
) -> Reading | None:
    """Read a judge's reply; None where it is no judgement at all.

    An item it says nothing of, two things of, or what cannot be (that it should be what it is) is `unknown`. A passage
    said to be missing is void where it does not stand in the document, or every place of it is an item already.

    Args:
        reply: The parsed reply, of `items_schema`.
        items: Those that were asked about.
        schema: The task's.
        grounder: Aligns a quote to the document.
        every: All items of the record, where `items` are a part of them.
        criteria: Those that were asked about beside the items.
    """
    if not isinstance(reply, Mapping) or not isinstance(reply.get("items"), list):
        return None
    said = _by_number(reply["items"])
    reader, gaps = _Reader(schema, every or items, grounder), _Gaps(every or items, schema, grounder)
    for told in reply["missing"] if isinstance(reply.get("missing"), list) else ():
        gaps.add(told)
    asked = reply.get("criteria")
    return Reading(
        findings=[reader.finding(item, said.get(item.number, [])) for item in items],
        missing=gaps.found, void=gaps.void,
        criteria=read_findings(asked if isinstance(asked, Mapping) else {}, criteria, grounder),
    )  # fmt: skip


def _by_number(entries: Sequence[Any]) -> dict[int, list[Mapping[str, Any]]]:
    said: dict[int, list[Mapping[str, Any]]] = {}
    for entry in entries:
        if (
            isinstance(entry, Mapping)
            and isinstance(entry.get("item"), int)
            and entry.get("finding") in _SAID
        ):
            said.setdefault(entry["item"], []).append(entry)
    return said


class _Reader:
    """What a reply is held against: the task's schema, the record's items by number, and the document."""

    def __init__(self, schema: Mapping[str, Any], every: Sequence[Item], grounder: QuoteGrounder) -> None:
        self.kinds, self.grounder = kinds_of(schema), grounder
        self.items = {item.number: item for item in every}

    def finding(self, item: Item, said: Sequence[Mapping[str, Any]]) -> ItemFinding:
        """What was said of one item, if it was one thing and can be."""
        if not said:
            return ItemFinding(item=item, finding="unknown", reasoning="The judge said nothing of it.")
        if len({entry["finding"] for entry in said}) > 1:
            return ItemFinding(item=item, finding="unknown", reasoning="The judge said two things of it.")
        entry, why = said[0], str(said[0].get("why") or "")
        if _SAID[entry["finding"]] != "fail":
            return ItemFinding(item=item, finding=_SAID[entry["finding"]], reasoning=why)
        field = self._field(item, str(entry.get("field") or ""))
        place = self._place(item, field)
        should_be, is_told = self._should_be(entry.get("should_be"), item, field, place)
        if is_told and self._is_same(should_be, item, field, place):
            same = f"It is what the judge says that it should be: {why}"
            return ItemFinding(item=item, finding="unknown", reasoning=same)
        return ItemFinding(
            item=item, finding="fail", reasoning=why, field=field, fault=fault_of(field, place),
            should_be=should_be, is_told=is_told,
        )  # fmt: skip

    def _field(self, item: Item, told: str) -> str:
        """What of an item is wrong; a field that it has not stands for the item as a whole."""
        if not item.is_entry:
            return item.name
        own = self.kinds.place(item).fields
        if told in own or (told == LIST and len(self.kinds.lists) > 1):
            return told
        return told if told == "value" and not own else EXTRA

    def _place(self, item: Item, field: str) -> Field | None:
        """What the schema says of what is wrong; None where that is the item as a whole."""
        if field in (EXTRA, LIST):
            return None
        return self.kinds.place(item, field)

    def _should_be(self, told: Any, item: Item, field: str, place: Field | None) -> tuple[Any, bool]:
        """What it should be, as far as code can check it; and whether anything that can be was said."""
        if place is None:
            return self._other_list(told, item) if field == LIST else (None, False)
        if place.mark("x-refers-to"):
            return self._referred(told, str(place.mark("x-refers-to")))
        if told is None:
            return None, place.is_nullable
        return self._value(str(told).strip(), place)

    def _other_list(self, told: Any, item: Item) -> tuple[Any, bool]:
        if told in self.kinds.lists:
            return told, True
        others = [name for name in self.kinds.lists if name != item.name]
        return (others[0], True) if len(others) == 1 else (None, False)

    def _referred(self, told: Any, target: str) -> tuple[Any, bool]:
        """The number of an item of the list that is referred to, or None for nothing."""
        found = _NUMBER.search(str(told)) if told is not None else None
        if found is None:
            return None, True
        item = self.items.get(int(found.group()))
        is_there = item is not None and item.name == target.rpartition("/")[0].strip("/")
        return (int(found.group()), True) if is_there else (None, False)

    def _value(self, told: str, place: Field) -> tuple[Any, bool]:
        """A label by its name, words of the document as they stand there, any other text as it is."""
        if place.is_choice:
            by_name = {str(label).casefold(): label for label in place.labels}
            return by_name.get(told.casefold()), told.casefold() in by_name
        if place.mark("x-grounded"):
            quote = told.strip('"“”')
            return (
                (quote, True) if quote and is_grounded(self.grounder.ground(quote).match) else (None, False)
            )
        return told, True

    def _is_same(self, should_be: Any, item: Item, field: str, place: Field | None) -> bool:
        if field == LIST:
            return bool(should_be == item.name)
        value = item.value.get(field) if isinstance(item.value, Mapping) and item.is_entry else item.value
        target = place.mark("x-refers-to") if place is not None else None
        if not target or should_be is None:
            return bool(should_be == value)
        wanted = self.items[should_be].value
        return isinstance(wanted, Mapping) and wanted.get(str(target).rpartition("/")[2]) == value


def fault_of(field: str, place: Field | None) -> Fault:
    """What is wrong with a field of an item, as one of few kinds."""
    if place is None:
        return "extra" if field == EXTRA else "wrong list"
    if place.mark("x-grounded"):
        return "cut"
    return "wrong label" if place.is_choice or place.mark("x-refers-to") else "other"


# ---- what is missing


class _Gaps:
    """What a record lacks, gathered: each passage once, at a place that no item covers."""

    def __init__(self, every: Sequence[Item], schema: Mapping[str, Any], grounder: QuoteGrounder) -> None:
        self.items, self.kinds, self.grounder = every, kinds_of(schema), grounder
        self.taken = [(one.start, one.end) for one in every if one.start is not None and one.end is not None]
        self.found: list[Missing] = []
        self.void: list[str] = []

    def add(self, told: Any) -> None:
        """Take one passage that is said to be missing; what cannot be is kept as void, with the reason."""
        name, quote = (
            (str(told.get(key) or "").strip() for key in ("list", "quote"))
            if isinstance(told, Mapping)
            else ("", "")
        )
        if name not in self.kinds.lists or not quote:
            self.void.append(f"{name or 'no list'}: “{quote}”")
            return
        place, label = self.kinds.lists[name], told.get("label")
        if place.is_choice and not self._lacks(name, label, place):
            self.void.append(f"{name}: {label!r} is there already, or is no label of theirs")
            return
        # a label is told by its name, and the passage only shows it: it may show two
        where = _free_place(quote, [] if place.is_choice else self.taken, self.grounder)
        if isinstance(where, str):
            self.void.append(f"{name}: “{quote}” {where}")
            return
        self.taken.append(where)
        self.found.append(
            Missing(
                name=name, quote=quote, start=where[0], end=where[1], label=label if place.is_choice else None
            )
        )

    def _lacks(self, name: str, label: Any, place: Field) -> bool:
        return label in place.labels and not any(
            one.name == name and one.value == label for one in self.items
        )


def _free_place(
    quote: str, taken: Sequence[tuple[int, int]], grounder: QuoteGrounder
) -> tuple[int, int] | str:
    """The first place of a quote that no item covers; why there is none, in words."""
    used: set[tuple[int, int]] = set()
    for _ in range(_MOST_TRIES):
        place = grounder.ground(quote, used=used)
        if not is_grounded(place.match) or place.start is None or place.end is None:
            return "does not stand in the document"
        span = (place.start, place.end)
        if span in used:
            return "is an item already"
        if not any(_covers(span, other) for other in taken):
            return span
        used.add(span)
    return "is an item already"


def _covers(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two passages are the same one, for whoever marks it a little longer or shorter."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared > 0 and shared >= COVERED * min(one[1] - one[0], other[1] - other[0])
