"""Fields that code fills in (`x-computed`): what a schema declares of them, and schema and record without them.

No model is asked for one, shown one, or held to one. What each is computed from is said here, how in
`cupel.text.computed`; a new one is an entry of `KINDS` and a function there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cupel._memo import Kept
from cupel.errors import TaskError
from cupel.task.field import Field, field_of
from cupel.task.node import COMPUTED, Node, computed_astray, without_computed

_COUNT, _MEASURE = ("integer", "number"), ("number",)

READABILITY: Mapping[str, tuple[str, ...]] = {
    "words": _COUNT, "sentences": _COUNT, "words_per_sentence": _MEASURE, "long_words": _MEASURE,
    "different_words": _MEASURE, "reading_ease": _MEASURE, "lix": _MEASURE,
}  # fmt: skip
"""What is told of a text, and the types that hold it; a schema may have fewer of them."""

DATE_PARTS = ("said", "iso", "unit", "shift")
"""Fields a date is computed from: of `said` only whether anything was said."""

DATE = "date"
"""The input with the document's own date."""

CONFIRMED = "confirmed"
"""The kind that rests on a further question to a model: does it find an item's quote when it is asked the item's question?"""

ASKED_PARTS = ("question", "answer")
"""The fields of an item it is computed from: what is asked, and the quote that is to answer it."""

UNITS = ("day", "week", "month", "quarter", "year", "decade", "century")
"""What a date may be told in."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to compute a field.

    Attributes:
        type: Of the value it gives, beside null.
        of: Says what is wrong with `of`, in words; None where it is as it should be.
        names: The fields that `of` names.
        fields: Of an object, what it has, and the types that hold each; a schema may have fewer.
        is_in_list: Whether it stands in the items of a list only.
        input: An input it cannot do without.
    """

    type: str
    of: Callable[[Any], str | None]
    names: Callable[[Any], tuple[str, ...]]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_in_list: bool = False
    input: str = ""


def _takes_nothing(of: Any) -> str | None:
    return None if of is None else 'takes no "of": it is computed from the text; leave it out'


def _takes_one(of: Any) -> str | None:
    return None if isinstance(of, str) and of else 'needs "of": the field with the quote, such as "begins"'


def _takes_several(of: Any) -> str | None:
    if isinstance(of, list) and of and all(isinstance(one, str) and one for one in of):
        return None
    return 'needs "of": a list of fields that are true or false, such as ["named_target", "respectful"]'


def _takes_date(of: Any) -> str | None:
    wanted = '{"said": "when", "iso": "iso", "unit": "unit", "shift": "shift"}'
    if not isinstance(of, Mapping) or not all(isinstance(name, str) and name for name in of.values()):
        return f'needs "of": which fields hold its parts, such as {wanted}'
    if unknown := [part for part in of if part not in DATE_PARTS]:
        return f'"of" has no part {unknown[0]!r}; the parts are {", ".join(DATE_PARTS)}'
    if missing := [part for part in DATE_PARTS[1:] if part not in of]:
        return f'"of" lacks {missing[0]!r}; write {wanted}'
    return None


def _takes_question(of: Any) -> str | None:
    if isinstance(of, Mapping) and of.keys() == set(ASKED_PARTS) and all(map(_is_name, of.values())):
        return None
    return 'needs "of": the fields with the question and the quote that answers it, such as {"question": "question", "answer": "quote"}'


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


KINDS: Mapping[str, Kind] = {
    "readability": Kind("object", _takes_nothing, lambda _: (), fields=READABILITY),
    "date": Kind("string", _takes_date, lambda of: tuple(of.values()), input=DATE),
    "section": Kind("object", _takes_one, lambda of: (of,), fields={"start": _COUNT, "end": _COUNT}, is_in_list=True),
    "share": Kind("number", _takes_several, tuple),
    CONFIRMED: Kind("boolean", _takes_question, lambda of: tuple(of.values()), is_in_list=True),
}  # fmt: skip
"""Every way there is to compute a field, by the name a schema gives it as `by`."""


class Computed(NamedTuple):
    """A field that is computed, and where it stands."""

    path: str
    """The names that lead there, by slashes; those in a list's items after the list's."""

    by: str
    of: Any
    holder: Field
    place: Field


_found = Kept[tuple[Computed, ...]]()


def computed_fields(schema: Node) -> tuple[Computed, ...]:
    """The fields of a schema that code fills in; each place once, also where the schema leads back to itself.

    >>> score = {"type": "number", "x-computed": {"by": "share", "of": ["a", "b"]}}
    >>> [(one.path, one.by, one.of) for one in computed_fields({"properties": {"score": score, "a": {}}})]
    [('score', 'share', ['a', 'b'])]
    """
    return _found.of((schema,), make=lambda: tuple(_find(field_of(schema))))


def _find(record: Field) -> Iterator[Computed]:
    waiting, seen = [("", record)], {id(record)}
    while waiting:
        above, place = waiting.pop(0)
        inner = [*place.fields.items(), *([("", place.item())] if place.kind == "array" else [])]
        for name, each in inner:
            path = "/".join(part for part in (above, name) if part)
            told = each.mark(COMPUTED)
            if told is not None:
                given = told if isinstance(told, Mapping) else {}
                yield Computed(path, str(given.get("by", "")), given.get("of"), place, each)
            elif id(each) not in seen:
                seen.add(id(each))
                waiting.append((path, each))


def needed_inputs(schema: Node) -> frozenset[str]:
    """The inputs that computed fields read."""
    kinds = (KINDS.get(one.by) for one in computed_fields(schema))
    return frozenset(kind.input for kind in kinds if kind is not None and kind.input)


# ---- without them


def asked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """What a model is asked to fill in: the same schema without the fields that code does; itself where it has none.

    >>> asked_schema({"properties": {"a": {"type": "string"}, "n": {"x-computed": {"by": "share"}}}, "required": ["a", "n"]})
    {'properties': {'a': {'type': 'string'}}, 'required': ['a']}
    """
    if not computed_fields(schema):
        return schema
    made: dict[str, Any] = without_computed("", schema)
    return made


def shown_record(record: Any, schema: Node) -> Any:
    """A record as a model wrote it, or may be shown it: without what code computed; itself where that is nothing.

    >>> schema = {"properties": {"a": {"type": "string"}, "n": {"x-computed": {"by": "share"}}}}
    >>> shown_record({"a": "x", "n": 0.5}, schema)
    {'a': 'x'}
    """
    return _hide(record, field_of(schema)) if record and computed_fields(schema) else record


def _hide(value: Any, place: Field) -> Any:
    place = place.fitting(value)
    if isinstance(value, Mapping):
        inner = ((name, each, place.field(name)) for name, each in value.items())
        return {name: _hide(each, own) for name, each, own in inner if own.mark(COMPUTED) is None}
    if isinstance(value, list):
        return [_hide(each, place.item(number)) for number, each in enumerate(value)]
    return value


def computed_values(record: Any, schema: Node) -> Iterator[tuple[str, Any]]:
    """The pointer and value of every field of a record that code filled in, or anybody wrote in its place."""
    return _values(record, field_of(schema), "") if record and computed_fields(schema) else iter(())


def _values(value: Any, place: Field, pointer: str) -> Iterator[tuple[str, Any]]:
    place = place.fitting(value)
    if isinstance(value, Mapping):
        for name, each in value.items():
            own, there = place.field(name), f"{pointer}/{name}"
            if own.mark(COMPUTED) is None:
                yield from _values(each, own, there)
            else:
                yield there, each
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _values(each, place.item(number), f"{pointer}/{number}")


# ---- looked at before anything is paid


def check_computed(schema: dict[str, Any], inputs: tuple[str, ...], *, path: Path | str) -> None:
    """Refuse a computed field that could not be computed.

    Args:
        schema: The task's.
        inputs: What it may be given beside the text.
        path: Its file, for the message.

    Raises:
        TaskError: For an unknown `by`, an `of` that names no field, a type that cannot hold the value, a mark that is
            not on a property, and a record of which a model would fill in nothing.
    """
    fields = computed_fields(schema)
    if astray := next(computed_astray(schema), None):
        raise TaskError(
            f"x-computed at {astray}: it stands on a property of an object, beside its type; write it there",
            path=path,
        )
    for one in fields:
        if problem := _problem(one, schema, inputs):
            raise TaskError(f"{one.path!r}: {problem}", path=path)
    asked = [one.path for one in fields if one.by == CONFIRMED]
    if len(asked) > 1:
        raise TaskError(
            f'{asked[1]!r}: "by": "{CONFIRMED}" stands at {asked[0]!r} already, and a record is asked about once; take one out',
            path=path,
        )
    if fields and not field_of(asked_schema(schema)).fields:
        raise TaskError(
            "every field is x-computed, and a model would be asked for nothing; declare one it fills in",
            path=path,
        )


def _problem(one: Computed, schema: Node, inputs: tuple[str, ...]) -> str | None:
    told = one.place.mark(COMPUTED)
    if not isinstance(told, Mapping) or one.by not in KINDS:
        return (
            f'x-computed {told!r} names no way there is; write {{"by": NAME}} with one of {", ".join(KINDS)}'
        )
    if unknown := [key for key in told if key not in ("by", "of")]:
        return f'x-computed has no key {unknown[0]!r}; it has "by" and "of"'
    kind = KINDS[one.by]
    if wrong := kind.of(one.of):
        return f'"by": "{one.by}" {wrong}'
    if kind.is_in_list and not isinstance(_list_of(one, schema), Field):
        return f'"by": "{one.by}" is for the items of a list at the record\'s top; move it there'
    if kind.input and kind.input not in inputs:
        return f'"by": "{one.by}" needs the input {kind.input!r}; write optional_inputs = ["{kind.input}"] in task.toml'
    return _problem_with_names(one, kind, schema) or _problem_with_type(one, kind)


def _list_of(one: Computed, schema: Node) -> Field | None:
    """The list at the record's top in whose items a field stands; None where it stands elsewhere."""
    above = one.path.rpartition("/")[0]
    place = field_of(schema).fields.get(above)
    return place if place is not None and place.kind == "array" and place.item() is one.holder else None


def _problem_with_names(one: Computed, kind: Kind, schema: Node) -> str | None:
    for name in kind.names(one.of):
        found = one.holder.fields.get(name) or field_at(schema, name)
        if found is None:
            beside = ", ".join(other for other in one.holder.fields if other != one.path.rpartition("/")[2])
            return f'"of" names {name!r}, which is no field beside it ({beside}) and none such as list/field'
        if found.mark(COMPUTED) is not None:
            return f'"of" names {name!r}, which is computed itself; name one that a model fills in'
        if wrong := _problem_with_part(one, name, found):
            return f'"of" names {name!r}, {wrong}'
    return None


def _problem_with_part(one: Computed, name: str, found: Field) -> str | None:
    """Why a field cannot be computed from, in words."""
    if one.by == CONFIRMED and name not in one.holder.fields:
        return "which does not stand beside it; name a field of the same items"
    if name in _quotes(one) and not found.mark("x-grounded"):
        return 'which is no quote; mark it "x-grounded": true'
    if one.by == "share" and found.kind != "boolean" and "yes" not in found.labels:
        return 'which is neither true nor false; write "type": "boolean", or an "enum" with "yes"'
    if one.by == DATE and name == one.of["unit"]:
        strange = [each for each in found.labels if each is not None and each not in UNITS]
        if strange or not found.labels:
            return f'which may be {strange[0] if strange else "anything"}; give it an "enum" of {", ".join(UNITS)}'
    if one.by == DATE and name == one.of["shift"] and found.kind != "integer":
        return 'which is no whole number; write "type": ["integer", "null"]'
    return None


def _quotes(one: Computed) -> tuple[str, ...]:
    """The fields it is computed from that have to be quotes."""
    return (one.of,) if one.by == "section" else (one.of["answer"],) if one.by == CONFIRMED else ()


def field_at(schema: Node, path: str) -> Field | None:
    """The field that names lead to from a record's top, items of lists passed through; None where there is none.

    >>> field_at({"properties": {"tags": {"type": "array", "items": {"properties": {"is_new": {}}}}}}, "tags/is_new") is None
    False
    """
    place: Field | None = field_of(schema)
    for name in path.split("/"):
        while place is not None and place.kind == "array":
            place = place.item()
        place = None if place is None else place.fields.get(name)
    return place


def _problem_with_type(one: Computed, kind: Kind) -> str | None:
    if one.place.kind != kind.type:
        return (
            f'"by": "{one.by}" gives {_articled(kind.type)}, or null: write "type": ["{kind.type}", "null"]'
        )
    for name, inner in one.place.fields.items():
        if name not in kind.fields:
            return f'"by": "{one.by}" gives no {name!r}; it gives {", ".join(kind.fields)}'
        if inner.kind not in kind.fields[name]:
            return (
                f'{name!r} of it is {_articled(kind.fields[name][0])}; write "type": "{kind.fields[name][0]}"'
            )
    if kind.fields and not one.place.fields:
        return f'say which of {", ".join(kind.fields)} it has, as its "properties"'
    return None


def _articled(kind: str) -> str:
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}"
