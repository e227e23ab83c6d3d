"""The items of records as a tidy table, from what `enrich` returned or from a run of the run log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel.api.source import read_part, read_task
from cupel.engine import DEFAULT_TASK
from cupel.project import Project, find_project

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cupel.runs import Export


def tidy(
    table: Any,
    task: str | None = None,
    *,
    text: str = "text",
    name: str = "",
    suffix: str = "",
    schema: Mapping[str, Any] | type[BaseModel] | Path | None = None,
    project: Project | None = None,
) -> Any:
    """One row for each item of the records (claim, premise, entity, mention …), beside the document's own columns.

    Args:
        table: What `enrich` returned, of any kind; also read back from a file, with records as JSON text. It is not changed.
        task: The task, as `enrich` was told; `arguments` where left out and no schema is given.
        text: Column with the text.
        name: As `enrich` was told: what the columns begin with.
        suffix: As `enrich` was told.
        schema: Of a one-off task, as `enrich` was told.
        project: The project to use; the one around the current folder, else the starter.

    Returns:
        A table of the same kind without the column of the record: `item_list`, `item_pointer` (a JSON pointer),
        `item_parent` (of an item in an item), `item_text` (its words) with `item_start`, `item_end` (characters of the text,
        `[start, end)`), `item_match` and `item_parts` (of an elided quote); each field as `item_…`, a reference also as
        `item_…_text`, in words; and the record's other fields as `record_…`. A document without items has one row whose
        `item_pointer` is null.

    Raises:
        InputError: For a table without these columns, with one of the new ones, or with a cell that is no record.
    """
    from cupel.runs import tidy_frame

    spec, _, _ = read_task(task, project or find_project(), default=DEFAULT_TASK, schema=schema)
    return tidy_frame(table, spec.schema, f"{name or spec.name}{suffix}", text=text)


def export(
    run: str | None = None,
    out: str | Path = "items.csv",
    *,
    task: str | None = None,
    tidy: bool = True,
    overwrite: bool = False,
    safe_csv: bool = False,
    schema: Mapping[str, Any] | type[BaseModel] | Path | None = None,
    project: Project | None = None,
) -> Export:
    """Write a run of the run log as a file: a row for each item, beside the document's own columns.

    Args:
        run: The run's id, or enough of its beginning; the newest where left out.
        out: The file; its suffix says the format: CSV, TSV, JSON, JSONL, Parquet or Excel.
        task: Which task, of a run of several.
        tidy: False for one row for each document, as `cupel run` writes it.
        overwrite: Whether a file that is there is replaced.
        safe_csv: In CSV and TSV, write cells that a spreadsheet would run as text.
        schema: Of a one-off task, which the run log does not keep.
        project: The project to use; the one around the current folder, else the starter.

    Raises:
        InputError: For no such run, or one of a task that is not there.
        OutputPathError: If the file is there, or cannot be written.
    """
    from cupel.runs import export_run

    project = project or find_project()
    spec = read_part(task, schema, project)
    return export_run(project, run, Path(out), tidy=tidy, overwrite=overwrite, safe_csv=safe_csv, task=spec)
