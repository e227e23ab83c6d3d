"""A record's quotes as the labelled spans a gold set is scored by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cupel.state import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLabels:
    """Where an item's label stands, and what it is called in the gold.

    Attributes:
        item: Field of an item that holds its label; empty where the list it is in is its label.
        names: Our label, or our list's name, → the gold's.
    """

    item: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


def labelled_spans(outcome: Outcome, labels: SpanLabels) -> Iterator[dict[str, Any]]:
    """The quotes of a record as spans `{"text", "label", "start", "end"}`, offsets `[start, end)`.

    A quote that was not found has no offsets, and counts as a false alarm.
    """
    record = outcome["record"]
    if record is None:
        return
    for entry in outcome["evidence"]:
        _, name, *rest = entry["path"].split("/")
        item = record[name][int(rest[0])] if rest else {}
        own = item.get(labels.item) if labels.item and isinstance(item, Mapping) else name
        place = {"start": entry["start"], "end": entry["end"]} if entry["start"] is not None else {}
        yield {"text": entry["quote"], "label": labels.names.get(str(own), str(own)), **place}
