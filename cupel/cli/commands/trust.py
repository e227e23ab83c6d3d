"""cupel trust: allow a project's own code to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def trust(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.")]) -> None:
    """Allow the code of a project to run.

    Its graphs and nodes are Python and run with your keys, so look at them first. It is remembered in your configuration
    folder, until the project's langgraph.json names other graphs; projects of `cupel init` are trusted from the start. On
    machines without a home, CUPEL_TRUST names trusted folders.
    """
    from cupel.project import trust as remember

    typer.echo(f"trusted: {remember(folder)}")
