"""cupel init: a project of one's own, from the starter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    name: Annotated[Path, typer.Argument(help="The new folder.", metavar="NAME")],
) -> None:
    """Make a project of your own that runs at once.

    Graphs, nodes, prompts and evals are copied for you to edit; the command line, pandas and Studio all use
    them from there. An existing folder is taken only when it is empty.
    """
    from cupel.cli.init import make_project, next_commands

    folder = make_project(name)
    typer.echo(f"made {folder}; next:")
    for command in next_commands(name):
        typer.echo(f"  {command}")
