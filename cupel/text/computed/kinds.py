"""How each kind of computed field is computed: one function each, by the name a schema gives it as `by`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cupel.state import Evidence, Found
from cupel.task import CONFIRMED, DATE, input_text
from cupel.text.computed.place import Place
from cupel.text.dates import own_date, resolve_date
from cupel.text.grounding import Span
from cupel.text.readability import readability


def tell_readability(place: Place) -> dict[str, Any]:
    """How hard the document's text is to read, of what the schema has."""
    told = readability(place.text, place.language)
    return {name: told[name] for name in place.fields}


def resolve(place: Place) -> str | None:
    """The date that was meant; null where nothing was said of one, or it cannot be known."""
    part = {name: place.holder.get(field) for name, field in place.of.items()}
    if "said" in part and not part["said"]:
        return None
    own = own_date(input_text(place.inputs.get(DATE)) or "")
    return resolve_date(part["iso"], part["unit"], part["shift"], own)


def cut_section(place: Place) -> dict[str, int] | None:
    """From where an item's quote stands to where the next one's does, in characters; null where it stands nowhere.

    The first begins with the text and the last ends with it, so that no character is left out.
    """
    within, _, index = place.pointer.rpartition("/")
    begins = {
        entry["path"]: entry["start"]
        for entry in place.evidence
        if entry["start"] is not None and _is_of(entry["path"], within, place.of)
    }
    own = begins.get(f"{within}/{index}/{place.of}")
    if own is None:
        return None
    starts = sorted(set(begins.values()))
    start = 0 if own == starts[0] else own
    span = {"start": start, "end": next((one for one in starts if one > own), len(place.text))}
    return {name: span[name] for name in place.fields}


def _is_of(path: str, within: str, field: str) -> bool:
    """Whether it is this field of an item of the list itself, and none of the same name further in."""
    index, _, name = path.removeprefix(f"{within}/").partition("/")
    return path.startswith(f"{within}/") and index.isdecimal() and name == field


def share_true(place: Place) -> float | None:
    """The share that is true, or "yes", of all that is not null; null where nothing is."""
    values = [value for name in place.of for value in place.values(name) if value is not None]
    if not values:
        return None
    return round(sum(_is_true(value) for value in values) / len(values), 4)


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.casefold() == "yes")


SAME_PASSAGE = 0.5
"""Share of the shorter one's characters that two passages have in common at least, to be one."""


def confirm(place: Place) -> bool | None:
    """Whether a model that was asked an item's question found the passage that the item quotes.

    False where it found another one, or none; null where it was not asked, or the quote stands nowhere itself.
    """
    question = str(place.holder.get(place.of["question"]))
    path = f"{place.pointer}/{place.of['answer']}"
    own = next((span_of(entry) for entry in place.evidence if entry["path"] == path), None)
    if own is None or question not in place.found:
        return None
    other = place.found[question]
    return other is not None and is_same_passage(own, other)


def span_of(entry: Evidence | Found) -> Span | None:
    """Where it stands; None where it stands nowhere."""
    start, end = entry["start"], entry["end"]
    return None if start is None or end is None else (start, end)


def is_same_passage(one: Span, other: Span) -> bool:
    """Whether two passages share half of the shorter one.

    >>> is_same_passage((0, 40), (30, 50)), is_same_passage((0, 40), (39, 79))
    (True, False)
    """
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared >= SAME_PASSAGE * max(1, min(one[1] - one[0], other[1] - other[0]))


FILL: Mapping[str, Callable[[Place], Any]] = {
    "readability": tell_readability,
    "date": resolve,
    "section": cut_section,
    "share": share_true,
    CONFIRMED: confirm,
}
"""The function of each kind; `cupel.task.KINDS` says what it may be declared with."""
