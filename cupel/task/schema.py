"""A task's JSON Schema: in the form strict structured output wants, and where a record's quotes stand by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cupel.errors import TaskError


def strict_schema(schema: dict[str, Any], *, path: Path | str) -> dict[str, Any]:
    """The same schema as strict structured output wants it.

    Objects allow nothing extra and require every property; a property that was optional becomes
    nullable. Raises TaskError for what is not a JSON Schema of an object.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "top level"
        raise TaskError(f"not a JSON Schema: {error.message} (at {where})", path=path) from error
    if schema.get("type") != "object" or not schema.get("properties"):
        raise TaskError('the schema must describe an object: "type": "object" with "properties"', path=path)
    strict: dict[str, Any] = _strict(schema)
    return strict


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: _strict(value) for key, value in node.items() if key not in ("$schema", "default", "examples")
    }
    if isinstance(node.get("properties"), dict):
        required = set(node.get("required", ()))
        properties = {name: _strict(value) for name, value in node["properties"].items()}
        made["properties"] = {
            name: value if name in required else _nullable(value) for name, value in properties.items()
        }
        made["required"] = list(properties)
        made["additionalProperties"] = False
    return made


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    if "enum" in node and None not in node["enum"]:
        node = {**node, "enum": [*node["enum"], None]}
    kind = node.get("type")
    if isinstance(kind, str) and kind != "null":
        return {**node, "type": [kind, "null"]}
    if isinstance(kind, list):
        return {**node, "type": [*kind, *([] if "null" in kind else ["null"])]}
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    if "enum" in node:
        return node
    return {"anyOf": [node, {"type": "null"}]}


def grounded_quotes(record: Any, schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """JSON pointer and text of every quote of a record, in reading order.

    >>> schema = {"properties": {"q": {"type": "string", "x-grounded": True}}}
    >>> grounded_quotes({"q": "we must act"}, schema)
    [('/q', 'we must act')]
    """
    return list(_walk(record, schema, "", schema))


def _walk(value: Any, schema: Mapping[str, Any], pointer: str, root: Mapping[str, Any]) -> Any:
    schema = _resolve(schema, root)
    if schema.get("x-grounded") and isinstance(value, str):
        yield pointer, value
    elif isinstance(value, list):
        item_schema = {
            **schema.get("items", {}),
            **({"x-grounded": True} if schema.get("x-grounded") else {}),
        }
        for index, item in enumerate(value):
            yield from _walk(item, item_schema, f"{pointer}/{index}", root)
    elif isinstance(value, dict):
        properties = schema.get("properties", {})
        for name, item in value.items():
            yield from _walk(item, properties.get(name, {}), f"{pointer}/{name}", root)


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        node: Any = root
        for part in reference[2:].split("/"):
            node = node.get(part, {}) if isinstance(node, dict) else {}
        return {**node, **{key: value for key, value in schema.items() if key != "$ref"}}
    for choice in schema.get("anyOf", ()):
        if isinstance(choice, dict) and choice.get("type") != "null":
            return {**_resolve(choice, root), **{k: v for k, v in schema.items() if k != "anyOf"}}
    return schema
