"""cupel show: everything that happened to one document."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import options


def show(
    doc_id: Annotated[str, typer.Argument(help="The document's id, or enough of its beginning.")],
    run: options.RunId = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Also the very messages that were asked, and the answers.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show all that happened to one document.

    Its text with the evidence marked, the record, every attempt with signals and doubts, the verdicts, the
    instructions that followed, and every call with its cost.
    """
    from cupel.cli.showing import show_document

    show_document(doc_id, run, prompts=prompts, as_json=as_json)
