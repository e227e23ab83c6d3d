"""A schema as 2020-12 has it, whatever draft, OpenAPI or habit it was written by; what says nothing there is refused.

draft 3     "required": true on a property       its name among the required ones
draft 4     "exclusiveMinimum": true             "exclusiveMinimum" with the bound
            "items": [..], "additionalItems"     "prefixItems", "items"
draft 7     "dependencies"                       "dependentRequired", "dependentSchemas"
OpenAPI 3   "nullable": true                     null among the types
OpenAI      {"name": .., "schema": ..}           the schema in it
everyone    a reference to any other place       a definition of its own, so that it can be sent
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cupel.errors import TaskError
from cupel.task.node import NAMED, Node, nullable, rebuild
from cupel.task.shape import Shape
from cupel.task.validator import Validator, addressed

_META = "https://json-schema.org/draft/2020-12/schema"


def modern(schema: Any, *, path: Path | str) -> dict[str, Any]:
    """The same schema in the one dialect that all else here reads.

    Raises:
        TaskError: For what is no JSON Schema, or refers to an address or to nothing; it names the place.

    >>> modern({"properties": {"a": {"type": "string", "nullable": True}}}, path="x")["properties"]
    {'a': {'type': ['string', 'null']}}
    """
    if not isinstance(schema, Mapping):
        raise TaskError(
            f"a schema is a JSON object that describes the record, and this is {type(schema).__name__} ({str(schema)[:40]})",
            path=path,
        )
    made: dict[str, Any] = _translate("", _unwrap(schema))
    for fault in Validator({"$ref": _META}).faults(addressed("", made)):
        raise TaskError(f"not a JSON Schema: {fault.words} (at {fault.where or 'top level'})", path=path)
    try:
        Shape(made).check()
        return _with_definitions(made)
    except TaskError as error:
        raise TaskError(str(error).removeprefix("schema: "), path=path) from error


def _unwrap(schema: Node) -> Node:
    """The schema inside what an API is given with it: `{"type": "json_schema", "json_schema": {"name", "schema"}}`."""
    inner = schema.get("json_schema", schema)
    if isinstance(inner, Mapping) and "properties" not in inner and isinstance(inner.get("schema"), Mapping):
        return _unwrap(inner["schema"])
    return schema


def _translate(_keyword: str, node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    made = dict(node)
    for keyword, translate in _OLD.items():
        if keyword in made:
            translate(made)
    may_be_null = made.pop("nullable", None)
    made = rebuild(made, _translate)
    return nullable(made) if may_be_null is True else made


def _items(made: dict[str, Any]) -> None:
    further = made.pop("additionalItems", None)
    if isinstance(made["items"], list):
        made["prefixItems"] = made.pop("items")
        if further is not None:
            made["items"] = further


def _properties(made: dict[str, Any]) -> None:
    named = made["properties"]
    if isinstance(named, Mapping) and isinstance(made.get("required", []), list):
        wanted = [name for name, child in named.items() if _says(child, "required", True)]
        if wanted:
            made["required"] = list(dict.fromkeys([*made.get("required", []), *wanted]))
        made["properties"] = {name: _without_flag(child) for name, child in named.items()}


def _says(node: Any, keyword: str, value: Any) -> bool:
    return isinstance(node, Mapping) and node.get(keyword) is value


def _without_flag(node: Any) -> Any:
    if isinstance(node, Mapping) and isinstance(node.get("required"), bool):
        return {key: value for key, value in node.items() if key != "required"}
    return node


def _exclusive(keyword: str, bound: str) -> Callable[[dict[str, Any]], None]:
    def translate(made: dict[str, Any]) -> None:
        if made[keyword] is True and bound in made:
            made[keyword] = made.pop(bound)
        elif isinstance(made[keyword], bool):
            del made[keyword]

    return translate


def _dependencies(made: dict[str, Any]) -> None:
    told = made.pop("dependencies")
    if isinstance(told, Mapping):
        lists = {name: what for name, what in told.items() if isinstance(what, list)}
        schemas = {name: what for name, what in told.items() if not isinstance(what, list)}
        made |= {"dependentRequired": lists} if lists else {}
        made |= {"dependentSchemas": schemas} if schemas else {}


_OLD: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "items": _items,
    "properties": _properties,
    "exclusiveMinimum": _exclusive("exclusiveMinimum", "minimum"),
    "exclusiveMaximum": _exclusive("exclusiveMaximum", "maximum"),
    "dependencies": _dependencies,
}


# ---- references


def _with_definitions(schema: Node) -> dict[str, Any]:
    """The schema with each reference to a definition by its plain name.

    One to any other place (`#`, `#/properties/a`, an anchor) gets a definition of its own: a part of a schema is sent
    alone, or inside a larger one, where the place would be another.
    """
    shape = Shape(schema)
    references = {node["$ref"] for _, node in shape.nodes() if "$ref" in node}
    plain: dict[str, str] = {}
    added: dict[str, Any] = {}
    for reference in sorted(references):
        target = shape.look_up(reference)
        known = _definition_of(target, schema)
        if known is None:
            name = _free_name(reference, {*schema.get("$defs", {}), *added})
            added[name] = target
            known = f"#/$defs/{_step(name)}"
        plain[reference] = known
    if not added and all(old == new for old, new in plain.items()):
        return dict(schema)

    def rewrite(_keyword: str, node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        made = rebuild(node, rewrite)
        return {**made, "$ref": plain[made["$ref"]]} if isinstance(made.get("$ref"), str) else made

    made: dict[str, Any] = rewrite("", schema)
    if added:
        bare = {name: _bare(target, schema) for name, target in added.items()}
        made["$defs"] = {**made.get("$defs", {}), **{name: rewrite("", node) for name, node in bare.items()}}
    return made


def _bare(target: Any, schema: Node) -> Any:
    """A target as a definition; of the whole schema, all but its definitions."""
    if (
        isinstance(target, Mapping)
        and target.keys() & {"$defs", "definitions"}
        and dict(target) == _without_id(schema)
    ):
        return {word: value for word, value in target.items() if word not in ("$defs", "definitions")}
    return target


def _without_id(schema: Node) -> dict[str, Any]:
    return {word: value for word, value in schema.items() if word != "$id"}


def _definition_of(target: Any, schema: Node) -> str | None:
    for word in NAMED:
        if word in ("$defs", "definitions"):
            for name, node in schema.get(word, {}).items():
                if node is target:
                    return f"#/{word}/{_step(name)}"
    return None


def _free_name(reference: str, taken: set[str]) -> str:
    last = unquote(reference.rpartition("/")[2].lstrip("#")) or "record"
    numbered = (last, *(f"{last}_{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in numbered if name not in taken)


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
