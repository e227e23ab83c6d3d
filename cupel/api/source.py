"""What an api function is given as documents: a file's name, or a table of any kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cupel.errors import SettingError, TaskError
from cupel.files import read_text
from cupel.judging import check_task
from cupel.project import Project
from cupel.tables import Table, frame_rows, input_sources, long_inputs, open_table
from cupel.task import RecordClass, TaskSpec, choose_task


def open_source(
    source: Any,
    task: TaskSpec,
    *,
    text: str = "text",
    doc_id: str | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    limit: int | None = None,
    with_values: bool = False,
) -> Table:
    """The documents, with every further input of the task found in a column of its own name unless told otherwise: a column, or a file.

    Raises:
        InputError: For a file or table that cannot be read, or a column that is not there.
    """
    columns = input_sources(task, inputs)
    if isinstance(source, str | Path):
        table = open_table(Path(source), text, doc_id, columns, limit, default_id="id")
    else:
        table = frame_rows(source, text, doc_id, columns, limit, default_id="id", with_values=with_values)
    return replace(table, warnings=(*table.warnings, *long_inputs(task, columns)))


def read_task(
    task: str | None,
    project: Project,
    *,
    default: str,
    schema: Mapping[str, Any] | type[Any] | Path | None = None,
    instructions: str = "",
    inputs: Iterable[str] = (),
) -> tuple[TaskSpec, Mapping[str, Any] | None, RecordClass | None]:
    """The task that is meant, the schema of a one-off one (also in a file), and the class it was made of.

    Raises:
        SettingError: For a schema that is none, and for what has no effect.
        TaskError: For a task that is not there, or wrong.
    """
    name = task or ("" if schema is not None else default)
    source: Path | str = schema if isinstance(schema, Path) else "schema"
    schema = _read_schema(schema) if isinstance(schema, Path) else schema
    if schema is None or isinstance(schema, Mapping):
        spec = choose_task(name, schema, instructions, project.prompts, inputs=inputs, source=source)
        check_task(spec)
        return spec, schema, None
    if not hasattr(schema, "model_json_schema"):
        raise SettingError(f"schema={schema!r}: give a JSON Schema as a dict, or a pydantic class")
    made = RecordClass(schema)
    spec = choose_task(
        name, made.schema, instructions, project.prompts, inputs=inputs, check=made, source=schema.__name__
    )
    return spec, made.schema, made


def read_part(
    task: str | None, schema: Mapping[str, Any] | type[Any] | Path | None, project: Project
) -> TaskSpec | str | None:
    """Which task of a run is meant: a name, or the one-off task of a schema, which the run log does not keep.

    Raises:
        SettingError: For both, which would be two tasks.
    """
    if schema is None:
        return task
    return read_task(task, project, default="", schema=schema)[0]


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise TaskError(f"cannot be read as JSON: {why}", path=path) from error
    if not isinstance(schema, dict):
        raise TaskError("the schema of a record is a JSON object", path=path)
    return schema
