"""cupel compare: two models, or two prompts, on the same documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def compare(
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
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the page goes.")] = None,
    profile: options.Profile = None,
    cheap_model: options.CheapModel = None,
    limit: options.Limit = None,
    max_usd: options.MaxUsd = None,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Compare two models or prompts, judged in both orders.

    A third model says which record is better, each shown first once. Where the orders disagree it is a tie. The win rate has an interval; cost and time stand beside it; a page
    shows the records side by side with the reasons.
    """
    from cupel.cli.compare import CompareRun, run_compare

    run_compare(options.of(CompareRun, locals()))
