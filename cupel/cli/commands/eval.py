"""cupel eval: an experiment, with intervals, held against its baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def evaluate(
    experiment: Annotated[Path, typer.Argument(help="A TOML of evals/experiments/.")],
    limit: options.Limit = None,
    max_usd: options.MaxUsd = None,
    wait: options.Wait = "120",
    save_baseline: Annotated[
        bool, typer.Option("--save-baseline", help="Write the figures as the baseline instead of comparing.")
    ] = False,
    langsmith: Annotated[
        bool, typer.Option("--langsmith", help="Also upload it as an experiment; needs LANGSMITH_API_KEY.")
    ] = False,
    stop_within: options.StopWithin = 20.0,  # noqa: ARG001  # its callback has set it
    as_json: options.AsJson = False,
) -> None:
    """Run an experiment and hold it against its baseline.

    It runs locally and prints a table with intervals; exit code 1 when the committed baseline is broken. Nothing leaves the machine but the calls to the models it names, unless --langsmith asks for it.
    """
    from cupel.cli.eval import run_and_tell

    raise typer.Exit(
        run_and_tell(
            experiment, limit=limit, max_usd=max_usd, wait=wait, save=save_baseline, langsmith=langsmith,
            as_json=as_json,
        )
    )  # fmt: skip
