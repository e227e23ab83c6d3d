"""A quick yes to "does this value fit its schema?": one closure per schema, compiled once.

Validating every reply with jsonschema took a twentieth of the CPU of a run. Nearly all replies fit, and a yes
needs no explanation; whatever is not surely right is left to jsonschema, which says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from cupel._memo import Kept

Check = Callable[[Any], bool]

_compiled = Kept[Check]()

_TYPES: Mapping[str, Check] = {
    "string": lambda value: type(value) is str,
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) is int or type(value) is float,
}
_SAYS_NOTHING = {"$schema", "$defs", "definitions", "title", "description", "default", "examples"}
"""Keywords that no value can break."""


def _parses(parse: Callable[[str], Any]) -> Check:
    """Whether a text can be parsed so; what is no text is for `type` to refuse."""

    def is_valid(value: Any) -> bool:
        if not isinstance(value, str):
            return True
        try:
            return parse(value) is not None
        except ValueError:
            return False

    return is_valid


FORMATS: Mapping[str, Check] = {
    "date": _parses(lambda text: date.fromisoformat(text) if len(text) == 10 else None),
    "date-time": _parses(lambda text: datetime.fromisoformat(text) if len(text) > 10 else None),
    "time": _parses(time.fromisoformat),
    "duration": _parses(
        re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?!$)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?").fullmatch
    ),
    "uuid": _parses(lambda text: UUID(text) if len(text) == 36 else None),
    "email": _parses(re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+").fullmatch),
    "ipv4": _parses(IPv4Address),
    "ipv6": _parses(IPv6Address),
    "uri": _parses(re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+").fullmatch),
}
"""Formats that are checked; any other is an annotation. A date and time need not say its zone."""


class _UnknownKeywordError(Exception):
    """The schema asks for something only jsonschema knows."""


def surely_fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a parsed JSON value fits, without doubt; False where only jsonschema can tell.

    The schema must not be changed afterwards: it is compiled once.

    >>> schema = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
    >>> surely_fits({"a": "x"}, schema), surely_fits({"a": "y"}, schema), surely_fits([], {"contains": {}})
    (True, False, False)
    """
    return _compiled.of((schema,), make=lambda: _compile(schema))(value)


def _compile(schema: Mapping[str, Any]) -> Check:
    try:
        return _Compiler(schema).check(schema)
    except (_UnknownKeywordError, re.error):
        return lambda _value: False


class _Compiler:
    """Turns one schema with its references into closures."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._referred: dict[str, Check | None] = {}

    def check(self, schema: Any) -> Check:
        if schema is True:
            return lambda _value: True
        if not isinstance(schema, Mapping):
            raise _UnknownKeywordError
        checks = [
            self._keyword(name, schema)
            for name in schema
            if name not in _SAYS_NOTHING and not name.startswith("x-")
        ]
        if len(checks) == 1:
            return checks[0]
        return lambda value: all([check(value) for check in checks])  # noqa: C419  # quicker: few and mostly true

    def _keyword(self, name: str, schema: Mapping[str, Any]) -> Check:
        make = _KEYWORDS.get(name)
        if make is None:
            raise _UnknownKeywordError(name)
        return make(self, schema)

    def type_(self, schema: Mapping[str, Any]) -> Check:
        named = schema["type"]
        kinds = [named] if isinstance(named, str) else named
        if any(kind not in _TYPES for kind in kinds):
            raise _UnknownKeywordError("type")
        if len(kinds) == 1:
            return _TYPES[kinds[0]]
        several = [_TYPES[kind] for kind in kinds]
        return lambda value: any(check(value) for check in several)

    def properties(self, schema: Mapping[str, Any]) -> Check:
        parts = [(name, self.check(part)) for name, part in schema["properties"].items()]
        return lambda value: (
            type(value) is not dict or all(name not in value or check(value[name]) for name, check in parts)
        )

    def required(self, schema: Mapping[str, Any]) -> Check:
        names = set(schema["required"])
        return lambda value: type(value) is not dict or names <= value.keys()

    def additional(self, schema: Mapping[str, Any]) -> Check:
        named, further = schema.get("properties", {}).keys(), schema["additionalProperties"]
        if further is False:
            return lambda value: type(value) is not dict or value.keys() <= named
        check = self.check(further)
        return lambda value: (
            type(value) is not dict or all(check(value[name]) for name in value.keys() - named)
        )

    def items(self, schema: Mapping[str, Any]) -> Check:
        check = self.check(schema["items"])
        return lambda value: type(value) is not list or all(map(check, value))

    def enum(self, schema: Mapping[str, Any]) -> Check:
        """Texts and null only: Python takes `True` for `1`, JSON does not."""
        allowed = {value for value in schema["enum"] if isinstance(value, str)}
        null = None in schema["enum"]
        return lambda value: value in allowed if type(value) is str else null and value is None

    def const(self, schema: Mapping[str, Any]) -> Check:
        return self.enum({"enum": [schema["const"]]})

    def any_of(self, schema: Mapping[str, Any]) -> Check:
        checks = [self.check(part) for part in schema["anyOf"]]
        return lambda value: any(check(value) for check in checks)

    def ref(self, schema: Mapping[str, Any]) -> Check:
        """Resolved once, and looked up at each call: a schema may refer to itself."""
        where = schema["$ref"]
        if where not in self._referred:
            self._referred[where] = None
            self._referred[where] = self.check(self._found(where))
        referred: dict[str, Any] = self._referred
        return lambda value: bool(referred[where](value))

    def _found(self, where: str) -> Any:
        if not where.startswith("#/") or "~" in where or "%" in where:
            raise _UnknownKeywordError(where)
        found: Any = self._root
        for part in where[2:].split("/"):
            if not isinstance(found, Mapping) or part not in found:
                raise _UnknownKeywordError(where)
            found = found[part]
        return found


def _pattern(_: _Compiler, schema: Mapping[str, Any]) -> Check:
    search = re.compile(schema["pattern"]).search
    return lambda value: type(value) is not str or search(value) is not None


def _least(
    name: str, kind: type[str | list[Any]], *, at_most: bool = False
) -> Callable[[_Compiler, Mapping[str, Any]], Check]:
    """Length limits of texts and lists."""

    def make(_: _Compiler, schema: Mapping[str, Any]) -> Check:
        bound = schema[name]
        if at_most:
            return lambda value: not isinstance(value, kind) or len(value) <= bound
        return lambda value: not isinstance(value, kind) or len(value) >= bound

    return make


def _format(_: _Compiler, schema: Mapping[str, Any]) -> Check:
    return FORMATS.get(schema["format"], lambda _value: True)


def _minimum(_: _Compiler, schema: Mapping[str, Any]) -> Check:
    return lambda value: not isinstance(value, int | float) or value >= schema["minimum"]


def _maximum(_: _Compiler, schema: Mapping[str, Any]) -> Check:
    return lambda value: not isinstance(value, int | float) or value <= schema["maximum"]


_KEYWORDS: Mapping[str, Callable[[_Compiler, Mapping[str, Any]], Check]] = {
    "type": _Compiler.type_, "properties": _Compiler.properties, "required": _Compiler.required,
    "additionalProperties": _Compiler.additional, "items": _Compiler.items, "enum": _Compiler.enum,
    "const": _Compiler.const, "anyOf": _Compiler.any_of, "$ref": _Compiler.ref, "pattern": _pattern,
    "minLength": _least("minLength", str), "maxLength": _least("maxLength", str, at_most=True),
    "minItems": _least("minItems", list), "maxItems": _least("maxItems", list, at_most=True),
    "minimum": _minimum, "maximum": _maximum, "format": _format,
}  # fmt: skip
