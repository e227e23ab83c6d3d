"""A task's JSON Schema with every property required, and where a record's quotes stand by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.task.dialect import modern
from cupel.task.node import COMPUTED, OFFERING, Node, apart, is_computed, nullable, rebuild, types_of
from cupel.task.shape import Shape, shape_of

_OPEN = ("additionalProperties", "unevaluatedProperties", "patternProperties")
MAX_LEVELS = 100
"""Of a schema as it is written: a record nests no deeper than that either."""

_NOT_KEPT = ("$schema", "default", "examples")


def strict_schema(schema: Mapping[str, Any], *, path: Path | str) -> dict[str, Any]:
    """The same schema with nothing optional: every property required, and nullable where it was not; nothing extra.

    Raises:
        TaskError: For what is not a JSON Schema of an object, or refers to what is not in it.
    """
    if nests_deeper(schema, MAX_LEVELS):
        raise TaskError(
            f"the schema nests deeper than {MAX_LEVELS} levels; name its parts in $defs", path=path
        )
    whole = modern(schema, path=path)
    record = _record_of(whole)
    if record is None:
        raise TaskError(
            'the schema must describe an object: "type": "object" with "properties"; put a list or a choice into a field of it'
            f" (this one has {', '.join(map(repr, whole)) or 'nothing'})",
            path=path,
        )
    strict: dict[str, Any] = _Strict(record).node("", record)
    return strict


def nests_deeper(value: Any, levels: int) -> bool:
    """Whether JSON has more levels than that; it is not followed any further.

    >>> nests_deeper({"a": [1]}, 2), nests_deeper({"a": [[1]]}, 2)
    (False, True)
    """
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(
        levels <= 1 or nests_deeper(each, levels - 1) for each in inner if isinstance(each, Mapping | list)
    )


def _record_of(whole: Node) -> Node | None:
    """The schema with an object at its root, whatever it says it by: a reference, parts that hold at once, its fields."""
    root: Node = whole
    if "$ref" in root or "allOf" in root:
        variants = Shape(whole).variants(whole)
        root = {**variants[0], **apart(whole)[1]} if len(variants) == 1 else root
    if not root.get("properties") or "object" not in (types_of(root) or ["object"]):
        return None
    return {**root, "type": "object"}


class _Strict:
    """Makes everything required, and closes each object once: by the node that has all of its properties together."""

    def __init__(self, whole: Node) -> None:
        self._shape = Shape(whole)

    def node(self, _keyword: str, node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        if _is_composed(node):
            # no part knows the others' properties, so none may refuse them
            return {**self._part("", node), "unevaluatedProperties": node.get("unevaluatedProperties", False)}
        made = self._required(node, rebuild(node, self.node))
        if "properties" in made and not _names_more(made):
            made["additionalProperties"] = False
        return made

    def _part(self, keyword: str, node: Any) -> Any:
        """A node that holds beside others: the same, open."""
        if not isinstance(node, Mapping):
            return node
        if keyword in OFFERING:
            node = self._shape.resolve(node)

        def inner(word: str, child: Any) -> Any:
            return self._part(word, child) if word in OFFERING else self.node(word, child)

        made = self._required(node, rebuild(node, inner))
        return {
            word: value
            for word, value in made.items()
            if word != "additionalProperties" or isinstance(value, Mapping)
        }

    def _required(self, node: Node, made: dict[str, Any]) -> dict[str, Any]:
        made = {word: value for word, value in made.items() if word not in _NOT_KEPT}
        if isinstance(node.get("properties"), Mapping):
            required = set(node.get("required", ()))
            computed = {name for name, child in node["properties"].items() if is_computed(child)}
            made["properties"] = {
                name: _computed(child)
                if name in computed
                else child
                if name in required or _is_its_default(node["properties"][name])
                else nullable(child)
                for name, child in made["properties"].items()
            }
            made["required"] = [name for name in made["properties"] if name not in computed]
        return made


def _computed(node: Node) -> dict[str, Any]:
    """A field that code fills in: null where it cannot be known, and so is each part; the mark stays at its top."""
    plain = {word: value for word, value in node.items() if word != COMPUTED}
    if isinstance(plain.get("properties"), Mapping):
        plain["properties"] = {name: nullable(child) for name, child in plain["properties"].items()}
    return {**nullable(plain), COMPUTED: node[COMPUTED]}


def _is_composed(node: Node) -> bool:
    """Whether an object has its properties from several nodes that hold at once."""
    parts = node.keys() & set(OFFERING)
    if len(node.get("allOf", ())) > 1:
        return True
    return bool(parts) and "properties" in node


def _names_more(node: Node) -> bool:
    """Whether an object has properties of any name beside those it names, and says what they are."""
    return any(isinstance(node.get(word), Mapping) and node[word] for word in _OPEN)


def _is_its_default(node: Any) -> bool:
    """Whether a property has one value, which it has as well when it is left out: a discriminator is said, not null."""
    return isinstance(node, Mapping) and "const" in node and node.get("default") == node["const"]


def grounded_quotes(record: Any, schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """JSON pointer and text of every quote of a record, in reading order.

    >>> schema = {"properties": {"q": {"type": "string", "x-grounded": True}}}
    >>> grounded_quotes({"q": "we must act"}, schema)
    [('/q', 'we must act')]
    """
    return [
        (part.pointer, part.value)
        for part in shape_of(schema).parts(record)
        if isinstance(part.value, str) and part.mark("x-grounded")
    ]


def definitions_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions at the root of a schema, by the pointer a reference has.

    >>> definitions_of({"$defs": {"item": {"type": "string"}}})
    {'$defs/item': {'type': 'string'}}
    """
    return {
        f"{word}/{name}": found
        for word in ("$defs", "definitions")
        for name, found in schema.get(word, {}).items()
    }
