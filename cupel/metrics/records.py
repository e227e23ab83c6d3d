"""One record against its reference: items paired in the best way, then compared field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cupel.metrics.assignment import best_pairs
from cupel.metrics.counts import shared_f1
from cupel.metrics.words import words
from cupel.task import Field, field_of

SAME_QUOTE = 0.5
"""Share of the shorter quote's words that two quotes must have in common to mark the same item."""

Ids = Mapping[str, Mapping[str, str]]
"""`list/id field` → id in the record → id of its partner in the reference."""


def record_metric(
    record: Mapping[str, Any] | None,
    reference: Mapping[str, Any],
    *,
    metric: str = "record",
    schema: Mapping[str, Any] | None = None,
    twins: Mapping[int, int] | None = None,
) -> float:
    """How well a record agrees with its reference.

    Args:
        record: The record; None, for a document without one, scores 0.
        reference: What it should be. A required field that it leaves out is not annotated, and not compared,
            nor is one that code fills in; what should be empty is null.
        metric: `record` (mean over fields), `exact` (all equal or nothing), `items` (F1 over the items of
            all lists), or the name of one top-level field, which alone is compared.
        schema: The task's JSON Schema. Enumerations are compared whole, quotes (`x-grounded`) and free text
            by their words, ids (`x-id`) not at all, and references (`x-refers-to`) by what they refer to.
        twins: Of entries that are objects, `id` of the record's → `id` of the reference's that it is known to be paired
            with; all others are paired in the best way.

    Returns:
        A number in [0, 1]. The order of items and keys does not matter.

    Raises:
        ValueError: For an unknown metric.

    >>> record_metric({"tags": ["b", "a"]}, {"tags": ["a", "b", "c", "d"]})
    0.6666666666666666
    """
    fields = {*field_of(schema or {}).fields, *reference}
    if metric not in METRICS and metric not in fields:
        raise ValueError(f"unknown metric {metric!r}; there are {', '.join([*METRICS, *sorted(fields)])}")
    if record is None:
        return 0.0
    comparison = _Likeness(record, reference, schema or {}, twins or {})
    return METRICS[metric](comparison) if metric in METRICS else comparison.field(metric)


def _whole_record(comparison: _Likeness) -> float:
    return comparison.objects(comparison.record, comparison.reference, comparison.root)


def _exact(comparison: _Likeness) -> float:
    return float(_whole_record(comparison) >= 1 - 1e-9)


def _items(comparison: _Likeness) -> float:
    """F1 over the items of all top-level lists, an item counting for as much as it agrees."""
    shared = given = wanted = 0.0
    for name in comparison.record | comparison.reference:
        ours, theirs = comparison.record.get(name) or [], comparison.reference.get(name) or []
        if isinstance(ours, list) and isinstance(theirs, list):
            shared += sum(worth for _, _, worth in comparison.pair(ours, theirs, comparison.root.field(name)))
            given, wanted = given + len(ours), wanted + len(theirs)
    return shared_f1(shared, given, wanted) if given + wanted else 1.0


METRICS: Mapping[str, Callable[[_Likeness], float]] = {
    "record": _whole_record,
    "exact": _exact,
    "items": _items,
}
"""Metrics by name; the name of a top-level field is one too."""


class _Likeness:
    """Two records and the pairing of their items' ids."""

    def __init__(
        self,
        record: Mapping[str, Any],
        reference: Mapping[str, Any],
        schema: Mapping[str, Any],
        twins: Mapping[int, int],
    ) -> None:
        self.root, self.twins = field_of(schema), twins
        self.record, self.reference = dict(record), dict(reference)
        self.ids: Ids | None = None
        # ids pair as the rest of their items does; until then references cannot be compared, and are left out
        self.ids = self._pair_ids()

    def field(self, name: str) -> float:
        """Agreement of one top-level field in [0, 1]."""
        return self.values(self.record.get(name), self.reference.get(name), self.root.field(name))

    def values(self, ours: Any, theirs: Any, place: Field) -> float:
        """Agreement of two values in [0, 1]."""
        if isinstance(ours, list) and isinstance(theirs, list):
            shared = sum(worth for _, _, worth in self.pair(ours, theirs, place))
            return shared_f1(shared, len(ours), len(theirs)) if ours or theirs else 1.0
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            return self.objects(ours, theirs, place)
        place = _choice(place, ours, theirs)
        if target := place.mark("x-refers-to"):
            return self._references(ours, theirs, str(target))
        if isinstance(ours, str) and isinstance(theirs, str) and not place.is_choice:
            return word_f1(ours, theirs)
        return float(ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool))

    def objects(self, ours: Mapping[str, Any], theirs: Mapping[str, Any], place: Field) -> float:
        """Mean agreement over annotated fields filled in either; 0 where their quotes mark different places."""
        place = _choice(place, ours, theirs)
        compared = [
            (ours.get(name), theirs.get(name), place.field(name))
            for name in dict.fromkeys((*theirs, *ours))
            if _fill(ours.get(name)) or _fill(theirs.get(name))
            if name in theirs or not (name in place.required or place.field(name).mark("x-computed"))
        ]
        compared = [row for row in compared if not self._is_skipped(_choice(row[2], *row[:2]))]
        if any(_other_place(*row) for row in compared):
            return 0.0
        scores = [self.values(*row) for row in compared]
        return sum(scores) / len(scores) if scores else 1.0

    def pair(self, ours: Sequence[Any], theirs: Sequence[Any], place: Field) -> list[tuple[int, int, float]]:
        """The best one-to-one pairing of two lists, with what each pair is worth."""
        place = _choice(place, ours, theirs)
        known = self._known(ours, theirs) if self.twins else {}
        rows = [row for row in range(len(ours)) if row not in known]
        columns = [column for column in range(len(theirs)) if column not in set(known.values())]
        worth = [
            [self.values(ours[row], theirs[column], place.item(column)) for column in columns] for row in rows
        ]
        return [
            *(
                (row, column, self.values(ours[row], theirs[column], place.item(column)))
                for row, column in known.items()
            ),
            *((rows[row], columns[column], worth[row][column]) for row, column in best_pairs(worth)),
        ]

    def _known(self, ours: Sequence[Any], theirs: Sequence[Any]) -> dict[int, int]:
        """The pairs that were told, by their places in the two lists."""
        at = {id(other): column for column, other in enumerate(theirs)}
        told = ((row, self.twins.get(id(one))) for row, one in enumerate(ours))
        return {row: at[twin] for row, twin in told if twin in at}

    def _is_skipped(self, place: Field) -> bool:
        """Ids name nothing but places; references are compared once it is known what they refer to."""
        return bool(place.mark("x-id")) or (bool(place.mark("x-refers-to")) and self.ids is None)

    def _references(self, ours: Any, theirs: Any, target: str) -> float:
        partners = (self.ids or {}).get(target, {})
        return float(ours is not None and theirs is not None and partners.get(str(ours)) == str(theirs))

    def _pair_ids(self) -> Ids:
        ids: dict[str, dict[str, str]] = {}
        for name, place in self.root.fields.items():
            ours, theirs = self.record.get(name), self.reference.get(name)
            field = next((key for key, child in place.item().fields.items() if child.mark("x-id")), None)
            if field is None or not isinstance(ours, list) or not isinstance(theirs, list):
                continue
            ids[f"{name}/{field}"] = {
                str(ours[row].get(field)): str(theirs[column].get(field))
                for row, column, worth in self.pair(ours, theirs, place)
                if worth > 0 and isinstance(ours[row], Mapping) and isinstance(theirs[column], Mapping)
            }
        return ids


def _choice(place: Field, ours: Any, theirs: Any) -> Field:
    """Of a union, the choice the reference's value fits; without one, the record's."""
    return place.fitting(ours if theirs is None else theirs)


def _fill(value: Any) -> bool:
    return value is not None and value != ""


def _other_place(ours: Any, theirs: Any, place: Field) -> bool:
    """Whether two quotes mark different items, whatever else about the items agrees."""
    if (
        not _choice(place, ours, theirs).mark("x-grounded")
        or not isinstance(ours, str)
        or not isinstance(theirs, str)
    ):
        return False
    return not marks_same_place(ours, theirs)


@lru_cache(maxsize=4_096)
def _counted(text: str) -> Counter[str]:
    """The words of a text, each with how often; not to be changed. Every quote is held against all of the other record."""
    return Counter(words(text))


def marks_same_place(one: str, other: str) -> bool:
    """Whether two quotes share `SAME_QUOTE` of the shorter one's words.

    >>> marks_same_place("prices rose", "Prices rose by a third.")
    True
    """
    ours, theirs = _counted(one), _counted(other)
    return (ours & theirs).total() >= SAME_QUOTE * min(ours.total(), theirs.total())


def word_f1(one: str, other: str) -> float:
    """F1 of the words two texts share, whatever their order; two texts without words must be equal.

    >>> word_f1("We must act", "we act")
    0.8
    """
    ours, theirs = _counted(one), _counted(other)
    if not ours or not theirs:
        return float(one.strip() == other.strip())
    return shared_f1((ours & theirs).total(), ours.total(), theirs.total())
