"""Signals of logged function calls: do they parse, fit their schema, come from the question, agree.

The logs hold the calls as text, in Python's syntax or in JSON. Nothing is executed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One call: name, arguments, and whether some were given by position."""

    name: str
    arguments: dict[str, Any]
    positional: bool


TYPES: dict[str, type | tuple[type, ...]] = {
    "integer": int, "long": int, "float": (int, float), "number": (int, float), "boolean": bool,
    "array": (list, tuple), "list": (list, tuple), "tuple": (list, tuple), "dict": dict, "HashMap": dict,
}  # fmt: skip
"""Declared types that are checked; texts only for being there at all, since the logs quote freely."""
SCALARS = ("integer", "long", "float", "number", "boolean")


def parse(output: str) -> list[Call] | None:
    """The calls of one reply, or None where it is not a list of calls."""
    text = output.strip()
    if text.startswith("{"):
        return _from_json(text)
    if not text.startswith("["):
        text = f"[{text.rstrip(';')}]"
    try:
        body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None
    if not isinstance(body, (ast.List, ast.Tuple)):
        return None
    calls = [_call(node) for node in body.elts]
    return None if None in calls or not calls else [call for call in calls if call]


def _from_json(text: str) -> list[Call] | None:
    try:
        return [
            Call(call["name"], dict(call["arguments"]), False) for call in json.loads(text)["tool_calls"]
        ] or None
    except (ValueError, KeyError, TypeError):
        return None


def _call(node: ast.expr) -> Call | None:
    name = _dotted(node.func) if isinstance(node, ast.Call) else None
    if name is None or not isinstance(node, ast.Call):
        return None
    arguments: dict[str, Any] = {}
    for place, value in enumerate(_value(argument) for argument in node.args):
        arguments.update(
            {str(k): v for k, v in value.items()} if isinstance(value, dict) else {f"_{place}": value}
        )
    arguments.update({keyword.arg or "**": _value(keyword.value) for keyword in node.keywords})
    return Call(name, arguments, bool(node.args) or any(keyword.arg is None for keyword in node.keywords))


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    before = _dotted(node.value) if isinstance(node, ast.Attribute) else None
    return f"{before}.{node.attr}" if before and isinstance(node, ast.Attribute) else None


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.unparse(node)


def schema_valid(calls: Sequence[Call] | None, functions: Sequence[Mapping[str, Any]]) -> bool:
    """Strict: known function, every required argument, no unknown or positional one, types as declared."""
    known = {function["name"]: function["parameters"] for function in functions}
    if not calls or any(call.name not in known or call.positional for call in calls):
        return False
    return all(_arguments_fit(call.arguments, known[call.name]) for call in calls)


def _arguments_fit(arguments: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    properties = declared.get("properties", {})
    if not set(declared.get("required", ())) <= set(arguments) <= set(properties):
        return False
    return all(_fits(value, properties[key]) for key, value in arguments.items())


def _fits(value: Any, declared: Mapping[str, Any]) -> bool:
    if not _typed(value, declared.get("type")):
        return False
    inner = declared.get("items", {}).get("type")
    return not isinstance(value, list) or inner not in SCALARS or all(_typed(item, inner) for item in value)


def _typed(value: Any, declared: Any) -> bool:
    if declared in ("string", "String"):
        return value is not None
    wanted = TYPES.get(declared) if isinstance(declared, str) else None
    if wanted is None:
        return True
    return isinstance(value, wanted) and (declared == "boolean" or not isinstance(value, bool))


def grounded(calls: Sequence[Call] | None, question: str) -> float:
    """Share of argument values found in the question; flags and nulls do not count; 0 where nothing parses."""
    if calls is None:
        return 0.0
    values = [
        v for call in calls for v in _leaves(call.arguments) if v is not None and not isinstance(v, bool)
    ]
    return sum(_found(value, question) for value in values) / len(values) if values else 1.0


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _found(value: Any, question: str) -> bool:
    if isinstance(value, (int, float)):
        numbers = re.findall(r"\d+(?:\.\d+)?", question.replace(",", ""))
        return any(abs(float(number) - abs(value)) < 1e-9 for number in numbers)
    return plain(str(value)) in plain(question)


def plain(text: str) -> str:
    """Letters and digits only, lower case."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def as_record(calls: Sequence[Call] | None) -> dict[str, Any] | None:
    """The calls as one JSON-like record, for an agreement field by field; None where nothing parses."""
    if calls is None:
        return None
    plain_lists = [{k: list(v) if isinstance(v, tuple) else v for k, v in c.arguments.items()} for c in calls]
    return {"calls": [{"function": c.name, **a} for c, a in zip(calls, plain_lists, strict=True)]}


def same_calls(first: Sequence[Call] | None, second: Sequence[Call] | None) -> bool:
    """Whether two replies make the same calls in any order, spelling and number formats aside."""
    return first is not None and second is not None and _canonical(first) == _canonical(second)


def _canonical(calls: Sequence[Call]) -> list[tuple[str, str]]:
    return sorted((c.name, json.dumps(_normal(c.arguments), sort_keys=True, default=str)) for c in calls)


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normal(inner) for inner in value]
    try:
        return plain(str(value)) if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return plain(str(value))
