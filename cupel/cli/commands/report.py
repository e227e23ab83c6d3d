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
    task: options.PartOf = None,
    show_held_out: options.ShowHeldOut = False,
    as_json: options.AsJson = False,
) -> None:
    """Write the HTML report of a run anew.

    Totals, where documents went, how sure the records are, and every document with its trail.
    """
    from cupel.cli.report import show_report

    show_report(run_id, task, show_held_out=show_held_out, as_json=as_json)
