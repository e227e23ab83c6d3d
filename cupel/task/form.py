"""The form of a schema that strict structured output accepts, and the way back from a reply in it.

Providers take a part of JSON Schema: objects whose properties are all named and required, `anyOf`, references, lists of
one kind. What people write has more, and most of it says the same in another form:

    oneOf, a discriminator        anyOf
    allOf                         merged
    dict[str, X]                  a list of {"key", "value"}
    an object without properties  the same, values of any plain kind
    a tuple                       an object with "item_1", "item_2" …
    anything at all               text, number, true or false, or null
    $ref with a description       the reference inside anyOf
    $ref at the root              what it refers to

Bounds no provider checks (`uniqueItems`, `contains`, a pattern with look-around …) are left out of what is sent; the
record is held against the schema as it was written all the same. What has no form is refused before anything is sent.
A schema that is in this form already is sent as it is, to the letter: stored answers stay valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cupel.errors import TaskError
from cupel.task.node import Node, merge, type_of, types_of
from cupel.task.shape import Shape
from cupel.task.validator import Validator

Back = Callable[[Any], Any] | None
"""From a value in the form to the value as the schema has it; None where they are the same."""

_SENT = frozenset((
    "type", "title", "description", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf",
    "$ref", "$defs", "definitions", "pattern", "format", "minLength", "maxLength", "minItems", "maxItems",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
))  # fmt: skip
"""Keywords that strict modes take, or pass over: what is none of them, a note of some tool's or a bound, is left out."""

_REWRITTEN = frozenset(
    ("oneOf", "allOf", "prefixItems", "patternProperties", "unevaluatedProperties", "unevaluatedItems")
)
"""Keywords whose sense has another form."""

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_LOOK_AROUND = re.compile(r"\(\?[=!<]")
_SCALARS = ("string", "number", "boolean", "null")
_NOTES = ("title", "description")


@dataclass(frozen=True, slots=True)
class Form:
    """A schema as it is sent, marks and all, and the way back."""

    schema: dict[str, Any]
    back: Back

    def restore(self, value: Any) -> Any:
        """A reply's value as the schema has it; one that is not in the form is given back as it is."""
        if self.back is None:
            return value
        try:
            return self.back(value)
        except (TypeError, KeyError, AttributeError, IndexError):
            return value


def strict_form(schema: Node, *, path: Any = "schema") -> Form:
    """The form of a schema of an object.

    Raises:
        TaskError: Where a schema has no such form; it names the field and the way out.

    >>> form = strict_form({"type": "object", "properties": {"by_name": {"type": "object",
    ...     "additionalProperties": {"type": "integer"}}}, "required": ["by_name"], "additionalProperties": False})
    >>> form.restore({"by_name": [{"key": "a", "value": 1}, {"key": "b", "value": 2}]})
    {'by_name': {'a': 1, 'b': 2}}
    """
    writer = _Writer(schema, path)
    made, back = writer.root()
    return Form(made, back)


class _Writer:
    """Writes one schema; a definition is written once, and its way back looked up when it is gone."""

    def __init__(self, schema: Node, path: Any) -> None:
        self.shape = Shape(schema)
        self.schema = schema
        self.path = path
        self.backs: dict[str, Back] = {}
        self.validators: dict[int, tuple[Node, Validator]] = {}
        """By identity of the form of a choice, made when a reply first has to be told by it."""

        self.written: dict[str, dict[str, Any]] = {}
        self.changes = False
        """Whether anything has another shape in the form; else there is nothing to bring back."""

    def root(self) -> tuple[dict[str, Any], Back]:
        root = self.schema
        if "$ref" in root:
            root = {**self.shape.resolve(root), **{k: root[k] for k in ("$defs", "definitions") if k in root}}
        if (
            ("object" not in types_of(root) and "properties" not in root)
            or "anyOf" in root
            or "oneOf" in root
        ):
            raise self._no_form(
                "",
                "the record must be one object with named fields; put a list or a choice into a field of it",
            )
        defined: dict[str, dict[str, Any]] = {}
        for word in ("$defs", "definitions"):
            if isinstance(root.get(word), Mapping):
                defined[word] = {}
                for name, node in root[word].items():
                    reference = f"#/{word}/{name.replace('~', '~0').replace('/', '~1')}"
                    self.backs[reference] = None
                    defined[word][name], self.backs[reference] = self.write(node, f"/{word}/{name}")
        made, back = self.write({k: v for k, v in root.items() if k not in ("$defs", "definitions")}, "")
        # in the order of the schema as it was written: what is sent stays the same to the letter
        ordered = {key: defined.get(key, made.get(key)) for key in root if key in made or key in defined}
        self.written = defined
        return {
            **ordered,
            **{k: v for k, v in made.items() if k not in ordered},
        }, back if self.changes else None

    def write(self, node: Any, where: str) -> tuple[dict[str, Any], Back]:
        """A node in the form, and its way back."""
        if not isinstance(node, Mapping) or not (set(node) & (_SENT | _REWRITTEN)) - set(_NOTES) - _marks(
            node
        ):
            notes = {k: v for k, v in node.items() if k in _NOTES} if isinstance(node, Mapping) else {}
            if node is False:
                raise self._no_form(where, "no value is allowed here; leave the field out")
            return {**notes, "anyOf": [{"type": kind} for kind in _SCALARS]}, None
        kinds = types_of(node)
        shapes: tuple[tuple[bool, Callable[[Node, str], tuple[dict[str, Any], Back]]], ...] = (
            ("$ref" in node, self._reference),
            ("allOf" in node, self._merged),
            ("oneOf" in node or "anyOf" in node, self._union),
            ("properties" in node or "object" in kinds, self._object),
            ("array" in kinds or "items" in node or "prefixItems" in node, self._list),
        )
        return next((write for is_of, write in shapes if is_of), self._scalar)(node, where)

    def _scalar(self, node: Node, _where: str) -> tuple[dict[str, Any], Back]:
        plain = self._plain(node)
        values = node.get("enum", [node["const"]] if "const" in node else [])
        if not values and not types_of(
            node
        ):  # a bound, or what is not sent at all: any plain value, in words
            marked = {k: v for k, v in plain.items() if k in _NOTES or k.startswith("x-")}
            return {**marked, "anyOf": [{"type": kind} for kind in _SCALARS]}, None
        if values and not types_of(node):
            plain = {"type": _types_of_values(values), **plain}
        return plain, None

    def _plain(self, node: Node) -> dict[str, Any]:
        return {k: v for k, v in node.items() if self._is_sent(k, v)}

    def _is_sent(self, key: str, value: Any) -> bool:
        if key not in _SENT and not key.startswith("x-"):
            return False
        if key == "format":
            return value in _FORMATS
        return not (key == "pattern" and _LOOK_AROUND.search(str(value)))

    def _reference(self, node: Node, where: str) -> tuple[dict[str, Any], Back]:
        reference = str(node["$ref"])
        beside = {k: v for k, v in node.items() if k != "$ref" and self._is_sent(k, v)}
        notes = set(_NOTES) | _marks(node)
        if not reference.startswith(("#/$defs/", "#/definitions/")) or set(beside) - notes:
            merged = self.shape.resolve(node)
            if self._is_recursive(reference):
                raise self._no_form(
                    where,
                    f"{reference} refers to itself and cannot be copied; refer to it without {', '.join(sorted(set(beside) - notes)) or 'more'}",
                )
            return self.write(merged, where)
        self.shape.resolve(node)
        back = self._later(reference)
        if not set(beside) - _marks(node):
            return {**beside, "$ref": reference}, back
        return {**beside, "anyOf": [{"$ref": reference}]}, back

    def _later(self, reference: str) -> Back:
        def back(value: Any) -> Any:
            inner = self.backs.get(reference)
            return value if inner is None else inner(value)

        return back

    def _is_recursive(self, reference: str) -> bool:
        waiting: list[Any] = [self.shape.resolve({"$ref": reference})]
        seen = 0
        while waiting and seen < 10_000:
            node = waiting.pop()
            seen += 1
            for value in (
                node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
            ):
                if isinstance(value, Mapping) and value.get("$ref") == reference:
                    return True
                if isinstance(value, Mapping | list):
                    waiting.append(value)
        return False

    def _merged(self, node: Node, where: str) -> tuple[dict[str, Any], Back]:
        parts = [self.shape.resolve(part) for part in node["allOf"]]
        made: Node = {k: v for k, v in node.items() if k != "allOf"}
        for part in parts:
            if ("anyOf" in part or "oneOf" in part) and ("anyOf" in made or "oneOf" in made):
                raise self._no_form(where, "two unions that hold at once; write the choices out as one anyOf")
            made = merge(made, part)
        return self.write(made, where)

    def _union(self, node: Node, where: str) -> tuple[dict[str, Any], Back]:
        choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
        beside = {k: v for k, v in self._plain(node).items() if k not in ("anyOf", "oneOf")}
        kept = set(_NOTES) | _marks(node)
        # what holds beside a union holds for each choice, and strict modes want it there
        held = {k: v for k, v in beside.items() if k not in kept and k != "type"}
        if held:
            choices = [merge(held, self.shape.resolve(choice)) for choice in choices]
        ways = [self.write(choice, f"{where}/anyOf/{number}") for number, choice in enumerate(choices)]
        # in the order of the node, so that what is in the form already stays as it was written
        made: dict[str, Any] = {}
        for key in node:
            if key in kept & beside.keys():
                made[key] = beside[key]
            elif key in ("anyOf", "oneOf"):
                made["anyOf"] = [choice for choice, _ in ways]
        return made, None if all(back is None for _, back in ways) else self._chosen(ways)

    def _chosen(self, ways: list[tuple[dict[str, Any], Back]]) -> Back:
        """The way back of the first choice the value is in the form of."""

        def back(value: Any) -> Any:
            for made, way in ways:
                if self._is_of(made, value):
                    return value if way is None else way(value)
            return value

        return back

    def _is_of(self, made: Node, value: Any) -> bool:
        held = self.validators.get(id(made))
        if held is None:
            held = self.validators[id(made)] = (made, Validator({**made, **self.written}))
        return held[1].fits(value)

    def _object(self, node: Node, where: str) -> tuple[dict[str, Any], Back]:
        plain = self._plain(node)
        properties = node.get("properties") or {}
        further = node.get("additionalProperties", node.get("unevaluatedProperties"))
        patterns = node.get("patternProperties") or {}
        if not properties:
            return self._by_name(
                node, plain, [*patterns.values(), *([further] if isinstance(further, Mapping) else [])], where
            )
        if patterns or isinstance(further, Mapping):
            raise self._no_form(
                where,
                "named fields beside fields of any name; move those of any name into a field of their own",
            )
        made: dict[str, Any] = {}
        ways: dict[str, Back] = {}
        for name, child in properties.items():
            made[name], ways[name] = self.write(child, f"{where}/{name}")
        changed = {
            key: made if key == "properties" else list(made) if key == "required" else False if key == "additionalProperties" else value
            for key, value in plain.items()
            if key != "patternProperties"
        }  # fmt: skip
        changed.setdefault("type", "object")
        changed |= {"required": list(made), "additionalProperties": False}
        if all(way is None for way in ways.values()):
            return changed, None

        def back(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            return {
                name: item if (way := ways.get(name)) is None else way(item) for name, item in value.items()
            }

        return changed, back

    def _by_name(
        self, node: Node, plain: dict[str, Any], values: list[Any], where: str
    ) -> tuple[dict[str, Any], Back]:
        """`dict[str, X]` as a list of pairs."""
        self.changes = True
        inner: Any = {"anyOf": values} if len(values) > 1 else values[0] if values else True
        value_schema, way = self.write(inner, f"{where}/additionalProperties")
        pair = {
            "type": "object",
            "properties": {"key": {"type": "string"}, "value": value_schema},
            "required": ["key", "value"],
            "additionalProperties": False,
        }
        kinds = types_of(node)
        made = {k: v for k, v in plain.items() if k in _NOTES} | {
            "type": ["array", "null"] if "null" in kinds else "array",
            "items": pair,
        }

        def back(value: Any) -> Any:
            if not isinstance(value, list):
                return value
            named: dict[str, Any] = {}
            for each in value:
                item = each["value"] if way is None else way(each["value"])
                if each["key"] in named and named[each["key"]] != item:
                    return value  # one name with two values is no object: the schema says so
                named[each["key"]] = item
            return named

        return made, back

    def _list(self, node: Node, where: str) -> tuple[dict[str, Any], Back]:
        plain = self._plain(node)
        if "prefixItems" in node:
            return self._tuple(node, plain, where)
        item, way = self.write(node.get("items", True), f"{where}/items")
        made = {key: item if key == "items" else value for key, value in plain.items()}
        made.setdefault("type", "array")
        made["items"] = item
        unique = bool(node.get("uniqueItems"))
        if way is None and not unique:
            return made, None
        self.changes = self.changes or unique

        def back(value: Any) -> Any:
            if not isinstance(value, list):
                return value
            items = [each if way is None else way(each) for each in value]
            return [each for at, each in enumerate(items) if not unique or each not in items[:at]]

        return made, back

    def _tuple(self, node: Node, plain: dict[str, Any], where: str) -> tuple[dict[str, Any], Back]:
        self.changes = True
        first = list(node["prefixItems"])
        if isinstance(node.get("items"), Mapping) and node.get("maxItems") != len(first):
            raise self._no_form(where, "a tuple of any length; use a list, or say how many entries there are")
        made: dict[str, Any] = {}
        ways: list[Back] = []
        for number, child in enumerate(first, start=1):
            made[f"item_{number}"], way = self.write(child, f"{where}/prefixItems/{number - 1}")
            ways.append(way)
        changed = {k: v for k, v in plain.items() if k in _NOTES} | {
            "type": ["object", "null"] if "null" in types_of(node) else "object",
            "properties": made,
            "required": list(made),
            "additionalProperties": False,
        }

        def back(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            items = [value[f"item_{number}"] for number in range(1, len(ways) + 1)]
            return [item if way is None else way(item) for item, way in zip(items, ways, strict=True)]

        return changed, back

    def _no_form(self, where: str, way_out: str) -> TaskError:
        return TaskError(
            f"{where or 'the schema'} has no form that models can be held to: {way_out}", path=self.path
        )


def _marks(node: Any) -> set[str]:
    return {key for key in node if key.startswith("x-")} if isinstance(node, Mapping) else set()


def _types_of_values(values: list[Any]) -> Any:
    kinds = list(dict.fromkeys(type_of(value) for value in values))
    return kinds[0] if len(kinds) == 1 else kinds
