"""What a field is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel.state import Evidence, Record
from cupel.text.grounding import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One field of one record that is to be filled in.

    Attributes:
        of: What the schema names for it to be computed from.
        holder: The object it stands in.
        pointer: JSON pointer to that object.
        fields: Of an object that is to stand here, the names the schema has.
        record: The record as the model wrote it.
        evidence: Where each of its quotes stands.
        text: The document.
        inputs: Its further inputs.
        found: Question → where a model found its answer, None where it found none; without those nobody asked.
        language: Its ISO 639-1 code; None where it is not known, or nobody asks.
    """

    of: Any
    holder: Mapping[str, Any]
    pointer: str
    fields: tuple[str, ...]
    record: Record
    evidence: Sequence[Evidence]
    text: str
    inputs: Mapping[str, Any]
    found: Mapping[str, Span | None]
    language: str | None

    def values(self, name: str) -> Iterator[Any]:
        """What stands in a field beside it, or in every item of a list (`list/field`)."""
        if name in self.holder:
            yield self.holder[name]
        else:
            yield from _within(self.record, name.split("/"))


def _within(value: Any, steps: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _within(each, steps)
    elif not steps:
        yield value
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _within(value[steps[0]], steps[1:])
