"""The records of a long document's windows made into one."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cupel.state import Evidence, Record
from cupel.task import Field, Part, Shape, TaskSpec, as_key, holder_of, shape_of, without_indexes


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """What one window gave; offsets refer to the whole text."""

    record: Record
    evidence: list[Evidence]


def merge_windows(task: TaskSpec, parts: Sequence[WindowRecord]) -> tuple[Record, list[Evidence]]:
    """One record and its evidence from the records of overlapping windows.

    Lists are united, and an item that two windows saw (its quotes stand at the same places, or it is equal
    where it has none) is kept once; ids are renumbered and references to them follow. Scalars go by the
    task's rule: `first` (default), `last`, `longest`, `majority` or `join`.
    """
    if len(parts) == 1:
        return parts[0].record, parts[0].evidence
    merged = WindowRecord({}, [])
    shape, fields = shape_of(task.schema), task.fields
    places = [_Places(shape, part) for part in parts]
    for name, field in fields.items():
        if any(isinstance(part.record.get(name), list) for part in parts):
            merged.record[name] = _unite(name, _id_fields(field), places, merged)
        else:
            source, value = _scalar([part.record.get(name) for part in parts], task.merge.get(name, "first"))
            merged.record[name] = copy.deepcopy(value)
            if source is not None:
                places[source].kept[f"/{name}"] = f"/{name}"
                places[source].taken.add(f"/{name}")
                merged.evidence.extend(_evidence_under(parts[source], f"/{name}"))
    _renumber(merged.record, shape, places)
    return merged.record, _in_reading_order(merged.evidence, list(fields))


class _Places:
    """One window's record, and where its top-level items and values went."""

    def __init__(self, shape: Shape, window: WindowRecord) -> None:
        self.window = window
        self.parts = shape.parts(window.record)
        self.kept: dict[str, str] = {}
        """From a pointer here to its pointer in the whole: those of values and items that were taken, or were there."""

        self.taken: set[str] = set()
        """Pointers in the whole to the items and values that are this window's."""

    def gave(self, pointer: str) -> bool:
        """Whether a value of the whole is this window's."""
        steps = pointer.split("/")
        return not self.taken.isdisjoint(("/".join(steps[:2]), "/".join(steps[:3])))

    def pointer(self, own: str) -> str | None:
        """Where a value of this window is in the whole; None where what holds it was left out."""
        steps = own.split("/")
        for depth in (3, 2):
            moved = self.kept.get("/".join(steps[:depth]))
            if moved is not None and len(steps) >= depth:
                return "/".join([moved, *steps[depth:]])
        return None


def _id_fields(field: Field) -> set[str]:
    return {name for name, child in field.item().fields.items() if child.mark("x-id")}


def _unite(name: str, ids: set[str], places: Sequence[_Places], merged: WindowRecord) -> list[Any]:
    """The items of all windows, one that several saw once; as each window has them, ids and references included."""
    united: list[Any] = []
    seen: dict[str, int] = {}
    for each in places:
        for index, item in enumerate(each.window.record.get(name) or []):
            own = f"/{name}/{index}"
            evidence = _evidence_under(each.window, own)
            at = seen.setdefault(_sameness(item, evidence, ids), len(united))
            each.kept[own] = f"/{name}/{at}"
            if at == len(united):
                united.append(copy.deepcopy(item))
                each.taken.add(f"/{name}/{at}")
                merged.evidence.extend(_move(evidence, own, f"/{name}/{at}"))
    return united


def _sameness(item: Any, evidence: Sequence[Evidence], ids: set[str]) -> str:
    """What makes two windows' items one: the same places for all quotes; else equal content."""
    places = [(entry["path"].rsplit("/", 1)[-1], entry["start"], entry["end"]) for entry in evidence]
    if places and all(start is not None for _, start, _ in places):
        return json.dumps(places)
    content = {k: v for k, v in item.items() if k not in ids} if isinstance(item, dict) else item
    return json.dumps(content, sort_keys=True, ensure_ascii=False)


def _renumber(record: Record, shape: Shape, places: Sequence[_Places]) -> None:
    """Give every id a number of its own in the whole, and let the references of each window follow.

    Ids come first, wherever they stand: a list may refer to one that comes after it, or have ids itself. A reference
    to what its window does not have still refers to nothing in the whole, and an id that a window gave twice is there
    twice: what is wrong with a record is seen.
    """
    ids: dict[str, Any] = {}
    count: Counter[str] = Counter()
    parts = shape.parts(record)
    for part in parts:
        if part.mark("x-id") and part.value is not None:
            key = without_indexes(part.pointer)
            ids[part.pointer] = _new_id(part.value, count[key])
            count[key] += 1
    references = {part.pointer: str(part.mark("x-refers-to")).strip("/") for part in parts if _refers(part)}
    changes = dict(ids)
    for each in places:
        new_ids: dict[tuple[str, str], Any] = {}
        for part in each.parts:
            if part.mark("x-id") and (moved := each.pointer(part.pointer)) in ids:
                new = new_ids.setdefault((without_indexes(part.pointer), as_key(part.value)), ids[moved])
                if each.gave(moved):
                    changes[moved] = new
        for part in each.parts:
            moved = each.pointer(part.pointer)
            if moved in references and _refers(part) and each.gave(moved):
                target = references[moved]
                known = new_ids.get((target, as_key(part.value)))
                changes[moved] = _new_id(part.value, count[target]) if known is None else known
    for pointer, value in changes.items():
        holder, key = holder_of(record, pointer)
        holder[key] = value


def _refers(part: Part) -> bool:
    return (
        bool(part.mark("x-refers-to")) and part.value is not None and not isinstance(part.value, list | dict)
    )


def _new_id(old: Any, index: int) -> Any:
    """Ids count up from 1, keeping the form the schema asks for (`3`, `"c3"`)."""
    if isinstance(old, int):
        return index + 1
    prefix = str(old).rstrip("0123456789")
    return f"{prefix}{index + 1}"


def _scalar(values: Sequence[Any], rule: str) -> tuple[int | None, Any]:
    """Index of the window whose value wins, and the value."""
    filled = [(index, value) for index, value in enumerate(values) if value not in (None, "")]
    if not filled:
        return None, None
    match rule:
        case "last":
            return filled[-1]
        case "longest":
            return max(filled, key=lambda pair: len(str(pair[1])))
        case "majority":
            counts = Counter(json.dumps(value, sort_keys=True) for _, value in filled)
            return max(filled, key=lambda pair: (counts[json.dumps(pair[1], sort_keys=True)], -pair[0]))
        case "join":
            distinct = dict.fromkeys(str(value) for _, value in filled)
            return filled[0][0], " ".join(distinct)
        case _:
            return filled[0]


def _evidence_under(part: WindowRecord, pointer: str) -> list[Evidence]:
    return [
        entry
        for entry in part.evidence
        if entry["path"] == pointer or entry["path"].startswith(f"{pointer}/")
    ]


def _move(evidence: Sequence[Evidence], old: str, new: str) -> list[Evidence]:
    return [{**entry, "path": new + entry["path"][len(old) :]} for entry in evidence]


def _in_reading_order(evidence: list[Evidence], names: list[str]) -> list[Evidence]:
    return sorted(evidence, key=lambda entry: names.index(entry["path"].split("/")[1]))
