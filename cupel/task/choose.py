"""The task of a run: one of the project's, or the one a schema makes; what would be ignored is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cupel.errors import SettingError
from cupel.task.folder import ad_hoc_task, load_task
from cupel.task.spec import RecordCheck, TaskSpec


def choose_task(
    name: str,
    schema: Mapping[str, Any] | None,
    instructions: str,
    prompts_folder: Path,
    *,
    inputs: Iterable[str] = (),
    check: RecordCheck | None = None,
    source: Path | str = "output_schema",
) -> TaskSpec:
    """The task that is meant.

    Args:
        name: A task of the project; empty where there is a schema.
        schema: Of a one-off task; None for a task of the project.
        instructions: What to extract, for a one-off task.
        prompts_folder: The project's.
        inputs: The names columns were given for.
        check: What a one-off record must stand beside its schema.
        source: Where the schema came from, for whoever has to mend it.

    Raises:
        SettingError: For what has no effect beside the rest: a task beside a schema, instructions without one, an
            input the task does not take.
        TaskError: If the task is not there, or wrong.
    """
    if schema is not None and name:
        raise SettingError(
            f"a task ({name!r}) and a schema are two tasks: leave --task out for the one-off task of the schema, or "
            "--schema for the project's"
        )
    if schema is not None:
        return ad_hoc_task(schema, instructions, prompts_folder, inputs=inputs, check=check, source=source)
    if instructions:
        raise SettingError(
            f"instructions have no effect without --schema: task {name!r} is told what its folder in "
            f"{prompts_folder} says. Give the schema of a one-off task with them, or leave them out"
        )
    task = load_task(name, prompts_folder)
    if unknown := [each for each in inputs if each not in task.inputs]:
        takes = ", ".join(task.inputs) or "none"
        raise SettingError(f"task {name!r} takes no input {unknown[0]!r} (inputs: {takes}); leave it out")
    return task
