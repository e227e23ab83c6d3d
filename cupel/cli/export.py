"""What `cupel export` does: have a run written, and say what is in the file."""

from __future__ import annotations

from pathlib import Path

from cupel.api import export
from cupel.cli._console import open_console, print_json


def export_and_tell(
    run: str | None,
    out: Path,
    *,
    task: str | None,
    tidy: bool,
    schema: Path | None,
    overwrite: bool,
    safe_csv: bool,
    as_json: bool,
) -> None:
    """Write the file, and say how many rows it has."""
    written = export(run, out, task=task, tidy=tidy, schema=schema, overwrite=overwrite, safe_csv=safe_csv)
    if as_json:
        print_json(written.to_json())
        return
    console = open_console()
    console.print(
        f"run {written.run_id} · task {written.task} · {written.documents:,} documents, {written.rows:,} rows: {written.path}",
        soft_wrap=True,
    )
    for note in written.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
