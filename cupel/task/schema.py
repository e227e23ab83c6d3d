"""A task's JSON Schema with every property required, and where a record's quotes stand by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.task.shape import Shape, rebuild, shape_of

MAX_LEVELS = 100
"""Of a schema as it is written: a record nests no deeper than that either."""

_NOT_KEPT = ("$schema", "default", "examples")


def strict_schema(schema: Mapping[str, Any], *, path: Path | str) -> dict[str, Any]:
    """The same schema with nothing optional: every property required, and nullable where it was not; nothing extra.

    Raises:
        TaskError: For what is not a JSON Schema of an object, or refers to what is not in it.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if nests_deeper(schema, MAX_LEVELS):
        raise TaskError(
            f"the schema nests deeper than {MAX_LEVELS} levels; name its parts in $defs", path=path
        )
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "top level"
        raise TaskError(f"not a JSON Schema: {error.message} (at {where})", path=path) from error
    shape = Shape(schema)
    try:
        shape.check()
        if "$ref" in schema:
            schema = {
                **shape.resolve(schema),
                **{k: schema[k] for k in ("$defs", "definitions") if k in schema},
            }
    except TaskError as error:
        raise TaskError(str(error).removeprefix("schema: "), path=path) from error
    if schema.get("type") != "object" or not schema.get("properties"):
        raise TaskError(
            'the schema must describe an object: "type": "object" with "properties"; put a list or a choice into a field of it',
            path=path,
        )
    strict: dict[str, Any] = _strict("", schema)
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


def _strict(_keyword: str, node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    made = {k: v for k, v in rebuild(node, _strict).items() if k not in _NOT_KEPT}
    if isinstance(node.get("properties"), Mapping):
        required = set(node.get("required", ()))
        made["properties"] = {
            name: child if name in required else _nullable(child)
            for name, child in made["properties"].items()
        }
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    return made


def _nullable(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    if "enum" in node and None not in node["enum"]:
        node = {**node, "enum": [*node["enum"], None]}
    kind = node.get("type")
    if isinstance(kind, str) and kind != "null":
        return {**node, "type": [kind, "null"]}
    if isinstance(kind, list):
        return {**node, "type": [*kind, *([] if "null" in kind else ["null"])]}
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    if "enum" in node or not set(node) - {"title", "description"}:
        return node
    return {"anyOf": [node, {"type": "null"}]}


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
