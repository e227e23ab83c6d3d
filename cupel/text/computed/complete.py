"""A whole record with what code fills in, the same for every path that makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cupel.state import Evidence, Record
from cupel.task import COMPUTED, Field, TaskSpec, field_of, input_text
from cupel.text.computed.kinds import FILL
from cupel.text.computed.place import Place
from cupel.text.documents import detect_language
from cupel.text.grounding import Span
from cupel.text.terms import fold, paths_of, values_of

OF_LANGUAGE = "readability"
"""The kind that has to know which language a text is in."""


def complete_record(
    record: Record,
    task: TaskSpec,
    evidence: Sequence[Evidence],
    *,
    text: str,
    inputs: Mapping[str, Any],
    found: Mapping[str, Span | None] | None = None,
) -> Record:
    """The record with every computed field as it is now, and terms of a given list written as the list has them.

    What stood in a computed field before is not looked at: whoever changes what it rests on changes it.

    Args:
        record: As a model, or a person, wrote it; not changed.
        task: Its task.
        evidence: Where each of its quotes stands in the text.
        text: The whole document.
        inputs: Its further inputs.
        found: Question → where a model found its answer in the text, as asking back told.
    """
    if not task.computes() and not task.checks.paths and not task.checks.values:
        return record
    written = _as_listed(task.shown(record), task, inputs)
    if not task.computes():
        return written
    language = detect_language(text) if task.computes(OF_LANGUAGE) else None

    def place(of: Any, holder: Mapping[str, Any], pointer: str, fields: tuple[str, ...]) -> Place:
        return Place(
            of=of, holder=holder, pointer=pointer, fields=fields, record=written, evidence=evidence, text=text,
            inputs=inputs, found=found or {}, language=language,
        )  # fmt: skip

    made: Record = _filled(written, field_of(task.schema), "", place)
    return made


def _filled(value: Any, field: Field, pointer: str, place: Callable[..., Place]) -> Any:
    field = field.fitting(value)
    if isinstance(value, list):
        return [_filled(each, field.item(at), f"{pointer}/{at}", place) for at, each in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    made: dict[str, Any] = {}
    # in the order of the schema, and behind it what the schema does not name
    for name in dict.fromkeys((*field.fields, *value)):
        own = field.field(name)
        told = own.mark(COMPUTED)
        if told is not None:
            made[name] = FILL[told["by"]](place(told.get("of"), value, pointer, tuple(own.fields)))
        elif name in value:
            made[name] = _filled(value[name], own, f"{pointer}/{name}", place)
    return made


def _as_listed(record: Record, task: TaskSpec, inputs: Mapping[str, Any]) -> Record:
    """A value that is one of a list but for case and spaces, as the list writes it."""
    for named, read in ((task.checks.paths, paths_of), (task.checks.values, values_of)):
        for path, name in named.items():
            if given := input_text(inputs.get(name)):
                record = _changed(record, path.split("/"), read(given))
    return record


def _changed(value: Any, steps: Sequence[str], known: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_changed(each, steps, known) for each in value]
    if not steps:
        return known.get(fold(value), value) if isinstance(value, str) else value
    if not isinstance(value, Mapping) or steps[0] not in value:
        return value
    return {**value, steps[0]: _changed(value[steps[0]], steps[1:], known)}
