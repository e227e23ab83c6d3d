"""Pictures of records, from what `enrich` returned or from a run of the run log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.api.source import read_part, read_task
from cupel.engine import DEFAULT_TASK
from cupel.errors import InputError
from cupel.project import Project, find_project

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cupel.report import Chart


def chart(
    table: Any,
    kind: str = "counts",
    *,
    field: str | None = None,
    by: str | None = None,
    doc: str | int | None = None,
    title: str = "",
    task: str | None = None,
    text: str = "text",
    name: str = "",
    suffix: str = "",
    schema: Mapping[str, Any] | type[BaseModel] | Path | None = None,
    project: Project | None = None,
) -> Chart:
    """A picture of records: bars, a course over time, a network, or a marked text.

    Args:
        table: What `enrich` or `tidy` returned, of any kind. It is not changed.
        kind: `counts` (how often each value is there), `shares` (how they are shared out in each group), `time`, `most` (what
            is said most), `links` (which items of one document refer to which), `together` (which values occur in the same
            documents), `speakers` (whose documents share values) or `evidence` (a text with its items marked).
        field: What is counted: a field of the record or of its items, or a column; the first one with labels where left out.
        by: The column to group by (`group`; `meta.group` of a column of objects): of `time` that of the dates, of `speakers`
            that of the persons.
        doc: Of `links` and `evidence`, the document: its id, or its number from 1; the one with most items where left out.
        title: What stands above the picture; what it shows, where left out.
        task: The task, as `enrich` was told; `arguments` where left out and no schema is given.
        text: Column with the text.
        name: As `enrich` was told: what the columns begin with.
        suffix: As `enrich` was told.
        schema: Of a one-off task, as `enrich` was told.
        project: The project to use; the one around the current folder, else the starter.

    Returns:
        A `Chart`: a notebook shows it, `save("x.svg")` (also `.png`, `.html`) writes it, `rows` are its figures and `spec` is
        its specification in Vega-Lite. Drawing needs the extra `cupel[charts]`; figures and specification do not.

    Raises:
        InputError: For a kind, a column or a document that is not there, or where there is nothing to draw.
    """
    from cupel.report import ChartRows, draw_chart
    from cupel.runs import rows_of, tidy_frame
    from cupel.tables import open_frame

    if "item_list" not in open_frame(table).columns:
        spec, _, _ = read_task(task, project or find_project(), default=DEFAULT_TASK, schema=schema)
        table = tidy_frame(table, spec.schema, f"{name or spec.name}{suffix}", text=text)
    return draw_chart(ChartRows.of(rows_of(table), text), kind, field=field, by=by, doc=doc, title=title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts(Shown):
    """The charts of a run that were written.

    Attributes:
        run_id: The run.
        task: Its task.
        charts: Of each its `kind`, `title` and `path`.
        left_out: By kind, why it was not drawn.
        notes: What was not known of the documents.
    """

    run_id: str
    task: str
    charts: Sequence[Mapping[str, str]]
    left_out: Mapping[str, str]
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """What `cupel charts --json` prints."""
        return {
            "run_id": self.run_id, "task": self.task, "charts": [dict(one) for one in self.charts],
            "left_out": dict(self.left_out), "notes": list(self.notes),
        }  # fmt: skip


def write_charts(
    run: str | None = None,
    out: str | Path | None = None,
    *,
    task: str | None = None,
    kinds: Sequence[str] = (),
    field: str | None = None,
    by: str | None = None,
    doc: str | int | None = None,
    form: str = "svg",
    overwrite: bool = False,
    schema: Mapping[str, Any] | type[BaseModel] | Path | None = None,
    project: Project | None = None,
) -> Charts:
    """Write charts of a run of the run log; its documents' own columns are read from the run's input.

    Args:
        run: The run's id, or enough of its beginning; the newest where left out.
        out: The folder; `.cupel/charts/RUN` where left out. The same run's chart of the same kind is replaced.
        task: Which task, of a run of several.
        kinds: As `chart` takes them; all that can be drawn where left out.
        field: As `chart`.
        by: As `chart`; of dates in `time`, where it is the only kind.
        doc: As `chart`.
        form: `svg`, `png` or `html`.
        overwrite: Also replace files of another run, or of nobody known.
        schema: Of a one-off task, which the run log does not keep.
        project: The project to use; the one around the current folder, else the starter.

    Raises:
        InputError: For no such run, or what a kind that was named lacks.
        OutputPathError: If a chart cannot be written, or would replace a file of another run.
        SettingError: If the extra `cupel[charts]` is not installed.
    """
    from cupel.report import CHART_FORMATS, ChartRows, draw_chart, possible_kinds
    from cupel.runs import tidy_run
    from cupel.tables import Output

    if form not in CHART_FORMATS:
        raise InputError(f"form={form!r}: a chart is written as {', '.join(CHART_FORMATS)}")
    project = project or find_project()
    found = tidy_run(project, run, task=read_part(task, schema, project))
    rows = ChartRows.of(found.rows, found.text)
    folder = Path(out) if out is not None else project.state / "charts" / found.run_id
    written, left_out = list[dict[str, str]](), dict[str, str]()
    for kind in kinds or possible_kinds(rows, by=by):
        # without a kind, `by` is a group: the dates are found by themselves
        group = None if kind == "time" and not kinds else by
        try:
            drawn = draw_chart(rows, kind, field=field, by=group, doc=doc)
        except InputError as error:
            if kinds:
                raise
            left_out[kind] = str(error)
            continue
        # `cupel forget` names what lies outside the state folder, and removes what lies in it
        noted = Output(
            path=folder / f"{kind}.{form}", state=project.state, run_id=found.run_id, task=found.task
        )
        if out is not None:
            noted.check(1, overwrite=overwrite)
        path = drawn.save(noted.path)
        if out is not None:
            noted.note(1, 1)
        written.append({"kind": kind, "title": drawn.title, "path": str(path)})
    return Charts(run_id=found.run_id, task=found.task, charts=written, left_out=left_out, notes=found.notes)
