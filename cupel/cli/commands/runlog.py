"""cupel runlog: whether the run log is sound, and a new one with all that can be read of a damaged one."""

from __future__ import annotations

import typer

from cupel.cli import _options as options

runlog = typer.Typer(
    name="runlog",
    help="See whether the run log is sound, and mend a damaged one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@runlog.command()
def check(as_json: options.AsJson = False) -> None:
    """Read the whole run log and name what is damaged; nothing is changed. Exit code 6 where something is."""
    from cupel.cli.runlog import check_it

    raise typer.Exit(check_it(as_json=as_json))


@runlog.command()
def repair(as_json: options.AsJson = False) -> None:
    """Save every row that can be read in a new run log; the damaged file is kept beside it."""
    from cupel.cli.runlog import repair_it

    repair_it(as_json=as_json)
