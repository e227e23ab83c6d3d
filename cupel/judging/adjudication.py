"""Two independent readings of one document: where they differ by code, and what a judge decides there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cupel.judging.item_findings import EXTRA, LIST, Fault, ItemFinding, Missing, Reading, fault_of
from cupel.judging.items import Item, Kinds, kinds_of
from cupel.judging.quotes import SAME_SPAN
from cupel.metrics import best_pairs, word_f1
from cupel.task import Field, compact, object_schema

SAME_PLACE = 0.5
"""Share of the shorter quote that two quotes must share to be of one item; of texts without a quote, their word F1."""

_CHOICES = ("A", "B", "neither", "unknown")
_NOTHING = "no item"

Decision = Literal["own", "other", "neither", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One thing on which two records differ.

    Attributes:
        number: From 1, as the judge is shown it.
        own: The judged record's item; None where it has none.
        other: The other record's.
        field: What differs: `EXTRA` for an item only one has, `LIST`, or a field.
        said: What each of the two says there, the judged record's first.
        should_be: What the other record has there, as a finding tells it.
        is_swapped: Whether the judge is shown the other record's as A.
    """

    number: int
    own: Item | None
    other: Item | None
    field: str
    said: tuple[str, str]
    should_be: Any = None
    is_swapped: bool = False

    @property
    def words(self) -> str:
        """The dispute as the judge reads it."""
        item = self.own or self.other
        quotes = {each.quote for each in (self.own, self.other) if each is not None and each.quote}
        head = f'"{max(quotes, key=len)}"' if quotes else (item.name if item else "")
        first, second = self.said[::-1] if self.is_swapped else self.said
        what = "" if self.field in (EXTRA, LIST) or self.field == head else f" · {self.field}"
        return f"{self.number}. {head}{what}\n   A: {first}\n   B: {second}"


def adjudication_schema() -> dict[str, Any]:
    """The strict JSON Schema of what a judge decides; why comes first."""
    decision = object_schema(
        {
            "item": {"type": "integer"},
            "why": {"type": "string"},
            "right": {"type": "string", "enum": list(_CHOICES)},
        }
    )
    return object_schema({"decisions": {"type": "array", "items": decision}})


def list_disputes(
    own: Sequence[Item], other: Sequence[Item], schema: Mapping[str, Any], *, seed: str = ""
) -> list[Dispute]:
    """Where two records differ, in the order of the document.

    Items are the same where their quotes share a place, whatever list they are in. Texts that whoever read worded
    alone are not compared, unless one of them is empty: two readers word nothing alike.

    Args:
        own: Items of the record that is judged.
        other: Items of the other one.
        schema: The task's.
        seed: Decides by chance which of the two is shown first; the same one for the same document.
    """
    kinds = kinds_of(schema)
    pairs = _pairs(own, other)
    partner = {mine.number: theirs for mine, theirs in pairs}
    taken = {theirs.number for theirs in partner.values()}
    found = [
        *(row for mine, theirs in pairs for row in _of_pair(mine, theirs, kinds, pairs)),
        *((mine, None, EXTRA, (_whole(mine, kinds), _NOTHING), None) for mine in own if mine.is_entry and mine.number not in partner),
        *((None, theirs, EXTRA, (_NOTHING, _whole(theirs, kinds)), None) for theirs in other if theirs.is_entry and theirs.number not in taken),
    ]  # fmt: skip
    found.sort(key=lambda row: _order(row[0] or row[1]))
    return [
        Dispute(
            number=number, own=mine, other=theirs, field=field, said=said, should_be=should_be,
            is_swapped=hashlib.sha256(f"{seed} {number}".encode()).digest()[0] % 2 == 1,
        )
        for number, (mine, theirs, field, said, should_be) in enumerate(found, start=1)
    ]  # fmt: skip


_Row = tuple[Item | None, Item | None, str, tuple[str, str], Any]


def _order(item: Item | None) -> tuple[bool, bool, int]:
    if item is None:
        return True, True, 0
    return not item.is_entry, item.start is None, item.start or 0


def _pairs(own: Sequence[Item], other: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Items of one place or of one field, each with its counterpart."""
    singles = {item.name: item for item in other if not item.is_entry}
    pairs = [(item, singles[item.name]) for item in own if not item.is_entry and item.name in singles]
    ours, theirs = ([item for item in each if item.is_entry] for each in (own, other))
    worth = [[_likeness(one, two) for two in theirs] for one in ours]
    return pairs + [
        (ours[row], theirs[column]) for row, column in best_pairs(worth) if worth[row][column] > 0
    ]


def _likeness(one: Item, other: Item) -> float:
    """How much two entries are the same one, in [0, 1.01]; 0 where they are two."""
    bonus = 0.01 * (one.name == other.name)
    if one.start is not None and one.end is not None and other.start is not None and other.end is not None:
        shared = min(one.end, other.end) - max(one.start, other.start)
        if shared < SAME_PLACE * min(one.end - one.start, other.end - other.start):
            return 0.0
        return shared / (max(one.end, other.end) - min(one.start, other.start)) + bonus
    if one.name != other.name:
        return 0.0
    if not isinstance(one.value, str) or not isinstance(other.value, str):
        return 1.0 if one.value == other.value else _alike(compact(one.value), compact(other.value))
    return 1.0 if one.value == other.value else _alike(one.value, other.value)


def _alike(one: str, other: str) -> float:
    worth = word_f1(one, other)
    return worth if worth >= SAME_PLACE else 0.0


def _of_pair(mine: Item, theirs: Item, kinds: Kinds, pairs: Sequence[tuple[Item, Item]]) -> Iterator[_Row]:
    if mine.is_entry and mine.name != theirs.name:
        yield mine, theirs, LIST, (f"it is one of {mine.name}", f"it is one of {theirs.name}"), theirs.name
        return
    if mine.is_entry and _is_cut(mine, theirs):
        said = (f'it ends and begins as "{mine.quote}"', f'it ends and begins as "{theirs.quote}"')
        yield mine, theirs, _quote_field(kinds.place(mine)), said, theirs.quote
    for name, place in _compared(mine, kinds):
        one, two = (item.part(name) for item in (mine, theirs))
        if place.mark("x-refers-to"):
            yield from _of_reference(mine, theirs, name, place, pairs)
        elif _differs(one, two, place):
            yield mine, theirs, name, (f"{name}: {_plain(one)}", f"{name}: {_plain(two)}"), two


def _compared(item: Item, kinds: Kinds) -> Iterator[tuple[str, Field]]:
    place = kinds.place(item)
    if not item.is_entry:
        yield item.name, place
        return
    for name, field in place.fields.items():
        if not field.mark("x-id") and not field.mark("x-grounded"):
            yield name, field


def _differs(one: Any, two: Any, place: Field) -> bool:
    if place.is_choice or not isinstance(one, str) or not isinstance(two, str):
        return bool(one != two)
    return bool(one) != bool(two)


def _of_reference(
    mine: Item, theirs: Item, name: str, place: Field, pairs: Sequence[tuple[Item, Item]]
) -> Iterator[_Row]:
    """Two references are one where what they name is one item; what only one of the readings has is no answer of the other."""
    target = str(place.mark("x-refers-to")).strip("/")
    one, two = (
        _named(item.part(name), target, [pair[side] for pair in pairs])
        for side, item in enumerate((mine, theirs))
    )
    by_other = {theirs_item.number: mine_item for mine_item, theirs_item in pairs}
    meant = None if two is None else by_other.get(two.number)
    if (two is not None and meant is None) or (one is None and mine.part(name) is not None):
        return
    if (one.number if one else None) != (meant.number if meant else None):
        said = tuple(f'{name}: "{each.quote}"' if each else f"{name}: nothing" for each in (one, meant))
        yield mine, theirs, name, (said[0], said[1]), meant.number if meant else None


def _named(value: Any, target: str, items: Sequence[Item]) -> Item | None:
    name, _, key = target.rpartition("/")
    return next(
        (
            item
            for item in items
            if item.name == name
            and isinstance(item.value, Mapping)
            and value is not None
            and item.value.get(key) == value
        ),
        None,
    )


def _is_cut(one: Item, other: Item) -> bool:
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return False
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared < SAME_SPAN * (max(one.end, other.end) - min(one.start, other.start))


def _quote_field(place: Field) -> str:
    return next((name for name, field in place.fields.items() if field.mark("x-grounded")), "value")


def _whole(item: Item, kinds: Kinds) -> str:
    """An entry that only one of the two has."""
    parts = [
        f"{name}: {_plain(item.part(name))}" for name, place in _compared(item, kinds) if place.is_choice
    ]
    said = "" if item.quote else f" {_plain(item.value)}"
    return f"it is one of {item.name}{said}" + (f" ({', '.join(parts)})" if parts else "")


def _plain(value: Any) -> str:
    return "(empty)" if value in (None, "", [], {}) else value if isinstance(value, str) else compact(value)


# ---- what the judge decides


def read_decisions(
    reply: object, disputes: Sequence[Dispute], own: Sequence[Item], schema: Mapping[str, Any]
) -> Reading | None:
    """The judge's decisions as findings on the judged record: what both readings have in common is right.

    Args:
        reply: The parsed reply, of `adjudication_schema`; ignored where there is nothing to decide.
        disputes: What was asked.
        own: All items of the judged record.
        schema: The task's.
    """
    if disputes and (not isinstance(reply, Mapping) or not isinstance(reply.get("decisions"), list)):
        return None
    entries = reply["decisions"] if disputes and isinstance(reply, Mapping) else []
    said = {each["item"]: each for each in reversed(entries) if isinstance(each, Mapping) and "item" in each}
    findings = {item.number: ItemFinding(item=item, finding="pass") for item in own}
    missing: list[Missing] = []
    for dispute in disputes:
        told = said.get(dispute.number, {})
        decision, why = _decision(told.get("right"), dispute), str(told.get("why") or "")
        if dispute.own is None:
            missing += (
                [_missing(dispute.other, kinds_of(schema))] if decision == "other" and dispute.other else []
            )
        elif findings[dispute.own.number].finding != "fail":
            findings[dispute.own.number] = _finding(dispute, decision, why, kinds_of(schema))
    return Reading(findings=[findings[item.number] for item in own], missing=missing)


def _decision(told: object, dispute: Dispute) -> Decision:
    if told not in ("A", "B"):
        return "neither" if told == "neither" else "unknown"
    return "other" if (told == "A") == dispute.is_swapped else "own"


def _finding(dispute: Dispute, decision: Decision, why: str, kinds: Kinds) -> ItemFinding:
    item = dispute.own
    assert item is not None
    if decision == "own":
        return ItemFinding(item=item, finding="pass", reasoning=why)
    if decision == "unknown":
        return ItemFinding(item=item, finding="unknown", reasoning=why or "The judge decided nothing.")
    is_told = decision == "other" and dispute.field != EXTRA
    return ItemFinding(
        item=item, finding="fail", reasoning=why, field=dispute.field, fault=_fault(dispute, kinds),
        should_be=dispute.should_be if is_told else None, is_told=is_told,
    )  # fmt: skip


def _fault(dispute: Dispute, kinds: Kinds) -> Fault:
    item = dispute.own
    if item is None or dispute.field in (EXTRA, LIST):
        return fault_of(dispute.field, None)
    return fault_of(dispute.field, kinds.place(item, dispute.field))


def _missing(item: Item, kinds: Kinds) -> Missing:
    label = item.value if kinds.place(item).is_choice else None
    return Missing(
        name=item.name,
        quote=item.quote or _plain(item.value),
        start=item.start or 0,
        end=item.end or 0,
        label=label,
    )
