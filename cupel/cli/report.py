"""What `cupel report` does: have the page of a run written, and print its totals."""

from __future__ import annotations

from cupel.api import write_report
from cupel.cli._console import open_console, print_json
from cupel.report import MAX_DOCUMENTS, summary_table


def show_report(
    run_id: str | None, task: str | None = None, *, show_held_out: bool = False, as_json: bool
) -> None:
    """Write the report anew, and print what is in it and where it is."""
    written = write_report(run_id, task=task, show_held_out=show_held_out)
    if as_json:
        print_json(written.to_json())
        return
    run = written.summary
    console = open_console()
    console.print(f"run {run.run_id} · task {run.task}")
    console.print(summary_table(run))
    if run.documents > MAX_DOCUMENTS:
        console.print(
            f"{MAX_DOCUMENTS:,} of {run.documents:,} documents are in the page, those not accepted first"
        )
    console.print(f"report: {written.path}", soft_wrap=True)
