"""cupel forget: documents taken out of all that Cupel keeps, for good."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def forget(
    command: typer.Context,
    doc_id: Annotated[
        list[str] | None,
        typer.Option("--doc-id", metavar="ID", help="A document's whole id, in any run; may be repeated."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="What was finished before this day or time, such as 2026-05-01 (UTC)."
        ),
    ] = None,
    run: options.RunId = None,
    task: options.PartOf = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and leave everything as it is.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Take documents out of all that Cupel keeps.

    Their texts, replies, records and reports, and the threads of the local server; it cannot be undone. Several options mean what meets all of them. What the replies cost stays, and hashes, so that
    caps and the gate count on; resumed, a run does not ask again: the row's status is empty, its reason `forgotten`.
    Files of your own are named, not touched.
    """
    if run is None:
        options.refuse_without(command, "--run", "task")
    from cupel.cli.forget import forget_and_tell

    forget_and_tell(tuple(doc_id or ()), before, run, task, dry_run=dry_run, as_json=as_json)
