"""cupel report: the HTML report of a run, written anew."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def report(
    run_id: Annotated[
        str | None,
        typer.Argument(help="The run, or enough of its id; the newest where left out.", metavar="[RUN_ID]"),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the HTML report of a run anew.

    Totals, where documents went, how sure the records are, and every document with its trail.
    """
    from cupel.cli._console import open_console, print_json
    from cupel.cli.report import rewrite_run_report
    from cupel.project import find_project
    from cupel.report import MAX_DOCUMENTS, summary_table

    path, run = rewrite_run_report(find_project(), run_id)
    if as_json:
        print_json({"run_id": run.run_id, "report": str(path), "documents": run.documents})
        return
    console = open_console()
    console.print(f"run {run.run_id} · task {run.task}")
    console.print(summary_table(run))
    if run.documents > MAX_DOCUMENTS:
        console.print(
            f"{MAX_DOCUMENTS:,} of {run.documents:,} documents are in the page, those not accepted first"
        )
    console.print(f"report: {path}", soft_wrap=True)
