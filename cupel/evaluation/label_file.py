"""A run's records as a file of labels to correct: nothing in it is gold until somebody has looked at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel._format import Shown
from cupel.errors import InputError, OutputPathError
from cupel.files import SHARED, write_whole
from cupel.metrics import Labels, read_labels
from cupel.project import Project
from cupel.runlog import existing_run_log, find_run
from cupel.tables import Row, Table, doc_id_text, json_text, open_table
from cupel.task import TaskSpec, load_task


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile(Shown):
    """A file of labels that was made.

    Attributes:
        path: Where it is.
        task: Of which task.
        lines: Documents in it.
        without_record: Those of them without a record to begin with.
        left_out: Rows without an id.
    """

    path: Path
    task: str
    lines: int
    without_record: int
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "labels": str(self.path), "task": self.task, "documents": self.lines,
            "without_record": self.without_record, "left_out": self.left_out,
        }  # fmt: skip


def make_labels(
    project: Project, source: str, task_name: str, out: Path, *, text_column: str = "text"
) -> LabelFile:
    """Write the records of a run, or of a run's output, as labels to correct.

    Each line is `{"id", "text", "checked": false, "gold": the record, "record": the same, "status", …}`: the person who has
    corrected `gold`, or found it right, sets `checked` to true. Until then no line is gold for anybody.

    Args:
        project: Whose run log and tasks are used.
        source: A run's output file, or its id, or enough of its beginning.
        task_name: The task.
        out: The file to make, a JSONL; one that is there stays as it is.
        text_column: Where the texts stand in an output file.

    Raises:
        InputError: For no such output or run, or one that is of another task.
        OutputPathError: Where the file is there already, or cannot be written.
    """
    task = load_task(task_name, project.prompts)
    if out.suffix.lower() not in (".jsonl", ".ndjson"):
        raise OutputPathError(
            f"{out}: a file of labels that is made is a JSONL; name it {out.with_suffix('.jsonl').name}"
        )
    if out.exists():
        raise OutputPathError(f"{out}: exists, and may hold somebody's work; choose another name")
    rows = list(
        _of_file(Path(source), task, text_column)
        if Path(source).is_file()
        else _of_run(project, source, task)
    )
    lines = [row for row in rows if row is not None]
    if not lines:
        raise InputError(f"{source}: holds no document with an id")
    try:
        write_whole(out, "".join(json_text(line) + "\n" for line in lines), permissions=SHARED)
    except OSError as error:
        raise OutputPathError(f"{out}: cannot be written ({error.strerror or error})") from error
    empty = sum(line["record"] is None for line in lines)
    return LabelFile(
        path=out, task=task.name, lines=len(lines), without_record=empty, left_out=len(rows) - len(lines)
    )


def _of_file(path: Path, task: TaskSpec, text_column: str) -> Iterator[dict[str, Any] | None]:
    table = open_table(path, f"{task.name}_doc_id")
    if task.name not in table.columns:
        raise InputError(f"{path}: has no column {task.name!r}: it is no output of a run of that task")
    for row in table:
        yield _line(row, task, table, text_column)


def _line(row: Row, task: TaskSpec, table: Table, text_column: str) -> dict[str, Any] | None:
    doc_id = doc_id_text(row.text)
    if doc_id is None:
        return None
    record = row.values.get(task.name)
    if isinstance(record, str):
        record = _as_record(record)
    record = task.shown(record) if isinstance(record, dict) else record  # nobody annotates what code computes
    return {
        "id": doc_id, "text": row.values.get(text_column), "checked": False, "gold": record, "record": record,
        "status": row.values.get(f"{task.name}_status"), "meta": _inputs(row.values, task, table),
    }  # fmt: skip


def _as_record(cell: str) -> Any:
    try:
        return json.loads(cell) if cell.strip() else None
    except ValueError:
        return None


def _inputs(values: Mapping[str, Any], task: TaskSpec, table: Table) -> dict[str, Any]:
    """What the task takes beside the text, wherever it stands."""
    meta = values.get("meta")
    own = dict(meta) if isinstance(meta, Mapping) else {}
    return {**own, **{name: values[name] for name in task.inputs if name in table.columns}}


def _of_run(project: Project, wanted: str, task: TaskSpec) -> Iterator[dict[str, Any] | None]:
    with existing_run_log(project) as log:
        run = find_run(log, wanted, task.name)
        for _, outcome, text in log.run_outcomes(run["run_id"]):
            record = outcome["record"] and task.shown(outcome["record"])
            yield {
                "id": outcome["doc_id"], "text": text, "checked": False, "gold": record, "record": record, "status": outcome["status"], "meta": {},
            }  # fmt: skip


def check_labels(project: Project, path: Path, task_name: str) -> Labels:
    """A file of labels read as every command reads it.

    Raises:
        InputError: For lines that cannot be used; it names them.
    """
    return read_labels(path, load_task(task_name, project.prompts))
