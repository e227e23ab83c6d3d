"""cupel show: everything that happened to one document, or what a run took against its plan."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def show(
    command: typer.Context,
    doc_id: Annotated[
        str, typer.Argument(help="The document's id, or enough of its beginning; a whole run when left out.")
    ] = "",
    run: options.RunId = None,
    task: options.PartOf = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Also the very messages that were asked, and the answers.")
    ] = False,
    show_held_out: options.ShowHeldOut = False,
    as_json: options.AsJson = False,
) -> None:
    """Show all that happened to one document.

    Its text with the evidence marked, the record, the gold it was held against, every attempt with signals and doubts, the verdicts, the
    instructions that followed, and every call with its cost. Without a document: what the newest run, or the one
    named, took so far, tier by tier, beside what was planned when it started.
    """
    if not doc_id:
        options.refuse_without(command, "a document's id", "prompts", "show_held_out")
        from cupel.cli.show_plan import show_run

        show_run(run, task, as_json=as_json)
        return
    from cupel.cli.show import show_document

    show_document(doc_id, run, task, prompts=prompts, show_held_out=show_held_out, as_json=as_json)
