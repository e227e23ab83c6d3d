"""Where a record and its reference differ, in words that hold nothing of the document: what a rewriter may read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cupel.metrics.assignment import best_pairs
from cupel.metrics.records import marks_same_place, record_metric, word_f1
from cupel.task import Field, field_of

SAME_EDGES = 0.8
"""Word F1 from which two quotes of one item count as equally long."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a record is not its reference.

    Attributes:
        kind: The field and what is wrong with it: `claims_missing`, `claims_extra`, `claims_cut`,
            `claims_as_premises` (of the reference's claims, those among the premises), `stance`.
        words: The same in words, without any of the document's.
        quote: One quote of the record or the reference that shows it; None where the field has none.
    """

    kind: str
    words: str
    quote: str | None = None


class _Item(NamedTuple):
    field: str
    quote: str


def find_differences(
    record: Mapping[str, Any] | None, reference: Mapping[str, Any], schema: Mapping[str, Any]
) -> list[Difference]:
    """What a record has wrong, one entry a kind of fault.

    Items of lists are told apart by their quote (the field marked `x-grounded`) and paired over all lists at
    once, so that an item in the wrong list is neither missing nor too many. Other fields are compared whole.

    Args:
        record: The record; None for a document without one.
        reference: What it should be; fields it leaves out are not annotated, and not compared.
        schema: The task's JSON Schema.

    >>> quoted = {"items": {"properties": {"quote": {"x-grounded": True}}}}
    >>> schema = {"properties": {"claims": quoted, "premises": quoted}}
    >>> given = {"claims": [{"quote": "prices rose by a third"}], "premises": []}
    >>> wanted = {"claims": [], "premises": [{"quote": "prices rose by a third"}]}
    >>> [(each.kind, each.words) for each in find_differences(given, wanted, schema)]
    [('premises_as_claims', 'the record has 1 of the 1 premises among its claims')]
    """
    if record is None:
        return [Difference("record", "there is no record")]
    fields = field_of(schema).fields
    annotated = [name for name in reference if name in fields]
    quoted = {name: field for name in annotated if (field := _quote_field(fields[name]))}
    differences = _of_items(_items(record, quoted), _items(reference, quoted))
    for name in annotated:
        if name not in quoted and record_metric(record, reference, metric=name, schema=schema) < 0.999:
            words = _of_field(name, record.get(name), reference[name], fields[name])
            differences.append(Difference(name, words))
    return differences


def _quote_field(place: Field) -> str | None:
    """The field of a list's items that holds their quote."""
    return next((name for name, field in place.item().fields.items() if field.mark("x-grounded")), None)


def _items(record: Mapping[str, Any], quoted: Mapping[str, str]) -> list[_Item]:
    return [
        _Item(field, str(item.get(quote) or ""))
        for field, quote in quoted.items()
        for item in record.get(field) or []
        if isinstance(item, Mapping)
    ]


def _of_items(ours: Sequence[_Item], theirs: Sequence[_Item]) -> list[Difference]:
    worth = [[_likeness(one, other) for other in theirs] for one in ours]
    pairs = [(row, column) for row, column in best_pairs(worth) if worth[row][column] > 0]
    paired_ours, paired_theirs = {row for row, _ in pairs}, {column for _, column in pairs}
    total = {item.field: sum(other.field == item.field for other in theirs) for item in theirs}
    faults: dict[tuple[str, str], list[str]] = {}
    for row, column in pairs:
        if ours[row].field != theirs[column].field:
            key = (f"{theirs[column].field}_as_{ours[row].field}", _misplacement(ours[row], theirs[column]))
            faults.setdefault(key, []).append(ours[row].quote)
        elif worth[row][column] < SAME_EDGES:
            faults.setdefault(_edges(ours[row], theirs[column]), []).append(theirs[column].quote)
    for item in (item for row, item in enumerate(ours) if row not in paired_ours):
        key = (f"{item.field}_extra", f"{item.field} that the reference has nowhere: {{}}")
        faults.setdefault(key, []).append(item.quote)
    for item in (item for column, item in enumerate(theirs) if column not in paired_theirs):
        key = (
            f"{item.field}_missing",
            f"{item.field} that are nowhere in the record: {{}} of {total[item.field]}",
        )
        faults.setdefault(key, []).append(item.quote)
    return [
        Difference(kind, words.format(len(quotes), total.get(kind.split("_as_")[0], 0)), _shortest(quotes))
        for (kind, words), quotes in faults.items()
    ]


def _misplacement(ours: _Item, theirs: _Item) -> str:
    return f"the record has {{}} of the {{}} {theirs.field} among its {ours.field}"


def _edges(ours: _Item, theirs: _Item) -> tuple[str, str]:
    longer = len(ours.quote) > len(theirs.quote)
    how = "say more than the reference's" if longer else "break off before the reference's"
    return f"{ours.field}_cut", f"quotes of {ours.field} that {how}: {{}}"


def _likeness(one: _Item, other: _Item) -> float:
    """Word F1 of two quotes of one place, a little more in the same list; 0 for two places."""
    if not marks_same_place(one.quote, other.quote):
        return 0.0
    return word_f1(one.quote, other.quote) + 0.001 * (one.field == other.field)


def _shortest(quotes: Iterable[str]) -> str | None:
    return min((quote for quote in quotes if quote), key=len, default=None)


def _of_field(name: str, given: Any, wanted: Any, place: Field) -> str:
    if isinstance(wanted, list):
        count = len(given) if isinstance(given, list) else 0
        return f"{name} differ from the reference: {_count(count)} given, {_count(len(wanted))} expected"
    if place.is_choice or isinstance(wanted, int | float | bool):
        return f"{name} is {given} where the reference has {wanted}"
    return f"{name} says something else than the reference"


def _count(number: int) -> str:
    return "none" if number == 0 else "one" if number == 1 else "several"
