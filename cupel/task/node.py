"""One node of a JSON Schema: what each keyword in it leads to, offers, and says of a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
"""One schema inside the whole."""

NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose values are schemas by name."""

LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keywords whose values are lists of schemas."""

NESTED = (
    "items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "propertyNames", "not",
    "if", "then", "else",
)  # fmt: skip
"""Keywords whose value is a schema."""

_OF_ENTRIES = ("x-grounded", "x-refers-to")
"""Marks that hold for every entry of the list they stand on."""

OFFERING = ("allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas")


def children(node: Node) -> Iterator[tuple[str, str, Any]]:
    """The schemas right inside a node: by which keyword, under which name there, and the schema."""
    for word in NAMED:
        if isinstance(node.get(word), Mapping):
            for name, child in node[word].items():
                yield word, name, child
    for word in LISTED:
        if isinstance(node.get(word), list | tuple):
            for number, child in enumerate(node[word]):
                yield word, str(number), child
    for word in NESTED:
        if isinstance(node.get(word), Mapping):
            yield word, "", node[word]


def rebuild(node: Any, change: Any) -> Any:
    """A copy of a node with every schema right inside it changed; what is data (`enum`, `default`) stays.

    Args:
        node: A schema; a Boolean one is given back as it is.
        change: Called with the keyword and the inner schema.
    """
    if not isinstance(node, Mapping):
        return node
    made = dict(node)
    for word in NAMED:
        if isinstance(node.get(word), Mapping):
            made[word] = {name: change(word, child) for name, child in node[word].items()}
    for word in LISTED:
        if isinstance(node.get(word), list | tuple):
            made[word] = [change(word, child) for child in node[word]]
    for word in NESTED:
        if isinstance(node.get(word), Mapping):
            made[word] = change(word, node[word])
    return made


def nullable(node: Any) -> Any:
    """A node that allows null besides."""
    if not isinstance(node, Mapping):
        return node
    told = node.keys() & {*OFFERING, "$ref", "not"}
    if node.get("const") is not None or (told and (told != {"anyOf"} or "type" in node or "enum" in node)):
        return {"anyOf": [node, {"type": "null"}]}
    if "enum" in node and None not in node["enum"]:
        node = {**node, "enum": [*node["enum"], None]}
    kinds = types_of(node)
    if kinds:
        several = [*kinds, *([] if "null" in kinds else ["null"])]
        return {**node, "type": several[0] if len(several) == 1 else several}
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    says_nothing = "enum" in node or not set(node) - {"title", "description"}
    return node if says_nothing else {"anyOf": [node, {"type": "null"}]}


def unmark(_keyword: str, node: Any) -> Any:
    """A copy without keywords of ours (`x-…`); a property may be named like one, and stays."""
    if not isinstance(node, Mapping):
        return node
    return rebuild({key: value for key, value in node.items() if not key.startswith("x-")}, unmark)


COMPUTED = "x-computed"
"""The mark of a property that code fills in."""

MARKS = ("x-grounded", "x-id", "x-refers-to", COMPUTED)
"""Every keyword of ours."""


def strange_marks(node: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every keyword `x-…` that is none of ours, and the JSON pointer of the schema it stands in.

    >>> list(strange_marks({"properties": {"quote": {"type": "string", "x-ground": True}}}))
    [('x-ground', '/properties/quote')]
    """
    if not isinstance(node, Mapping):
        return
    yield from ((key, where) for key in node if key.startswith("x-") and key not in MARKS)
    for word, name, child in children(node):
        yield from strange_marks(child, f"{where}/{word}" + (f"/{name}" if name else ""))


def is_computed(node: Any) -> bool:
    """Whether a property, as it is written, is one that code fills in."""
    return isinstance(node, Mapping) and COMPUTED in node


def without_computed(_keyword: str, node: Any) -> Any:
    """A copy without the properties that code fills in, nor among the required ones."""
    made = rebuild(node, without_computed)
    named = node.get("properties") if isinstance(node, Mapping) else None
    if not isinstance(named, Mapping):
        return made
    kept = {name: made["properties"][name] for name, child in named.items() if not is_computed(child)}
    made["properties"] = kept
    if "required" in made:
        made["required"] = [name for name in made["required"] if name in kept]
    return made


def computed_astray(node: Any, where: str = "") -> Iterator[str]:
    """Where the mark of what code fills in stands on something that is no property, as JSON pointers."""
    if not where and is_computed(node):
        yield "the top"
    for word, name, child in children(node) if isinstance(node, Mapping) else ():
        there = f"{where}/{word}" + (f"/{name}" if name else "")
        if is_computed(child) and word != "properties":
            yield there
        yield from computed_astray(child, there)


def apart(schema: Node) -> tuple[dict[str, Any], dict[str, Any]]:
    """A schema without its definitions, and the definitions, to stand at the root of a larger one."""
    shared = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
    return {word: value for word, value in schema.items() if word not in shared}, shared


def members(schema: Node, name: str) -> list[Any]:
    """The schemas a property of this name follows by one schema of its object."""
    named = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    patterns = schema.get("patternProperties", {})
    named += [child for pattern, child in patterns.items() if _matches(pattern, name)]
    if named:
        return named
    further = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
    return [further] if isinstance(further, Mapping) else []


def entries(schema: Node, index: int) -> list[Any]:
    """The schemas a list's entry at this place follows by one schema of its list; a mark on a list is its entries'."""
    first = schema.get("prefixItems", ())
    entry = first[index] if index < len(first) else schema.get("items", schema.get("unevaluatedItems", {}))
    node = entry if isinstance(entry, Mapping) else {}
    held = schema["contains"] if isinstance(schema.get("contains"), Mapping) else None
    inherited = {mark: schema[mark] for mark in _OF_ENTRIES if schema.get(mark)}
    node = merge(node, inherited) if inherited else node
    # whichever entry it is that the list has to contain: it may be this one
    return [node] if held is None else [node, {"anyOf": [held, {}]}]


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True  # not for Python to read: rather looked at than passed over


def merge(one: Node, other: Node) -> dict[str, Any]:
    """Two schemas that hold at once; of what both say by a single value, the second one's."""
    made = {**one, **other}
    for word in ("properties", "patternProperties", "$defs", "definitions"):
        if word in one and word in other:
            both = {
                name: {"allOf": [one[word][name], other[word][name]]}
                for name in one[word].keys() & other[word].keys()
                if one[word][name] != other[word][name]
            }
            made[word] = {**one[word], **other[word], **both}
    if "required" in one and "required" in other:
        made["required"] = [*one["required"], *(n for n in other["required"] if n not in one["required"])]
    if "type" in one and "type" in other:
        shared = [kind for kind in types_of(other) if kind in types_of(one)]
        if "number" in types_of(one) and "integer" in types_of(other) and "integer" not in shared:
            shared.append("integer")
        made["type"] = shared[0] if len(shared) == 1 else shared or other["type"]
    if "enum" in one and "enum" in other:
        made["enum"] = [value for value in other["enum"] if value in one["enum"]]
    return made


def types_of(node: Node) -> list[str]:
    """The types a node names; none where it names none."""
    kind = node.get("type", ())
    return [kind] if isinstance(kind, str) else list(kind)


def kinds_of(node: Node) -> list[str]:
    """The types a node names, else those of the values it lists, else what its other keywords are about."""
    kinds = types_of(node)
    if kinds:
        return kinds
    if "const" in node or "enum" in node:
        return list(dict.fromkeys(type_of(value) for value in node.get("enum", [node.get("const")])))
    if node.keys() & {"properties", "patternProperties", "additionalProperties"}:
        return ["object"]
    return ["array"] if node.keys() & {"items", "prefixItems"} else []


def type_of(value: Any) -> str:
    """The type of a JSON value.

    >>> [type_of(value) for value in (None, True, 1, 1.5, "a", [], {})]
    ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']
    """
    if value is None:
        return "null"
    named = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return named[type(value)]


def is_closed(node: Node) -> bool:
    """Whether an object has its named properties and no others."""
    return bool(node.get("properties")) and not (
        node.get("patternProperties") or node.get("additionalProperties") or node.get("unevaluatedProperties")
    )


def is_null(node: Node) -> bool:
    """Whether a node allows nothing but null."""
    return (
        types_of(node) == ["null"]
        or ("const" in node and node["const"] is None)
        or node.get("enum") == [None]
    )


def allows_null(node: Node) -> bool:
    """Whether null is among the values a node allows."""
    if "enum" in node:
        return None in node["enum"]
    if "const" in node:
        return node["const"] is None
    return "null" in types_of(node) or not node.keys() & {"type", "properties", "items"}


_KINDS: Mapping[str, Any] = {
    "string": str, "object": dict, "array": list, "boolean": bool, "null": type(None), "integer": (int, float), "number": (int, float),
}  # fmt: skip


def may_be(variant: Node, value: Any) -> bool:
    """A quick no by type and constant; what is left is for the validator."""
    kinds = types_of(variant)
    if kinds and not any(isinstance(value, _KINDS.get(kind, object)) for kind in kinds):
        return False
    if not isinstance(value, dict):
        return True
    constants = {
        name: child["const"]
        for name, child in variant.get("properties", {}).items()
        if isinstance(child, Mapping) and "const" in child
    }
    return all(value[name] == constant for name, constant in constants.items() if name in value)
