"""Holds values against a schema: jsonschema-rs says whether one fits, and here is put into words what does not.

Compiled once, it takes microseconds a record, needs no network, and its patterns cannot run away
(docs/decisions/0022).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

from cupel.errors import TaskError
from cupel.task.node import Node, rebuild

_SHOWN = 300
_MOST = 100
"""Faults of a value, to choose the one that is told from."""

_MANY = 5_000
"""Values within a value, from which on only the first fault is looked for: the validator makes all of them at once,
and a long reply may have hundreds of thousands."""

_ROOT = "cupel:schema"
_SAFE = "#/:?&=%~!$'()*+,;@-._"
"""What stands in an address as it is, a percent sign too: what is written so already stays."""


def _parses(parse: Callable[[str], Any]) -> Callable[[Any], bool]:
    """Whether a text can be parsed so; what is no text is for `type` to refuse."""

    def is_valid(value: Any) -> bool:
        if not isinstance(value, str):
            return True
        try:
            return parse(value) is not None
        except ValueError:
            return False

    return is_valid


FORMATS: Mapping[str, Callable[[Any], bool]] = {
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
"""Formats that are read as people write them: a date and time need not say its zone. The standard's others are the validator's own."""


class SchemaFault(NamedTuple):
    """One thing that does not fit."""

    where: str
    """The names and numbers that lead there, by slashes; empty for the record itself."""

    words: str
    is_of_labels: bool = False
    """Whether the value is none of those that are listed."""

    is_of_absence: bool = False
    """Whether it is a required field that is not there."""


class Validator:
    """One schema, compiled.

    Args:
        schema: A JSON Schema (2020-12); not to be changed afterwards.
        root: The whole that its references lead into, where it is a part of one.

    Raises:
        TaskError: For what is no JSON Schema, or refers to what is not in it.
    """

    def __init__(self, schema: Node | bool, *, root: Node | None = None) -> None:
        from jsonschema_rs import Draft202012, Draft202012Validator, Registry

        registry = None
        if root is not None:
            whole = {
                name: value for name, value in addressed("", root).items() if name not in ("$id", "$schema")
            }
            registry = Registry([(_ROOT, whole)], draft=Draft202012, retriever=_refuse)
        try:
            self._compiled = Draft202012Validator(
                addressed("", schema),
                formats=dict(FORMATS),
                validate_formats=True,
                retriever=_refuse,
                registry=registry,
            )
        except ValueError as error:
            raise TaskError(f"not a JSON Schema: {str(error).splitlines()[0]}", path="schema") from error

    def fits(self, value: Any) -> bool:
        """Whether a value fits; one that cannot be written as JSON does not."""
        try:
            return self._compiled.is_valid(value)
        except ValueError:
            return False

    def faults(self, value: Any) -> list[SchemaFault]:
        """What of a value does not fit, what is nearest the top first; of one with thousands of items, the first."""
        try:
            if _holds_more(value, _MANY):
                return [_fault(error) for error in self._first(value)]
            faults = [_fault(error) for error in islice(self._compiled.iter_errors(value), _MOST)]
        except ValueError as error:  # half a character, or deeper than anything is nested
            return [SchemaFault("", str(error))]
        return sorted(dict.fromkeys(faults), key=lambda fault: fault.where.count("/") + bool(fault.where))

    def _first(self, value: Any) -> list[Any]:
        from jsonschema_rs import ValidationError

        try:
            self._compiled.validate(value)
        except ValidationError as error:
            return [error]
        return []

    def problem(self, value: Any) -> str | None:
        """The first thing about a value that does not fit, in words; None where it fits."""
        if self.fits(value):
            return None
        fault = self.faults(value)[0]
        return f"does not fit the schema at {fault.where or 'top level'}: {fault.words}"


def addressed(_keyword: str, node: Any) -> Any:
    """A schema whose references are written as addresses are: a definition may have any name."""
    if not isinstance(node, Mapping):
        return node
    made = rebuild(node, addressed)
    return {**made, "$ref": quote(made["$ref"], safe=_SAFE)} if isinstance(made.get("$ref"), str) else made


def in_root(reference: str) -> str:
    """A reference into the schema that was given to `Validator` as the root."""
    return f"{_ROOT}{reference}"


def _holds_more(value: Any, most: int) -> bool:
    """Whether a value has more than so many others in it, at any depth; looks no further than that."""
    waiting, seen = [value], 0
    while waiting:
        holder = waiting.pop()
        within = (
            list(holder.values()) if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
        )
        seen += len(within)
        if seen > most:
            return True
        waiting.extend(within)
    return False


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")


def _fault(error: Any) -> SchemaFault:
    choices = [list(choice) for choice in getattr(error.kind, "context", ()) if choice]
    where, value = "/".join(map(str, error.instance_path)), error.instance
    if choices:
        return _of_union(choices)
    labels = _labels(error)
    words = error.message if labels is None else _no_label(value, labels)
    absent = getattr(error.kind, "property", None) is not None
    return SchemaFault(where, _shortened(words, value), labels is not None, absent)


def _of_union(choices: list[list[Any]]) -> SchemaFault:
    """What keeps a value from the choice it is nearest to: the one it gets deepest into, with the fewest faults."""
    best = max(map(_nearness, choices))
    nearest = [choice for choice in choices if _nearness(choice) == best]
    faults = [_fault(max(choice, key=_depth)) for choice in nearest]
    labels = [_labels(max(choice, key=_depth)) for choice in nearest]
    first, places = faults[0], {fault.where for fault in faults}
    if len(places) > 1 or len(faults) == 1:
        return first
    error = max(nearest[0], key=_depth)
    if all(each is not None for each in labels):
        known = [label for each in labels for label in each or ()]
        return SchemaFault(first.where, _shortened(_no_label(error.instance, known), error.instance), True)
    said = len(_json(error.instance))
    others = dict.fromkeys(fault.words[said:].strip() for fault in faults[1:])
    return SchemaFault(first.where, _shortened(", and ".join([first.words, *others]), error.instance))


def _nearness(choice: list[Any]) -> tuple[int, int]:
    return max(map(_depth, choice)), -len(choice)


def _depth(error: Any) -> int:
    return len(error.instance_path)


def _labels(error: Any) -> list[Any] | None:
    """The values that would fit, where the schema lists them."""
    if error.schema_path and error.schema_path[-1] == "const":
        return [error.kind.expected_value]
    options: list[Any] | None = getattr(error.kind, "options", None)
    return options


def _no_label(value: Any, labels: list[Any]) -> str:
    return f"{_json(value)} is not one of {', '.join(map(_json, labels))}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _shortened(words: str, value: Any) -> str:
    """A message whose value, which comes first in it, gives way to what is wrong with it."""
    if len(words) <= _SHOWN:
        return words
    said = len(_json(value))
    return f"{words[:80]}… {words[said:].strip()[: _SHOWN - 80]}" if said > 80 else words[:_SHOWN]
