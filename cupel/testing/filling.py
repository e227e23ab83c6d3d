"""A record for any schema, made up but valid, the same for the same document."""

from __future__ import annotations

import re
from typing import Any

_QUOTES = ("quote", "evidence", "span")
_DOCUMENT = re.compile(r"<document[^>]*>(.*?)</document>", re.DOTALL)


def document_of(messages: list[dict[str, Any]]) -> str:
    """The text inside `<document>…</document>` of the last message that has one; else the last message."""
    for message in reversed(messages):
        found = _DOCUMENT.search(str(message["content"]))
        if found:
            return found[1].strip()
    return str(messages[-1]["content"]).strip() if messages else ""


def fill(schema: dict[str, Any], document: str = "") -> Any:
    """A value that fits `schema`: first enum value, one item in each list, quotes cut from the document.

    A string is a quote when its schema says `"x-grounded": true` or its name says so (`quote`, `evidence`,
    `span`); it is the document's first sentence. `$ref` into `$defs` is followed one step at a time.

    >>> fill({"type": "object", "properties": {"quote": {"type": "string"}}}, "It rains. It pours.")
    {'quote': 'It rains.'}
    """
    return _fill(schema, schema, "", document)


def _fill(schema: dict[str, Any], root: dict[str, Any], name: str, document: str) -> Any:
    if "$ref" in schema:
        return _fill(_resolve(schema["$ref"], root), root, name, document)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword):
            return _fill(schema[keyword][0], root, name, document)
    return _fill_kind(schema, root, name, document)


def _fill_kind(schema: dict[str, Any], root: dict[str, Any], name: str, document: str) -> Any:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        fields = schema.get("properties", {})
        return {key: _fill(part, root, key, document) for key, part in fields.items()}
    if kind == "array":
        return [_fill(schema.get("items", {"type": "string"}), root, name, document)]
    if kind == "string":
        grounded = schema.get("x-grounded") or any(word in name.lower() for word in _QUOTES)
        return _first_sentence(document) if grounded else name or "text"
    return {"integer": 1, "number": 1.0, "boolean": True}.get(kind)


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _first_sentence(document: str) -> str:
    found = re.match(r".+?[.!?](?=\s|$)", document, re.DOTALL)
    return found[0] if found else document
