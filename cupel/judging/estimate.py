"""From what was found of each item to a figure: the record as the judge would have it, and the task's metric against it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel.judging.findings import Finding, Verdict
from cupel.judging.item_findings import ItemFinding, Missing, Reading
from cupel.judging.items import Item, Kinds, kinds_of, steps_of
from cupel.metrics import record_metric
from cupel.state import EstimateRecord, Record, VerdictName
from cupel.task import Field, TaskCriterion, TaskSpec, holder_of

_NO_VALUE = "\x00"
"""Stands where something else should be and nobody said what: no value of a record is it."""

MOST_UNKNOWN = 0.5
"""Share of a record's items that may be unknown; with more of them there is no judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What findings on the items of a record add up to; figures are in [0, 1].

    Attributes:
        score: The task's own metric of the record against what the judge would have: the mean of `low` and `high`.
        low: The same where all that the judge could not tell is wrong.
        high: The same where all of that is right.
        precision: Share of the items that are right as they stand; an unknown one counts half.
        recall: Right ones as a share of those there should be.
        unknown: Share of the items that the judge could not tell.
    """

    score: float
    low: float
    high: float
    precision: float
    recall: float
    unknown: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where both are."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def to_record(self, confidence: float | None) -> EstimateRecord:
        """As a verdict keeps it."""
        figures = (self.score, self.low, self.high, self.precision, self.recall, self.f1)
        score, low, high, precision, recall, f1 = (round(figure, 4) for figure in figures)
        return EstimateRecord(
            score=score, low=low, high=high, precision=precision, recall=recall, f1=f1, confidence=confidence
        )


def estimate_record(record: Record, task: TaskSpec, reading: Reading) -> Estimate:
    """How good a record is by the task's metric, if the judge is right about every item.

    Args:
        record: The record.
        task: Its task.
        reading: What the judge found of all its items, and what it misses.
    """
    high = _metric(record, task, reading, doubting=False)
    is_open = any(each.finding == "unknown" for each in reading.findings)
    low = _metric(record, task, reading, doubting=True) if is_open else high
    worth = {"pass": 1.0, "unknown": 0.5, "fail": 0.0}
    right = sum(worth[each.finding] for each in reading.findings)
    count = len(reading.findings)
    wanted = count - sum(each.fault == "extra" for each in reading.findings) + len(reading.missing)
    unknown = sum(each.finding == "unknown" for each in reading.findings)
    return Estimate(
        score=(high + low) / 2, low=low, high=high,
        precision=right / count if count else 1.0,
        recall=min(1.0, right / wanted) if wanted else 1.0,
        unknown=unknown / count if count else 0.0,
    )  # fmt: skip


def _metric(record: Record, task: TaskSpec, reading: Reading, *, doubting: bool) -> float:
    reference = correct(record, task.schema, reading, doubting=doubting)
    return record_metric(
        record, reference.record, metric=task.metric, schema=task.schema, twins=reference.twins
    )


# ---- the record as the judge would have it


@dataclass(frozen=True, slots=True)
class Corrected:
    """A record as its judge would have it.

    Attributes:
        record: The record, mended.
        twins: `id` of each entry of the judged one that is an object → `id` of what it became.
    """

    record: Record
    twins: Mapping[int, int]


def correct(
    record: Record, schema: Mapping[str, Any], reading: Reading, *, doubting: bool = False
) -> Corrected:
    """The record with every fault that was found mended, as a reference to compare it with.

    Where something else should be and nobody said what, there stands what no record holds; so the reference is no record
    to be shown to anyone.

    Args:
        record: The record.
        schema: The task's.
        reading: What was found.
        doubting: Whether what the judge could not tell counts as wrong.

    >>> from cupel.judging.items import items_of
    >>> schema = {"type": "object", "properties": {"mood": {"enum": ["glad", "sad"]}}}
    >>> item = items_of({"mood": "glad"}, schema, [])[0]
    >>> found = ItemFinding(item=item, finding="fail", field="mood", fault="wrong label", should_be="sad", is_told=True)
    >>> correct({"mood": "glad"}, schema, Reading(findings=[found])).record
    {'mood': 'sad'}
    """
    made, kinds, items = copy.deepcopy(record), kinds_of(schema), [each.item for each in reading.findings]
    dropped: list[str] = []
    added: list[tuple[str, Any]] = []
    for found in reading.findings:
        is_wrong = found.finding == "fail" or (doubting and found.finding == "unknown")
        if not is_wrong:
            continue
        if found.item.is_entry and _leaves(found):
            dropped.append(found.item.path)
            added.extend(_instead(found, kinds))
        else:
            _mend(made, found, kinds, items)
    added.extend((each.name, _entry(each, kinds)) for each in reading.missing)
    twins = {}
    for item in items:
        if item.is_entry and item.path not in dropped:
            (ours, at), (theirs, _) = holder_of(record, item.path), holder_of(made, item.path)
            twins[id(ours[at])] = id(theirs[at])
    for path in sorted(dropped, key=lambda one: -int(one.rpartition("/")[2])):
        holder, key = holder_of(made, path)
        del holder[key]
    for name, value in added:
        _list_at(made, name).append(value)
    return Corrected(made, twins)


def _leaves(found: ItemFinding) -> bool:
    """Whether the entry as it stands has no place in its list: it is too many, another list's, or cut with no word of how."""
    if found.finding == "unknown" or found.fault in ("extra", "wrong list"):
        return True
    return found.field == "value" or (found.fault == "cut" and not found.is_told)


def _instead(found: ItemFinding, kinds: Kinds) -> Iterator[tuple[str, Any]]:
    """What should be there in an entry's place, and in which list."""
    item = found.item
    if found.fault == "wrong list" and found.should_be in kinds.lists:
        yield str(found.should_be), _quoted_entry(kinds.lists[found.should_be], item.quote or _NO_VALUE)
    elif found.fault in ("cut", "other", "wrong label"):
        yield (
            item.name,
            found.should_be if found.is_told else _quoted_entry(kinds.lists[item.name], _NO_VALUE),
        )


def _mend(made: Record, found: ItemFinding, kinds: Kinds, items: Sequence[Item]) -> None:
    """Put what should be there in the place of one field."""
    holder, key = holder_of(made, found.item.path)
    place = kinds.place(found.item)
    if found.item.is_entry and isinstance(holder[key], dict):
        holder, key = holder[key], found.field
        place = place.field(found.field)
    value = found.should_be if found.is_told and found.finding == "fail" else _NO_VALUE
    target = place.mark("x-refers-to")
    if target and isinstance(value, int):
        named = next((item.value for item in items if item.number == value), None)
        value = named.get(str(target).rpartition("/")[2]) if isinstance(named, dict) else _NO_VALUE
    holder[key] = value


def _entry(missing: Missing, kinds: Kinds) -> Any:
    place = kinds.lists[missing.name]
    return missing.label if place.is_choice else _quoted_entry(place, missing.quote)


def _quoted_entry(place: Field, quote: str) -> Any:
    """An entry of which nothing is known but its quote; what its list asks for beside it is not compared."""
    if not place.fields:
        return quote
    name = next((name for name, field in place.fields.items() if field.mark("x-grounded")), None)
    if name is not None:
        return {name: quote}
    return {field: _NO_VALUE for field, inner in place.fields.items() if not inner.mark("x-id")}


def _list_at(record: Record, name: str) -> list[Any]:
    holder: Any = record
    *above, last = steps_of(name)
    for part in above:
        if not isinstance(holder.get(part), dict):
            holder[part] = {}
        holder = holder[part]
    if not isinstance(holder.get(last), list):
        holder[last] = []
    entries: list[Any] = holder[last]
    return entries


# ---- the verdict


def settle_items(
    reading: Reading | None,
    estimate: Estimate | None,
    task: TaskSpec,
    criteria: Sequence[TaskCriterion],
    *,
    right: float | None = None,
    advisory: bool = False,
) -> Verdict:
    """The verdict on a record that was judged item by item.

    In this order: no judgement, or one that leaves most items open, is `unknown`; a criterion that failed rejects,
    whatever else is right; then the estimate decides: by the probability that the record is right, where that was
    measured, else by the task's `wrong_below`.

    Args:
        reading: What was found; None where there is no judgement.
        estimate: What it adds up to.
        task: The record's task.
        criteria: Those asked beside the items.
        right: Calibrated probability that the record is right, in [0, 1].
        advisory: Whether the judge's findings are shown and decide nothing.
    """
    if reading is None or estimate is None:
        return Verdict(verdict="unknown", reason="there is no judgement", advisory=advisory)
    name, reason = _decide(reading, estimate, task, criteria, right)
    return Verdict(
        verdict=name,
        findings=tuple(reading.criteria),
        advisory=advisory,
        score=round(estimate.score, 4),
        reason=reason,
    )


def _decide(
    reading: Reading,
    estimate: Estimate,
    task: TaskSpec,
    criteria: Sequence[TaskCriterion],
    right: float | None,
) -> tuple[VerdictName, str]:
    sums = tell_sums(reading)
    if estimate.unknown > MOST_UNKNOWN:
        return "unknown", f"the judge could not tell most of it: {sums}"
    found: dict[str, Finding] = {each.criterion: each for each in reading.criteria}
    if failed := [each.id for each in criteria if each.id in found and found[each.id].finding == "fail"]:
        return "rejected", f"failed: {', '.join(failed)}; {sums}"
    shown = f"{task.metric} estimated at {estimate.score:.2f}"
    if right is not None:
        words = f"right with a probability of {right:.2f}, {shown}"
        return ("accepted" if right >= 0.5 else "rejected"), f"{words}: {sums}"
    if estimate.score < task.wrong_below:
        return "rejected", f"{shown}, below {task.wrong_below}: {sums}"
    return "accepted", f"{shown}: {sums}"


def tell_sums(reading: Reading) -> str:
    """How many items are right, wrong and open, and how many are missing, in words."""
    names = [each.finding for each in reading.findings]
    said = [f"{names.count('pass')} of {len(names)} items right"]
    said += [f"{count} {word}" for word, count in (
        ("wrong", names.count("fail")), ("not told", names.count("unknown")), ("missing", len(reading.missing))
    ) if count]  # fmt: skip
    return ", ".join(said)
