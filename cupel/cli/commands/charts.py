"""cupel charts: pictures of a run's records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def charts(
    run: Annotated[
        str | None,
        typer.Argument(help="The run, or enough of its id; the newest where left out.", metavar="[RUN_ID]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder; .cupel/charts/RUN where left out.")
    ] = None,
    task: options.PartOf = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="counts, shares, time, most, links, together, speakers or evidence; also several; all that can be drawn where left out.",
        ),
    ] = None,
    field: Annotated[
        str | None, typer.Option("--field", help="What is counted: a field of the record or of its items.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="The documents' column to group by, such as group or meta.group."),
    ] = None,
    doc: Annotated[
        str | None,
        typer.Option("--doc", help="Of links and evidence: the document's id, or its number from 1."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="svg, png or html.")] = "svg",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of another run.")] = False,
    schema: options.Schema = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw a run's records.

    What is said how often, by group and over time, what is said most, which items refer to which, what occurs together, and the words of a text that a record rests on. No model is asked, nothing is fetched.
    """
    from cupel.cli.charts import draw_and_tell

    draw_and_tell(
        run,
        out,
        task=task,
        kinds=kinds or [],
        field=field,
        by=by,
        doc=doc,
        form=form,
        overwrite=overwrite,
        schema=schema,
        as_json=as_json,
    )
