"""What a schema asks for at one place, in the words of the baseline."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cupel.task import Field

MAX_ITEMS = 200
MAX_DEPTH = 8
"""A schema that refers to itself is followed this far."""

_QUOTE_NAME = re.compile(r"quote|evidence|excerpt|passage|span|verbatim|mention")


def is_quote_name(name: str) -> bool:
    """Whether a field of this name holds words of the document; the mark for it is not sent to models."""
    return bool(_QUOTE_NAME.search(name))


def kind_of(place: Field) -> str:
    """The kind of value; a text where anything may stand."""
    return place.kind or "string"


def labels_of(place: Field) -> tuple[str, ...]:
    """The words to choose from; empty where there is no such choice."""
    return tuple(label for label in place.labels if isinstance(label, str))


def within(place: Field, items: list[Any], spare: Callable[[], Any]) -> list[Any]:
    """No more items than allowed; as many as demanded, made up with `spare` ones."""
    least, most = place.item_counts
    items = items[: MAX_ITEMS if most is None else most]
    return [*items, *(spare() for _ in range(least - len(items)))]
