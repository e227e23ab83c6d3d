"""A task's examples, held to its own checks: what is shown to a model as right is nothing that code would send back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.judging.checks import certain_faults
from cupel.task import (
    CONFIRMED,
    DATE,
    Example,
    TaskSpec,
    check_prompts,
    computed_fields,
    computed_values,
    without_indexes,
)
from cupel.text import complete_record, ground_record

_HEAD = re.compile(r"\s*\[([^\]:]{1,80}):([^\]]*)\]\s*")
_WORD = re.compile(r"[^\W_]+")


def check_task(task: TaskSpec) -> None:
    """What can be wrong with a task beyond its single files; looked at before anything is paid.

    Raises:
        TaskError: For a prompt that could not be rendered, and an example that fails a check of the task, or gives a
            computed field another value than code does.
    """
    check_prompts(task)
    for example in task.examples:
        if fault := next(_faults(example, task), None):
            raise TaskError(
                f"example {example.id!r}: {fault}", path=(task.folder or Path(task.name)) / "examples.jsonl"
            )


def split_inputs(text: str, names: Sequence[str]) -> tuple[dict[str, str], str]:
    """The inputs an example's text begins with, and the text at its own offsets: with spaces where they stood.

    An input stands in brackets, behind a head that has its name and a colon; where the task has one input only, any head
    is its.

    Args:
        text: As examples.jsonl has it.
        names: The task's inputs.

    >>> split_inputs("[Topic: trams] We ride.", ["topic"])
    ({'topic': 'trams'}, '               We ride.')
    """
    found: dict[str, str] = {}
    reached = 0
    while (head := _HEAD.match(text, reached)) is not None:
        name = _named(head[1], [name for name in names if name not in found], is_only=len(names) == 1)
        if not name:
            break
        found[name] = head[2].strip()
        reached = head.end()
    return found, " " * reached + text[reached:]


def _named(head: str, names: Sequence[str], *, is_only: bool) -> str:
    """The input that a head is of; empty where it is of none."""
    said = set(_words(head))
    by_name = next((name for name in names if said.issuperset(_words(name))), "")
    return by_name or (names[0] if is_only and names else "")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _faults(example: Example, task: TaskSpec) -> Iterator[str]:
    inputs, text = split_inputs(example.text, task.inputs)
    for name in task.checks.paths.values():
        if "\n" not in inputs.get(name, "\n"):  # paths on one line, to save room
            inputs[name] = "\n".join(path.strip() for path in inputs[name].split(";"))
    evidence = ground_record(example.record, task.schema, text)
    faults = certain_faults(example.record, task, evidence, text=text, inputs=inputs)
    yield from (fault for _, fault in faults)
    if computed_fields(task.schema):
        made = complete_record(example.record, task, evidence, text=text, inputs=inputs)
        yield from _other_values(example.record, made, task, inputs)


def _other_values(given: Any, made: Any, task: TaskSpec, inputs: Mapping[str, str]) -> Iterator[str]:
    """Computed fields an example gives, and code computes otherwise; what a model is asked for is not known here."""
    kinds = {one.path: one.by for one in computed_fields(task.schema)}
    known = dict(computed_values(made, task.schema))
    for pointer, value in computed_values(given, task.schema):
        by = kinds.get(without_indexes(pointer))
        if by != CONFIRMED and value != known.get(pointer):
            lacks = by == DATE and DATE not in inputs
            hint = "; it counts from the date of the text where that begins with [Date: …]" if lacks else ""
            yield (
                f"{pointer} is {value!r}, and code computes {known.get(pointer)!r}{hint}; write that, or leave the field out"
            )
