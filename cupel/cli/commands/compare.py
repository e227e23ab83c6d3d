"""cupel compare: two models, or two prompts, on the same documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def compare(
    command: typer.Context,
    file: options.File,
    a: Annotated[
        str,
        typer.Option(
            "--a", help="provider:model, a prompt version, a rules.toml, `active`, or model@version."
        ),
    ],
    b: Annotated[str, typer.Option("--b", help="The other one.")],
    task: options.Task = "arguments",
    judge_model: Annotated[
        str | None, typer.Option("--judge", help="provider:model that compares; neither of the two.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Where the table of both sides and the verdict goes (.csv, .jsonl, .parquet …), or with .html the page. "
            "What is not named goes to .cupel/reports.",
        ),
    ] = None,
    profile: options.Profile = None,
    cheap_model: options.CheapModel = None,
    text_column: options.TextColumn = "text",
    id_column: options.IdColumn = None,
    inputs: options.Inputs = None,
    gold: options.Gold = "",
    show_held_out: options.ShowHeldOut = False,
    limit: options.Limit = None,
    concurrency: options.Concurrency = 8,
    max_usd: options.MaxUsd = None,
    overwrite: options.Overwrite = False,
    wait: options.Wait = "120",
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Compare two models or prompts, judged in both orders.

    A third model says which record is better, each shown first once. Where the orders disagree it is a tie. What it
    will about cost is said first; then the win rate has an interval, and cost and time stand beside it. A table has
    every row with both records and the verdict; a page shows them side by side with the reasons.
    """
    from cupel.cli.compare import CompareRun, run_compare
    from cupel.runs import Columns

    if ":" in a and ":" in b:
        options.refuse_beside(command, f"--a {a} --b {b}", "cheap_model")
    columns = Columns(text=text_column, doc_id=id_column, inputs=options.read_inputs(inputs))
    raise typer.Exit(run_compare(options.of(CompareRun, locals())))
