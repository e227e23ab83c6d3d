"""Where the quotes of a record stand in its document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cupel.state import Evidence, Record
from cupel.task import grounded_quotes
from cupel.text.grounding import Grounder


@lru_cache(maxsize=64)
def grounder_of(text: str) -> Grounder:
    """The same one for a text that is looked at again: by the judge, the next tier, or after a refinement."""
    return Grounder(text)


def ground_record(
    record: Record, schema: Mapping[str, Any], text: str, *, grounder: Grounder | None = None
) -> list[Evidence]:
    """Align every quote of a record with the text, in reading order.

    A quote that occurs several times takes its next free occurrence, so that the n-th mention of a name
    points at the n-th place. Pass a `grounder` of the text to prepare it only once.
    """
    quotes = grounded_quotes(record, schema)
    if not quotes:
        return []
    prepared = grounder or grounder_of(text)
    used: set[tuple[int, int]] = set()
    evidence = []
    for path, quote in quotes:
        place = prepared.ground(quote, used=used)
        if place.start is not None and place.end is not None:
            used.add((place.start, place.end))
        evidence.append(
            Evidence(
                path=path,
                quote=quote,
                match=place.match,
                start=place.start,
                end=place.end,
                parts=[list(part) for part in place.parts],
                similarity=round(place.similarity, 4),
                diff=place.diff,
            )
        )
    return evidence


def shift(evidence: list[Evidence], by: int) -> list[Evidence]:
    """The same evidence with offsets moved from a window to the whole text."""
    return [
        {
            **item,
            "start": None if item["start"] is None else item["start"] + by,
            "end": None if item["end"] is None else item["end"] + by,
            "parts": [[start + by, end + by] for start, end in item["parts"]],
        }
        for item in evidence
    ]
