"""The column type of a task's records: nested where the schema says enough, JSON text elsewhere; and what fits into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cupel.task import Field, field_of

SCALARS = ("string", "integer", "number", "boolean")
_INT64 = 2**63
_EXACT_IN_FLOAT = 2**53


@dataclass(frozen=True, slots=True)
class Nested:
    """What stands in a place of a record: a struct, a list, or one value.

    Attributes:
        kind: `struct`, `list`, or one of `SCALARS`.
        fields: Of a struct, what is in it by name.
        item: Of a list, what an entry is.
    """

    kind: str
    fields: tuple[tuple[str, Nested], ...] = ()
    item: Nested | None = None

    def fits(self, value: Any) -> bool:
        """Whether a value comes back as it is from a column of this type; null always does.

        >>> Nested("integer").fits(2**63 - 1), Nested("integer").fits(2**63)
        (True, False)
        """
        if value is None:
            return True
        match self.kind:
            case "struct":
                known = dict(self.fields)
                return isinstance(value, Mapping) and all(
                    name in known and known[name].fits(part) for name, part in value.items()
                )
            case "list":
                return isinstance(value, list) and self.item is not None and all(map(self.item.fits, value))
            case "string":
                return isinstance(value, str)
            case "boolean":
                return isinstance(value, bool)
            case _:
                return _is_number(value, whole=self.kind == "integer")


SINGLES = {"whole": Nested("integer"), "flag": Nested("boolean")}
"""The types of columns of single values that may hold what does not fit."""


def nested_type(schema: Mapping[str, Any]) -> Nested | None:
    """The type of records of a JSON Schema, None where JSON text is the only way.

    Objects with fixed properties become structs, arrays lists; a union of types (other than with null), an open
    object or a recursive reference has no such type, and then the whole record is JSON text.

    >>> nested_type({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False})
    Nested(kind='struct', fields=(('a', Nested(kind='integer', fields=(), item=None)),), item=None)
    """
    return _type_of(field_of(schema), ())


def _type_of(field: Field, within: tuple[Field, ...]) -> Nested | None:
    """The type of every choice of a place, where they have one and the same."""
    if field in within or len(field.kinds) != 1:
        return None
    kind, below = field.kind, (*within, field)
    if kind in SCALARS:
        return Nested(kind)
    if len(field.choices) != 1:
        return None
    if kind == "array" and not field.first:
        item = _type_of(field.item(), below)
        return None if item is None else Nested("list", item=item)
    if kind == "object" and field.is_closed:
        fields = [(name, _type_of(child, below)) for name, child in field.fields.items()]
        typed = tuple((name, child) for name, child in fields if child is not None)
        return Nested("struct", typed) if len(typed) == len(fields) else None
    return None


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if whole:
        return -_INT64 <= value < _INT64 and value == int(value) if math.isfinite(value) else False
    return isinstance(value, float) or abs(value) <= _EXACT_IN_FLOAT
