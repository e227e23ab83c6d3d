"""cupel runs: what was run here, newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def runs(
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only this task's.")] = None,
    trials: Annotated[
        bool, typer.Option("--trials", help="Also what `improve`, `eval` and `--rerun` only tried.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 20,
    as_json: options.AsJson = False,
) -> None:
    """List what was run, newest first.

    Their ids are what `--run` takes.
    """
    from cupel.cli.runs import show_runs

    show_runs(task, trials=trials, limit=limit, as_json=as_json)
