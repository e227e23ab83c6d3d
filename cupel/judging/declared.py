"""What a task declares of its records under `[checks]`, held against one: each fault in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cupel.state import Evidence, Record
from cupel.task import Checks, Part, TaskSpec, input_text, shape_of, without_indexes
from cupel.text import fold, is_date, nearest, paths_of, values_of

_DIGITS = re.compile(r"\d+")
_WORD_SIGN = re.compile(r"\w")
_SHOWN = 60


def declared_faults(
    record: Record, task: TaskSpec, evidence: Sequence[Evidence], *, text: str, inputs: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Each fault as the check it fails (`iso`, `paths`, `values`, `digits`, `cover`) and what is wrong, in words.

    Args:
        record: The record.
        task: Its task, whose `checks` say what is wanted.
        evidence: Where each quote stands, by its path.
        text: The document.
        inputs: Its further inputs; a check against one that it came without finds nothing.
    """
    if not task.checks.told:
        return
    values = _by_path(record, task)
    yield from (("iso", fault) for fault in _no_dates(values, task.checks))
    yield from _of_inputs(values, task.checks, inputs)
    for path, other in task.checks.digits.items():
        yield from (("digits", fault) for fault in _other_digits(values.get(path, ()), values.get(other, ())))
    for path in task.checks.cover:
        quotes = [entry for entry in evidence if without_indexes(entry["path"]) == path]
        yield from (("cover", fault) for fault in _gaps(quotes, text))


def _by_path(record: Record, task: TaskSpec) -> Mapping[str, Sequence[Part]]:
    """Every text of a record by the names that lead to it."""
    found: dict[str, list[Part]] = {}
    for part in shape_of(task.schema).parts(record):
        if isinstance(part.value, str):
            found.setdefault(without_indexes(part.pointer), []).append(part)
    return found


def _no_dates(values: Mapping[str, Sequence[Part]], checks: Checks) -> Iterator[str]:
    for part in (part for path in checks.iso for part in values.get(path, ())):
        if not is_date(part.value):
            yield (
                f"{part.pointer}: {_short(part.value)} is no date of ISO 8601 that there is; write 2025, 2025-03 or 2025-03-10, "
                "or null"
            )


def _of_inputs(
    values: Mapping[str, Sequence[Part]], checks: Checks, inputs: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for check, named, read in (("paths", checks.paths, paths_of), ("values", checks.values, values_of)):
        for path, name in named.items():
            if given := input_text(inputs.get(name)):
                yield from ((check, fault) for fault in _strangers(values.get(path, ()), read(given), name))


def _strangers(parts: Sequence[Part], known: Mapping[str, str], name: str) -> Iterator[str]:
    for part in parts:
        if fold(part.value) not in known:
            hint = nearest(part.value, known) or "; choose one that is there"
            yield f"{part.pointer}: {_short(part.value)} is not in {name}{hint}"


def _other_digits(parts: Sequence[Part], others: Sequence[Part]) -> Iterator[str]:
    """Runs of digits that do not stand in the field beside: "12(3)" has the numbers 12 and 3."""
    beside = {_holder(part): part for part in others}
    for part in parts:
        other = beside.get(_holder(part))
        there = set(_DIGITS.findall(other.value)) if other is not None else set()
        if missing := [number for number in _DIGITS.findall(part.value) if number not in there]:
            said = (
                f"stands in {_short(other.value)}"
                if other is not None
                else "can stand in what is missing beside it"
            )
            yield f"{part.pointer}: of {_short(part.value)} no {missing[0]} {said}; take numbers from there"


def _holder(part: Part) -> str:
    """What holds a text beside others; the items of a list of texts are held by what holds the list."""
    steps = part.pointer.split("/")
    return "/".join(steps[:-2] if steps[-1].isdecimal() else steps[:-1])


def _gaps(quotes: Sequence[Evidence], text: str) -> Iterator[str]:
    """What keeps quotes from cutting the text into pieces, in order; those that stand nowhere are told elsewhere."""
    placed = [(entry, entry["start"]) for entry in quotes if entry["start"] is not None]
    reached = -1
    for number, (entry, start) in enumerate(placed):
        path, quote = entry["path"], _short(entry["quote"])
        if not number and _WORD_SIGN.search(text, 0, start):
            yield f"{path}: {quote} is not where the text begins; the first one quotes the text's first words, {_short(text.lstrip())}"
        if start <= reached:
            yield f"{path}: {quote} begins no further on than the one before it; list them in the order of the text"
        reached = max(reached, start)


def _short(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…")
