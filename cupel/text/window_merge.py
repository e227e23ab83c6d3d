"""The records of a long document's windows made into one."""

from __future__ import annotations

import copy
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cupel.state import Evidence, Record
from cupel.task import Field, Part, Shape, TaskSpec, as_key, holder_of, shape_of, without_indexes
from cupel.text.terms import fold


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """What one window gave; offsets refer to the whole text."""

    record: Record
    evidence: list[Evidence]


def merge_windows(task: TaskSpec, parts: Sequence[WindowRecord]) -> tuple[Record, list[Evidence]]:
    """One record and its evidence from the records of overlapping windows.

    Lists are united, and an item that two windows saw (its quotes stand at the same places, or it is equal
    where it has none) is kept once; several items that one window quotes the same passage for stay several. By `union by FIELD` items are one wherever they stand, if that field says the
    same in both, case and spaces aside; the first is kept, and what it lacks is taken from the later ones. Ids are
    renumbered and references to them follow. Scalars go by the task's rule: `first` (default), `last`, `longest`,
    `majority` or `join`.
    """
    if len(parts) == 1:
        return parts[0].record, parts[0].evidence
    merged = WindowRecord({}, [])
    shape, fields = shape_of(task.schema), task.fields
    places = [_Places(shape, part) for part in parts]
    for name, field in fields.items():
        if any(isinstance(part.record.get(name), list) for part in parts):
            merged.record[name] = _unite(name, _Sameness(field.item(), task.key_of(name)), places, merged)
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


def _unite(name: str, sameness: _Sameness, places: Sequence[_Places], merged: WindowRecord) -> list[Any]:
    """The items of all windows, one that several saw once; as each window has them, ids and references included."""
    united: list[Any] = []
    known: defaultdict[str, list[tuple[int, _Kind]]] = defaultdict(list)
    for each in places:
        items = each.window.record.get(name) or []
        kinds = [sameness.kind(item, f"/{name}/{index}", each.window) for index, item in enumerate(items)]
        partners = _partners(list(dict.fromkeys(kinds)), known)
        for index, (item, kind) in enumerate(zip(items, kinds, strict=True)):
            own = f"/{name}/{index}"
            at = partners.setdefault(kind, len(united))
            each.kept[own] = f"/{name}/{at}"
            if at == len(united):
                united.append(copy.deepcopy(item))
                known[kind.place].append((at, kind))
                each.taken.add(f"/{name}/{at}")
                merged.evidence.extend(_move(_evidence_under(each.window, own), own, f"/{name}/{at}"))
            elif sameness.key:
                for field in _fill_gaps(united[at], item, each.parts, own):
                    new = _evidence_under(each.window, f"{own}/{field}")
                    merged.evidence.extend(_move(new, own, f"/{name}/{at}"))
    return united


class _Kind(NamedTuple):
    """What tells an item from another."""

    place: str
    """Where all its quotes stand; of an item without any, its content; where a key decides, the key's value."""

    content: str
    """Whatever it says, without ids; for a reference, what it refers to says. Where a key decides, nothing."""


@dataclass(frozen=True, slots=True)
class _Sameness:
    """What makes two windows' items of a list one."""

    item: Field
    key: str

    def kind(self, item: Any, pointer: str, window: WindowRecord) -> _Kind:
        """The value of the key, else the places of all quotes, else the content: the same for the same item."""
        value = item.get(self.key) if isinstance(item, dict) else None
        if isinstance(value, str) and value.strip():
            return _Kind(f"{self.key} {fold(value)}", "")
        content = json.dumps(self._content(item, window.record), sort_keys=True, ensure_ascii=False)
        evidence = _evidence_under(window, pointer)
        stands = [(entry["path"].removeprefix(pointer), entry["start"], entry["end"]) for entry in evidence]
        is_found = stands and all(start is not None for _, start, _ in stands)
        return _Kind(json.dumps(stands) if is_found else content, content)

    def _content(self, item: Any, record: Record) -> Any:
        if not isinstance(item, dict):
            return item
        told = ((name, value, self.item.field(name)) for name, value in item.items())
        return {name: _told(value, own, record) for name, value, own in told if not own.mark("x-id")}


def _told(value: Any, field: Field, record: Record) -> Any:
    """A value; of a reference, the item of the same window that has the id, without it."""
    name, _, key = str(field.mark("x-refers-to") or "").strip("/").partition("/")
    targets = [item for item in record.get(name) or [] if isinstance(item, dict) and item.get(key) == value]
    return {part: each for part, each in targets[0].items() if part != key} if targets and key else value


def _partners(kinds: Sequence[_Kind], known: Mapping[str, Sequence[tuple[int, _Kind]]]) -> dict[_Kind, int]:
    """Which item of the whole each of a window's different items is; those that are new are left out.

    A passage may be quoted for several items, and two windows need not have them in one order: those that say the
    same are paired first. What is left at the same place is one item that the windows read differently.

    Args:
        kinds: The window's, each once.
        known: Place → what other windows have there, and which item of the whole each is.
    """
    partners: dict[_Kind, int] = {}
    taken: set[int] = set()
    for same_content in (True, False):
        for kind in kinds:
            if kind not in partners:
                there = (at for at, other in known.get(kind.place, ()) if other == kind or not same_content)
                if (at := next((at for at in there if at not in taken), None)) is not None:
                    partners[kind] = at
                    taken.add(at)
    return partners


def _fill_gaps(item: Any, other: Any, parts: Sequence[Part], own: str) -> list[str]:
    """Take from another window's item what this one lacks; the fields' names. References stay: their ids are that window's."""
    marked = {part.pointer for part in parts if part.mark("x-id") or part.mark("x-refers-to")}
    lacking = [name for name, value in item.items() if value in (None, "")]
    filled = [name for name in lacking if other.get(name) and f"{own}/{name}" not in marked]
    item.update({name: copy.deepcopy(other[name]) for name in filled})
    return filled


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
