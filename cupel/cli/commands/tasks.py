"""cupel tasks: what can be extracted here."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def tasks(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="TASK", help="These alone; all when left out.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """List what can be extracted here.

    A task folder that is broken is listed with what is wrong with it. Exit code 2 when one that is named is broken.
    """
    from cupel.cli.tasks import show_tasks

    if not show_tasks(names or (), as_json=as_json):
        raise typer.Exit(2)
