"""cupel export: a run of the run log as a file, a row for each item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def export(
    run: Annotated[
        str | None,
        typer.Argument(help="The run, or enough of its id; the newest where left out.", metavar="[RUN_ID]"),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where to write; the suffix says the format.")
    ] = Path("items.csv"),
    tidy: Annotated[
        bool,
        typer.Option(
            "--tidy/--documents", help="A row for each item, or for each document as `cupel run` writes it."
        ),
    ] = True,
    task: options.PartOf = None,
    schema: options.Schema = None,
    safe_csv: options.SafeCsv = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write a run as a table, a row for each item.

    An item is a claim, a mention, any entry of a list. Beside it stand the document's own columns, where its words are in the text, and what it refers to. No model is asked.
    """
    from cupel.cli.export import export_and_tell

    export_and_tell(
        run, out, task=task, tidy=tidy, schema=schema, overwrite=overwrite, safe_csv=safe_csv, as_json=as_json
    )
