"""The columns a task adds to a table, and what an outcome puts into them."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal

from cupel.errors import InputError, MissingColumnError
from cupel.state import Outcome

_SHOWN = 30


Kind = Literal["record", "text", "number", "whole", "flag", "texts"]
"""What a new column holds."""


def task_columns(task: str) -> list[str]:
    """Return the names of the columns a task adds, in order.

    >>> task_columns("stance")[:3]
    ['stance', 'stance_status', 'stance_confidence']
    """
    return [task, *(f"{task}_{part}" for part in _PARTS)]


def task_kinds(task: str) -> dict[str, Kind]:
    """The columns a task adds beside the record, and what each holds.

    >>> list(task_kinds("stance"))[:2]
    ['stance_status', 'stance_confidence']
    """
    return dict(list(new_columns([task]).items())[1:])


def new_columns(tasks: Sequence[str], more: Mapping[str, Kind] | None = None) -> dict[str, Kind]:
    """Every column that is added, in order, and what it holds.

    >>> list(new_columns(["stance"]).values())
    ['record', 'text', 'number', 'text', 'number', 'texts', 'text']
    """
    named = {name: kind for task in tasks for name, kind in zip(task_columns(task), _KINDS, strict=True)}
    return {**named, **(more or {})}


def outcome_columns(outcome: Outcome | str | None, task: str) -> dict[str, Any]:
    """Return what one outcome puts into the task's columns.

    Args:
        outcome: A run's; where it did not get to a row, why not in a word, or None where nobody knows.
        task: What the columns begin with.

    >>> outcome_columns("budget", "stance")["stance_reasons"]
    ['not run: budget']
    """
    if outcome is None or isinstance(outcome, str):
        none: dict[str, Any] = dict.fromkeys(task_columns(task))
        return none if outcome is None else {**none, f"{task}_reasons": [f"not run: {outcome}"]}
    values: Mapping[str, Any] = outcome
    return {task: values["record"], **{f"{task}_{part}": values[part] for part in _PARTS}}


def check_columns(columns: Iterable[Hashable], task: str, *, source: str = "the input") -> None:
    """Refuse a frame that has some of the columns this task would add, which are somebody else's then.

    Where all of them are there they are an earlier call's, and may be replaced.

    Raises:
        InputError: Naming the columns.
    """
    columns = list(columns)
    if not set(task_columns(task)) <= set(columns):
        check_new(columns, task_columns(task), task, source=source)


def check_new(
    columns: Iterable[Hashable], new: Iterable[str], task: str, *, source: str = "the input"
) -> None:
    """Refuse an input that already has a column that would be added.

    Raises:
        InputError: Naming the columns.
    """
    if taken := sorted(set(columns) & set(new), key=str):
        names = ", ".join(repr(name) for name in taken)
        raise InputError(
            f"{source}: has the columns {names} already, which the task {task!r} would write. "
            "Drop or rename them, or start from the table as it was before"
        )


def check_apart(leads: Sequence[str]) -> None:
    """Refuse tasks that would write one column both.

    Raises:
        InputError: Naming the tasks and the column.

    >>> check_apart(["stance", "sentiment"])
    """
    owners: dict[str, str] = {}
    for lead in leads:
        for column in task_columns(lead):
            if (other := owners.setdefault(column, lead)) != lead or leads.count(lead) > 1:
                raise InputError(
                    f"the tasks {other!r} and {lead!r} would both write the column {column!r}: "
                    "run them one after the other, into files of their own"
                )


def require_column(name: Hashable, columns: Sequence[Hashable], *, source: str, option: str) -> None:
    """Refuse a column that is not there, with those that are and the likely one.

    Args:
        name: The column asked for.
        columns: Those there are.
        source: The file, as it leads the message.
        option: How the column is chosen, such as `--text-column`.
    """
    if name in columns:
        return
    shown = ", ".join(repr(column) for column in columns[:_SHOWN])
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    near = _near_miss(str(name), [str(column) for column in columns])
    hint = f"; did you mean {near!r}?" if near else f"; name one of them with {option}"
    raise MissingColumnError(f"{source}: no column {name!r} ({option}). The columns are {shown}{more}{hint}")


_PARTS = ("status", "confidence", "model", "cost_usd", "reasons", "doc_id")
_KINDS: tuple[Kind, ...] = ("record", "text", "number", "text", "number", "texts", "text")


def _near_miss(name: str, columns: Sequence[str]) -> str | None:
    folded = {column.strip().casefold(): column for column in columns}
    close = difflib.get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.7)
    return folded[close[0]] if close else None
