"""What a JSON Schema asks for at one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

MAX_ITEMS = 200
MAX_DEPTH = 8
"""A schema that refers to itself is followed this far."""

_QUOTE_NAME = re.compile(r"quote|evidence|excerpt|passage|span|verbatim|mention")


def is_quote_name(name: str) -> bool:
    """Whether a field of this name holds words of the document; the mark for it is not sent to models."""
    return bool(_QUOTE_NAME.search(name))


def resolve(node: Schema, root: Schema) -> Schema:
    """The node a `$ref` names, or the first real choice of `anyOf` or `oneOf`, nullable where it was."""
    for _ in range(MAX_DEPTH):
        choices = node.get("anyOf") or node.get("oneOf")
        if "$ref" in node:
            node = _refer(str(node["$ref"]), root)
        elif choices:
            real = next((each for each in choices if each.get("type") != "null"), choices[0])
            null = any(each.get("type") == "null" for each in choices)
            node = {**resolve(real, root), **({"nullable": True} if null else {})}
        else:
            break
    return node


def _refer(reference: str, root: Schema) -> Schema:
    node: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        node = node.get(part, {})
    target: Schema = node
    return target


def item_of(node: Schema, root: Schema) -> Schema:
    """The shape of a list's items."""
    return resolve(node.get("items") or {}, root)


def type_of(node: Schema) -> str:
    """The type besides null."""
    kind = node.get("type")
    kinds = [each for each in kind if each != "null"] if isinstance(kind, list) else [kind]
    return str(kinds[0]) if kinds and kinds[0] else "object" if "properties" in node else "string"


def is_nullable(node: Schema) -> bool:
    """Whether null is a value here."""
    kind = node.get("type")
    return bool(node.get("nullable")) or kind == "null" or (isinstance(kind, list) and "null" in kind)


def labels_of(node: Schema) -> tuple[str, ...]:
    """The words to choose from; empty where there is no such choice."""
    return tuple(choice for choice in node.get("enum", ()) if isinstance(choice, str))


def within(node: Schema, items: list[Any], spare: Callable[[], Any]) -> list[Any]:
    """No more items than allowed; as many as demanded, made up with `spare` ones."""
    items = items[: node.get("maxItems", MAX_ITEMS)]
    return [*items, *(spare() for _ in range(node.get("minItems", 0) - len(items)))]
