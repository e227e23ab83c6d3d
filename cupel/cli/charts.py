"""What `cupel charts` does: have a run drawn, and say which pictures there are."""

from __future__ import annotations

from pathlib import Path

from cupel.api import write_charts
from cupel.cli._console import open_console, print_json


def draw_and_tell(
    run: str | None,
    out: Path | None,
    *,
    task: str | None,
    kinds: list[str],
    field: str | None,
    by: str | None,
    doc: str | None,
    form: str,
    overwrite: bool,
    schema: Path | None,
    as_json: bool,
) -> None:
    """Write the charts, and name each with its file."""
    written = write_charts(
        run,
        out,
        task=task,
        kinds=kinds,
        field=field,
        by=by,
        doc=doc,
        form=form,
        overwrite=overwrite,
        schema=schema,
    )
    if as_json:
        print_json(written.to_json())
        return
    console = open_console()
    console.print(f"run {written.run_id} · task {written.task}", soft_wrap=True, markup=False)
    for one in written.charts:
        console.print(f"{one['kind']:9} {one['path']}  {one['title']}", soft_wrap=True, markup=False)
    for kind, why in written.left_out.items():
        console.print(f"{kind:9} not drawn: {why}", style="yellow", soft_wrap=True, markup=False)
    for note in written.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True, markup=False)
