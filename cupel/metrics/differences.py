"""Where a record and its reference differ, in words that hold nothing of the document: what a rewriter may read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from cupel.metrics.assignment import best_pairs
from cupel.metrics.records import marks_same_place, record_metric, word_f1
from cupel.task import Field, field_of

Fault = Literal["missing", "extra", "wrong list", "cut", "wrong label", "other"]
"""What can be wrong by gold; `other` where it has no such name: a free text, or what only the metric tells."""

SAME_EDGES = 0.8
"""Word F1 from which two quotes of one item count as equally long."""

_RIGHT = 0.999
"""The metric from which a value agrees."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a record is not its reference.

    Attributes:
        kind: The field and what is wrong with it: `claims_missing`, `claims_extra`, `claims_cut`,
            `claims_as_premises` (of the reference's claims, those among the premises), `entities_type`, `stance`.
        words: The same in words, without any of the document's.
        quote: One quote of the record or the reference that shows it; None where the field has none.
        fault: What is wrong, whatever the field.
        given: What the record has there, of the example that `quote` is; None where it has nothing.
        wanted: What the reference has there; None where it has nothing.
    """

    kind: str
    words: str
    quote: str | None = None
    fault: Fault = "other"
    given: Any = None
    wanted: Any = None


class _Item(NamedTuple):
    field: str
    quote: str
    value: Mapping[str, Any]
    place: Field


class _Case(NamedTuple):
    """One item that differs: the record's and the reference's, where they have it."""

    given: _Item | None
    wanted: _Item | None

    @property
    def quote(self) -> str:
        """What shows it best: the reference's words, where it has any."""
        return (self.wanted or self.given or _NOTHING).quote


_NOTHING = _Item("", "", {}, field_of({}))


class _Kind(NamedTuple):
    """A kind of fault with its words, in which `{}` are how many, and of how many."""

    fault: Fault
    kind: str
    words: str


def find_differences(
    record: Mapping[str, Any] | None,
    reference: Mapping[str, Any],
    schema: Mapping[str, Any],
    *,
    metric: str = "",
) -> list[Difference]:
    """What a record has wrong, one entry a kind of fault.

    Items of lists are told apart by their quote (the field marked `x-grounded`) and paired over all lists at
    once, so that an item in the wrong list is neither missing nor too many. Other fields are compared whole.

    Args:
        record: The record; None for a document without one.
        reference: What it should be; fields it leaves out are not annotated, and not compared.
        schema: The task's JSON Schema.
        metric: The task's metric: a record that it finds less than right then differs in one way at least.

    >>> quoted = {"items": {"properties": {"quote": {"x-grounded": True}}}}
    >>> schema = {"properties": {"claims": quoted, "premises": quoted}}
    >>> given = {"claims": [{"quote": "prices rose by a third"}], "premises": []}
    >>> wanted = {"claims": [], "premises": [{"quote": "prices rose by a third"}]}
    >>> [(each.kind, each.words) for each in find_differences(given, wanted, schema)]
    [('premises_as_claims', 'the record has 1 of the 1 premises among its claims')]
    """
    if record is None:
        return [Difference("record", "there is no record", fault="missing", wanted=dict(reference))]
    fields = field_of(schema).fields
    annotated = [name for name in reference if name in fields]
    quoted = {name: quote for name in annotated if (quote := _quote_field(fields[name]))}
    ours, theirs = (list(_items(each, quoted, fields)) for each in (record, reference))
    differences = _of_items(ours, theirs)
    for name in annotated:
        if name not in quoted and record_metric(record, reference, metric=name, schema=schema) < _RIGHT:
            differences += _of_field(name, record.get(name), reference[name], fields[name])
    if metric and not differences and _disagrees(record, reference, metric, schema):
        words = f"the record is not what the reference has, by the metric {metric!r}"
        differences = [Difference("record", words, given=dict(record), wanted=dict(reference))]
    return differences


def _disagrees(
    record: Mapping[str, Any], reference: Mapping[str, Any], metric: str, schema: Mapping[str, Any]
) -> bool:
    if not any(name in reference for name in field_of(schema).fields):
        return False  # nothing of it is annotated
    return record_metric(record, reference, metric=metric, schema=schema) < _RIGHT


def _quote_field(place: Field) -> str | None:
    """The field of a list's items that holds their quote."""
    return next((name for name, field in place.item().fields.items() if field.mark("x-grounded")), None)


def _items(
    record: Mapping[str, Any], quoted: Mapping[str, str], fields: Mapping[str, Field]
) -> Iterator[_Item]:
    for field, quote in quoted.items():
        for item in record.get(field) or []:
            if isinstance(item, Mapping):
                yield _Item(field, str(item.get(quote) or ""), item, fields[field].item())


def _of_items(ours: Sequence[_Item], theirs: Sequence[_Item]) -> list[Difference]:
    worth = [[_likeness(one, other) for other in theirs] for one in ours]
    pairs = [(row, column) for row, column in best_pairs(worth) if worth[row][column] > 0]
    paired_ours, paired_theirs = {row for row, _ in pairs}, {column for _, column in pairs}
    total = Counter(item.field for item in theirs)
    faults: dict[_Kind, list[_Case]] = {}
    for row, column in pairs:
        for kind in _of_pair(ours[row], theirs[column], worth[row][column]):
            faults.setdefault(kind, []).append(_Case(ours[row], theirs[column]))
    for item in (item for row, item in enumerate(ours) if row not in paired_ours):
        kind = _Kind("extra", f"{item.field}_extra", f"{item.field} that the reference has nowhere: {{}}")
        faults.setdefault(kind, []).append(_Case(item, None))
    for item in (item for column, item in enumerate(theirs) if column not in paired_theirs):
        words = f"{item.field} that are nowhere in the record: {{}} of {total[item.field]}"
        faults.setdefault(_Kind("missing", f"{item.field}_missing", words), []).append(_Case(None, item))
    return [_difference(kind, cases, total) for kind, cases in faults.items()]


def _of_pair(ours: _Item, theirs: _Item, worth: float) -> Iterator[_Kind]:
    """What is wrong with an item that both have: its list, its edges, or one of its labels."""
    if ours.field != theirs.field:
        words = f"the record has {{}} of the {{}} {theirs.field} among its {ours.field}"
        yield _Kind("wrong list", f"{theirs.field}_as_{ours.field}", words)
        return
    if worth < SAME_EDGES:
        longer = len(ours.quote) > len(theirs.quote)
        how = "say more than the reference's" if longer else "break off before the reference's"
        yield _Kind("cut", f"{ours.field}_cut", f"quotes of {ours.field} that {how}: {{}}")
    for name, wanted in theirs.value.items():
        given = ours.value.get(name)
        if theirs.place.field(name).is_choice and given != wanted:
            words = f"{name} of {ours.field} is {given} where the reference has {wanted}: {{}}"
            yield _Kind("wrong label", f"{ours.field}_{name}", words)


def _difference(kind: _Kind, cases: Sequence[_Case], total: Mapping[str, int]) -> Difference:
    shown = min(cases, key=lambda case: len(case.quote) or 10**9)
    given, wanted = (None if item is None else dict(item.value) for item in shown)
    words = kind.words.format(len(cases), total.get(kind.kind.split("_as_")[0], 0))
    return Difference(kind.kind, words, shown.quote or None, fault=kind.fault, given=given, wanted=wanted)


def _likeness(one: _Item, other: _Item) -> float:
    """Word F1 of two quotes of one place, a little more in the same list, and with the same labels; 0 for two places."""
    if not marks_same_place(one.quote, other.quote):
        return 0.0
    same = all(
        one.value.get(name) == value
        for name, value in other.value.items()
        if other.place.field(name).is_choice
    )
    return word_f1(one.quote, other.quote) + 0.001 * (one.field == other.field) + 0.0001 * same


def _of_field(name: str, given: Any, wanted: Any, place: Field) -> Iterator[Difference]:
    if isinstance(wanted, list) and place.kind == "array" and place.item().is_choice:
        yield from _of_choices(name, given if isinstance(given, list) else [], wanted)
        return
    if isinstance(wanted, list):
        count = len(given) if isinstance(given, list) else 0
        words = f"{name} differ from the reference: {_count(count)} given, {_count(len(wanted))} expected"
        fault: Fault = "missing" if count < len(wanted) else "extra" if count > len(wanted) else "other"
    elif place.is_choice or isinstance(wanted, int | float | bool):
        words, fault = f"{name} is {given} where the reference has {wanted}", "wrong label"
    else:
        words = f"{name} says something else than the reference"
        fault = "missing" if given in (None, "") else "extra" if wanted in (None, "") else "other"
    yield Difference(name, words, fault=fault, given=given, wanted=wanted)


def _of_choices(name: str, given: Sequence[Any], wanted: Sequence[Any]) -> Iterator[Difference]:
    """A list of labels: those that are missing and those that are too many, each by its name."""
    ours, theirs = Counter(map(str, given)), Counter(map(str, wanted))
    for label in theirs - ours:
        yield Difference(f"{name}_missing", f"{name} lack {label}", fault="missing", wanted=label)
    for label in ours - theirs:
        yield Difference(
            f"{name}_extra", f"{name} have {label}, which the reference has not", fault="extra", given=label
        )


def _count(number: int) -> str:
    return "none" if number == 0 else "one" if number == 1 else "several"
