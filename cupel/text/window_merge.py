"""The records of a long document's windows made into one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel.state import Evidence, Record
from cupel.task import TaskSpec


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
    properties = task.schema["properties"]
    ids: list[_NewIds] = [{} for _ in parts]
    for name in sorted(properties, key=lambda name: not _has_ids(properties[name])):
        if any(isinstance(part.record.get(name), list) for part in parts):
            merged.record[name] = _unite(name, properties[name], parts, ids, merged)
        else:
            source, value = _scalar([part.record.get(name) for part in parts], task.merge.get(name, "first"))
            merged.record[name] = value
            if source is not None:
                merged.evidence.extend(_evidence_under(parts[source], f"/{name}"))
    ordered = {name: merged.record[name] for name in properties}
    return ordered, _in_reading_order(merged.evidence, list(properties))


_NewIds = dict[tuple[str, str], Any]
"""For one window: list and id field, and the old id, → the new id."""


def _item_properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    items = schema.get("items", {})
    properties: Mapping[str, Any] = items.get("properties", {}) if isinstance(items, dict) else {}
    return properties


def _has_ids(schema: Mapping[str, Any]) -> bool:
    return any(child.get("x-id") for child in _item_properties(schema).values())


def _unite(
    name: str,
    schema: Mapping[str, Any],
    parts: Sequence[WindowRecord],
    ids: list[_NewIds],
    merged: WindowRecord,
) -> list[Any]:
    properties = _item_properties(schema)
    id_field = next((key for key, child in properties.items() if child.get("x-id")), None)
    united: list[Any] = []
    seen: dict[str, Any] = {}
    for part, new_ids in zip(parts, ids, strict=True):
        for index, item in enumerate(part.record.get(name) or []):
            evidence = _evidence_under(part, f"/{name}/{index}")
            same = _sameness(item, evidence, id_field)
            if same not in seen:
                seen[same] = len(united)
                united.append(_renumber(item, len(united), properties, id_field, new_ids))
                merged.evidence.extend(_move(evidence, f"/{name}/{index}", f"/{name}/{len(united) - 1}"))
            if id_field is not None and isinstance(item, dict):
                new_ids[f"{name}/{id_field}", str(item[id_field])] = united[seen[same]][id_field]
    return united


def _sameness(item: Any, evidence: Sequence[Evidence], id_field: str | None) -> str:
    """What makes two windows' items one: the same places for all quotes; else equal content."""
    places = [(entry["path"].rsplit("/", 1)[-1], entry["start"], entry["end"]) for entry in evidence]
    if places and all(start is not None for _, start, _ in places):
        return json.dumps(places)
    content = {k: v for k, v in item.items() if k != id_field} if isinstance(item, dict) else item
    return json.dumps(content, sort_keys=True, ensure_ascii=False)


def _renumber(
    item: Any, index: int, properties: Mapping[str, Any], id_field: str | None, new_ids: _NewIds
) -> Any:
    if not isinstance(item, dict):
        return item
    renumbered = dict(item)
    if id_field is not None:
        renumbered[id_field] = _new_id(item[id_field], index)
    for key, child in properties.items():
        target = child.get("x-refers-to")
        if target:
            renumbered[key] = _follow(item.get(key), target, new_ids)
    return renumbered


def _new_id(old: Any, index: int) -> Any:
    """Ids count up from 1, keeping the form the schema asks for (`3`, `"c3"`)."""
    if isinstance(old, int):
        return index + 1
    prefix = str(old).rstrip("0123456789")
    return f"{prefix}{index + 1}"


def _follow(reference: Any, target: str, new_ids: _NewIds) -> Any:
    if isinstance(reference, list):
        return [new for old in reference if (new := _follow(old, target, new_ids)) is not None]
    return None if reference is None else new_ids.get((target, str(reference)))


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
