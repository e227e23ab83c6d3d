"""A record for any schema, made up but valid, the same for the same document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cupel.task import Field, field_of

_QUOTES = ("quote", "evidence", "span")
_BETWEEN = re.compile(r"(?<=[.!?])(?=\s)")
_DOCUMENT = re.compile(r"<document[^>]*>(.*?)</document>", re.DOTALL)


def document_of(messages: list[dict[str, Any]]) -> str:
    """The text inside `<document>…</document>` of the last message that has one; else the last message."""
    for message in reversed(messages):
        found = _DOCUMENT.search(str(message["content"]))
        if found:
            return found[1].strip()
    return str(messages[-1]["content"]).strip() if messages else ""


def fill(schema: Mapping[str, Any], document: str = "") -> Any:
    """A value that fits `schema`: first choices, one item in each list, quotes cut from the document.

    A string is a quote when its schema says `"x-grounded": true` or its name says so (`quote`, `evidence`,
    `span`). The first one is the document's first sentence, the next its second, the last over again when there are
    no more; a list whose item could only quote what was quoted before stays empty, as one inside what refers to itself.

    >>> fill({"type": "object", "properties": {"quote": {"type": "string"}}}, "It rains. It pours.")
    {'quote': 'It rains.'}
    """
    return _Filler(document).fill(field_of(schema), "", ())


class _Filler:
    """Fills one record, and knows what it has quoted."""

    def __init__(self, document: str) -> None:
        self._sentences = [
            said for part in _BETWEEN.split(document) if (said := part.strip()).endswith((".", "!", "?"))
        ] or [document]
        self._quoted = 0

    def fill(self, field: Field, name: str, above: tuple[Field, ...]) -> Any:
        """A value for a place, below these."""
        if field in above and field.is_nullable:
            return None
        if field.labels:
            return field.labels[0]
        below = (*above, field)
        kind = field.kind or ("string" if above else "object")
        if kind == "object":
            return {key: self.fill(child, key, below) for key, child in field.fields.items()}
        if kind == "array":
            return self._list(field, name, below)
        if kind == "string":
            return self._quote() if _is_quote(field, name) else name or "text"
        return {"integer": 1, "number": 1.0, "boolean": True}.get(kind)

    def _list(self, field: Field, name: str, below: tuple[Field, ...]) -> list[Any]:
        first = [self.fill(field.item(number), name, below) for number in range(field.first)]
        item = field.item(field.first)
        if first or item in below:
            return first
        quoted = self._quoted
        made = self.fill(item, name, below)
        repeats = self._quoted > len(self._sentences) and self._quoted > quoted > 0
        return [] if repeats and not field.item_counts[0] else [made]

    def _quote(self) -> str:
        sentence = self._sentences[min(self._quoted, len(self._sentences) - 1)]
        self._quoted += 1
        return sentence


def _is_quote(field: Field, name: str) -> bool:
    return bool(field.mark("x-grounded")) or any(word in name.lower() for word in _QUOTES)
