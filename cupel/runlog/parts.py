"""A run of several tasks in the run log: a row of its own that names its parts, and a run for each task.

    whole (several)  ── settings: {"parts": {"arguments": "1f2e…", "sentiment": "9c0d…"}}
      ├─ part 1f2e…   the very run that the task alone would be: rows, outcomes, replies, money
      └─ part 9c0d…

So what reads a run reads a part of one, and a task that was run alone before is found, not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cupel.errors import InputError
from cupel.runlog import tables
from cupel.runlog.cells import read_cell

SEVERAL = "several"
"""Kind of a run of several tasks."""

PART = "part"
"""Kind of the run of one of its tasks."""

_LONGEST = 200
"""Characters of the column `task`."""


def parts_of(run: Mapping[str, Any]) -> dict[str, str]:
    """Of a run of several tasks, each task and the run that is its part; nothing of any other run."""
    if run["kind"] != SEVERAL:
        return {}
    parts: dict[str, str] = read_cell(tables.runs.c.settings, run["settings"], run["run_id"])["parts"]
    return parts


def tasks_of(run: Mapping[str, Any]) -> list[str]:
    """The tasks of a run, in the order they were given."""
    return list(parts_of(run)) or [run["task"]]


def name_tasks(tasks: list[str]) -> str:
    """Several tasks in a cell of the run log.

    >>> name_tasks(["arguments", "sentiment"])
    'arguments,sentiment'
    >>> name_tasks([f"task-{number}" for number in range(50)])[-19:]
    '… (50 tasks in all)'
    """
    named = ",".join(tasks)
    if len(named) <= _LONGEST:
        return named
    end = f",… ({len(tasks)} tasks in all)"
    return named[: _LONGEST - len(end)].rpartition(",")[0] + end


def is_of(run: Mapping[str, Any], task: str | None) -> bool:
    """Whether a run is of a task, alone or with others, or of just these where several are named with commas."""
    tasks = tasks_of(run)
    return task is None or task in tasks or {each.strip() for each in task.split(",")} == set(tasks)


def choose_part(run: Mapping[str, Any], task: str | None) -> str:
    """The id of the run that is the part of a task; a run's own id, where it has one task.

    Raises:
        InputError: Where a run of several tasks is meant without one, or a task it has not.
    """
    parts, named = parts_of(run), ", ".join(tasks_of(run))
    if task is not None and task in parts:
        return parts[task]
    if parts and task is None:
        raise InputError(
            f"run {run['run_id']} is of several tasks ({named}): say which one with --task, in Python task="
        )
    if parts:
        raise InputError(
            f"run {run['run_id']} is of the tasks {named}, not of {task!r}: name one of these with --task"
        )
    if task is not None and task != run["task"]:
        raise InputError(
            f"run {run['run_id']} is of task {run['task']!r}, not of {task!r}: name it with --task {run['task']}"
        )
    return str(run["run_id"])
