"""cupel labels: a run's records as a file to correct, and whether a file of labels can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options

labels = typer.Typer(
    name="labels",
    help="Make a file of labels from a run, and check one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@labels.command()
def make(
    source: Annotated[str, typer.Argument(help="A run's output, or its id, or enough of its beginning.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The JSONL to make; one that is there stays.")],
    task: options.Task = "arguments",
    text_column: options.TextColumn = "text",
    as_json: options.AsJson = False,
) -> None:
    """Write a run's records as labels to correct; none is gold until its `checked` is true."""
    from cupel.cli.labels import make_and_tell

    make_and_tell(source, task, out, text_column=text_column, as_json=as_json)


@labels.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file of labels: CSV, TSV, JSON, JSONL or Parquet.")],
    task: options.Task = "arguments",
    as_json: options.AsJson = False,
) -> None:
    """Read a file of labels as every command does, and say what of it can be used."""
    from cupel.cli.labels import check_and_tell

    check_and_tell(file, task, as_json=as_json)
