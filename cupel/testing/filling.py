"""A record for any schema, made up but valid, the same for the same document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cupel.task import Field, field_of

_QUOTES = ("quote", "evidence", "span")
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
    `span`); it is the document's first sentence. A list inside what refers to itself stays empty.

    >>> fill({"type": "object", "properties": {"quote": {"type": "string"}}}, "It rains. It pours.")
    {'quote': 'It rains.'}
    """
    return _fill(field_of(schema), "", document, ())


def _fill(field: Field, name: str, document: str, above: tuple[Field, ...]) -> Any:
    """A value for a place, below these."""
    if field in above and field.is_nullable:
        return None
    if field.labels:
        return field.labels[0]
    below = (*above, field)
    kind = field.kind or ("string" if above else "object")
    if kind == "object":
        return {key: _fill(child, key, document, below) for key, child in field.fields.items()}
    if kind == "array":
        first = [_fill(field.item(number), name, document, below) for number in range(field.first)]
        item = field.item(field.first)
        return first if first or item in below else [_fill(item, name, document, below)]
    if kind == "string":
        return _text(field, name, document)
    return {"integer": 1, "number": 1.0, "boolean": True}.get(kind)


def _text(field: Field, name: str, document: str) -> str:
    grounded = field.mark("x-grounded") or any(word in name.lower() for word in _QUOTES)
    return _first_sentence(document) if grounded else name or "text"


def _first_sentence(document: str) -> str:
    found = re.match(r".+?[.!?](?=\s|$)", document, re.DOTALL)
    return found[0] if found else document
