"""A JSON Schema as it is sent: without Cupel's own `x-` marks, which strict mode does not know."""

from __future__ import annotations

from typing import Any

_NAMED = ("properties", "$defs", "definitions", "patternProperties")
"""Keywords whose keys are names, not keywords."""


def wire_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy of `schema` without the keywords that begin with `x-`.

    >>> wire_schema({"properties": {"x-y": {"type": "string", "x-grounded": True}}})
    {'properties': {'x-y': {'type': 'string'}}}
    """
    return {key: _value(key, value) for key, value in schema.items() if not key.startswith("x-")}


def _value(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: wire_schema(part) if isinstance(part, dict) else part for name, part in value.items()}
    if isinstance(value, dict) and key not in ("const", "default"):
        return wire_schema(value)
    if isinstance(value, list) and key not in ("enum", "examples", "required"):
        return [wire_schema(part) if isinstance(part, dict) else part for part in value]
    return value
