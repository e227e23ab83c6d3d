"""cupel failures: what went wrong, grouped, with what put it right and what it cost."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import options


def failures(
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only this task's.")] = None,
    run: options.RunId = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many groups.")] = 20,
    as_json: options.AsJson = False,
) -> None:
    """Group what went wrong, and what put it right.

    By criterion, cause and prompt version: how many, fixed by what, at what cost, with one example each.
    """
    from cupel.cli.failing import show_failures

    show_failures(task, run, limit=limit, as_json=as_json)
