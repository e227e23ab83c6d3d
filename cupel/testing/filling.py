"""A record for any schema, made up but valid, the same for the same document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cupel.task import Shape, types_of

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
    return _Filler(Shape(schema), document).fill(schema, "", ())


@dataclass(frozen=True)
class _Filler:
    shape: Shape
    document: str

    def fill(self, node: Any, name: str, above: tuple[str, ...]) -> Any:
        """A value for a node, below these nodes."""
        here = json.dumps(node, sort_keys=True)
        schema, nullable = self.shape.real(node)
        if here in above and nullable:
            return None
        below = (*above, here)
        choices = [schema["const"]] if "const" in schema else schema.get("enum", ())
        if choices:
            return choices[0]
        kind = next((kind for kind in (types_of(schema) or ["object"]) if kind != "null"), "null")
        if kind == "object":
            return {key: self.fill(part, key, below) for key, part in schema.get("properties", {}).items()}
        if kind == "array":
            return self._list(schema, name, below)
        if kind == "string":
            grounded = schema.get("x-grounded") or any(word in name.lower() for word in _QUOTES)
            return _first_sentence(self.document) if grounded else name or "text"
        return {"integer": 1, "number": 1.0, "boolean": True}.get(kind)

    def _list(self, schema: Mapping[str, Any], name: str, below: tuple[str, ...]) -> list[Any]:
        first = [self.fill(part, name, below) for part in schema.get("prefixItems", ())]
        items = schema.get("items", {"type": "string"})
        leads_back = json.dumps(items, sort_keys=True) in below
        return first if first or leads_back else [self.fill(items, name, below)]


def _first_sentence(document: str) -> str:
    found = re.match(r".+?[.!?](?=\s|$)", document, re.DOTALL)
    return found[0] if found else document
