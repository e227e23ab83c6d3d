"""The items of enriched documents as rows of their own: of a frame, of a run while it is made, of a run of the run log."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel._format import Shown
from cupel.errors import CupelError, InputError, OutputPathError
from cupel.project import Project
from cupel.runlog import existing_run_log, find_run
from cupel.tables import (
    Column,
    Layout,
    Output,
    check_writable,
    open_frame,
    open_tidy_writer,
    open_writer,
    outcome_columns,
    raw_rows,
    read_record,
    require_column,
    task_kinds,
    tidy_of,
)
from cupel.task import TaskSpec, grounded_quotes, load_task
from cupel.text import ground_record

_TEXT = "text"
"""What is known of a document whose file is gone."""


def tidy_frame(table: Any, schema: Mapping[str, Any], lead: str, *, text: Hashable = "text") -> Any:
    """A table of the same kind with a row for each item, and the documents' own columns beside it.

    Where quotes stand is found again in the documents: the columns of a frame do not say it.

    Args:
        table: What `enrich` returned, in whatever kind; also read back from a file, with records as JSON text.
        schema: The records'.
        lead: The column of the records.
        text: The column of the documents, which is needed where records have quotes.

    Raises:
        InputError: Without these columns, or for a cell that is no record.
    """
    frame, tidy = open_frame(table), tidy_of(schema)
    if not frame.columns:
        return table
    require_column(lead, frame.columns, source=frame.name, option="task, name= or suffix=")
    own = [column for column in frame.columns if column != lead]
    tidy.check(own, source=frame.name)
    records = [
        read_record(value, row=row, source=frame.name)
        for row, value in enumerate(frame.values(lead), start=1)
    ]
    texts: Any = [None] * len(records)
    if any(record is not None and grounded_quotes(record, schema) for record in records):
        require_column(text, frame.columns, source=frame.name, option="text=")
        texts = frame.values(text)
    places: list[int] = []
    cells: dict[str, list[Any]] = {name: [] for name in tidy.columns}
    for place, (record, document) in enumerate(zip(records, texts, strict=True)):
        is_text = record is not None and isinstance(document, str)
        for row in tidy.rows(record, ground_record(record, schema, document) if is_text else []):  # type: ignore[arg-type]  # so it is
            places.append(place)
            for name, values in cells.items():
                values.append(row[name])
    columns = {name: Column(kind, cells[name]) for name, kind in tidy.columns.items()}
    return frame.take(places, lead).attach(columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Shown):
    """What was written of a run."""

    run_id: str
    task: str
    path: str
    documents: int
    rows: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `cupel export --json` prints."""
        return {
            "run_id": self.run_id, "task": self.task, "output": self.path, "documents": self.documents,
            "rows": self.rows, "notes": list(self.notes),
        }  # fmt: skip


def export_run(
    project: Project,
    run: str | None,
    out: Path,
    *,
    tidy: bool = True,
    overwrite: bool = False,
    safe_csv: bool = False,
    task: TaskSpec | str | None = None,
) -> Export:
    """Write a run of the run log as a file, with the columns its documents have in the run's own input.

    Args:
        project: Whose run log.
        run: A run's id, or enough of its beginning; the newest where None.
        out: The file; its suffix says the format.
        tidy: One row for each item; else one for each document, as `cupel run` writes it.
        overwrite: Whether a file that is there is replaced.
        safe_csv: In CSV and TSV, write cells that a spreadsheet would run as text.
        task: Which task, of a run of several; or the task itself, where it is none of the project's, such as a one-off one.

    Raises:
        InputError: For no such run, or one of a task that is not there.
        OutputPathError: If the file is there, or cannot be written.
    """
    if out.exists() and not overwrite:
        raise OutputPathError(
            f"{out}: is there already. Name another file with --out (in Python out=), or replace it with --overwrite (overwrite=True)"
        )
    with existing_run_log(project) as run_log:
        found = find_run(run_log, run, task if isinstance(task, str) else None)
        spec = task if isinstance(task, TaskSpec) else _task_of(found["task"], project)
        source = Path(found["input_name"])
        check_writable(out, reading=source, safe_csv=safe_csv)
        notes: list[str] = []
        layout, beside = open_beside(source, notes)
        documents, missing = 0, 0
        added = {**task_kinds(spec.name), **tidy_of(spec.schema).columns}
        writer = (
            open_tidy_writer(out, layout, added, safe_csv=safe_csv)
            if tidy
            else open_writer(out, layout, spec.name, record_schema=spec.schema, safe_csv=safe_csv)
        )
        with writer:
            for position, outcome, text in run_log.run_outcomes(found["run_id"]):
                documents += 1
                values = beside.at(position, text)
                missing += values is None
                if values is None:
                    values = {} if beside.is_there else {_TEXT: text}
                columns = outcome_columns(outcome, spec.name)
                if not tidy:
                    writer.write(values, columns)
                    continue
                record = columns.pop(spec.name)
                for row in tidy_of(spec.schema).rows(record, outcome["evidence"]):
                    writer.write(values, {**columns, **row})
        if missing and beside.is_there:
            notes.append(
                f"{missing} documents are not in {source} as the run read them: their own columns are empty"
            )
        # `cupel forget` has to name it, as what a run writes
        noted = Output(path=out, state=project.state, run_id=found["run_id"], task=spec.name)
        noted.note(writer.rows, documents)
        return Export(
            run_id=found["run_id"], task=spec.name, path=str(out), documents=documents, rows=writer.rows,
            notes=(*notes, *writer.notes),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TidyRun:
    """A run as tidy rows.

    Attributes:
        run_id: The run.
        task: Its task.
        text: The column with the texts.
        rows: A row for each item, beside the document's own columns.
        notes: What is not known of the documents.
    """

    run_id: str
    task: str
    text: str
    rows: list[dict[str, Any]]
    notes: tuple[str, ...]


def tidy_run(project: Project, run: str | None, *, task: TaskSpec | str | None = None) -> TidyRun:
    """A run of the run log as rows, as `export_run` writes them; it takes the task as that does.

    Raises:
        InputError: For no such run, or one of a task that is not there.
    """
    with existing_run_log(project) as run_log:
        found = find_run(run_log, run, task if isinstance(task, str) else None)
        spec = task if isinstance(task, TaskSpec) else _task_of(found["task"], project)
        notes: list[str] = []
        _, beside = open_beside(Path(found["input_name"]), notes)
        rows = []
        for position, outcome, text in run_log.run_outcomes(found["run_id"]):
            own = {name: cell for name, cell in (beside.at(position, text) or {}).items() if cell != text}
            columns = outcome_columns(outcome, spec.name)
            record = columns.pop(spec.name)
            for row in tidy_of(spec.schema).rows(record, outcome["evidence"]):
                rows.append({**own, _TEXT: text, **columns, **row})  # noqa: PERF401 - three loops are read better so
        return TidyRun(run_id=found["run_id"], task=spec.name, text=_TEXT, rows=rows, notes=tuple(notes))


def rows_of(table: Any) -> Iterator[dict[str, Any]]:
    """The rows of a table of any kind, as those of a file are read: each cell by its column's name."""
    frame = open_frame(table)
    names = [str(column) for column in frame.columns]
    for cells in zip(*(frame.values(column) for column in frame.columns), strict=True):
        yield dict(zip(names, cells, strict=True))


def _task_of(name: str, project: Project) -> TaskSpec:
    try:
        return load_task(name, project.prompts)
    except CupelError as error:
        raise InputError(
            f"the run is of task {name!r}, which is none of {project.prompts}: give its schema with --schema ({error})"
        ) from None


class Beside:
    """The input of a run beside its outcomes, read once."""

    def __init__(self, rows: Iterator[dict[str, Any]] | None) -> None:
        self.is_there = rows is not None
        self._rows, self._next = rows or iter(()), 0

    def at(self, position: int, text: str) -> dict[str, Any] | None:
        """The row at a position, where it has this text; None where it is another by now."""
        for values in self._rows:
            self._next += 1
            if self._next - 1 == position:
                is_it = any(isinstance(cell, str) and cell == text for cell in values.values())
                return values if is_it or not text else None
        return None


def open_beside(source: Path, notes: list[str]) -> tuple[Layout, Beside]:
    """The columns of a run's input and its rows; id and text alone where it is no file any more."""
    try:
        layout, rows = raw_rows(source)
    except CupelError as error:
        notes.append(f"of the documents only ids and texts are known: {error}")
        return Layout((_TEXT,)), Beside(None)
    return layout, Beside(rows)
