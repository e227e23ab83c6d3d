"""cupel serve: what a server's callers may do, and their keys."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options

serve = typer.Typer(
    name="serve",
    help="What callers of a server may do, and their keys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
keys = typer.Typer(
    name="keys", help="Keys of a server's callers.", no_args_is_help=True, rich_markup_mode=None
)
serve.add_typer(keys)


@serve.command()
def check(as_json: options.AsJson = False) -> None:
    """Read serve.toml and say what it allows; exit code 2 where it is wrong."""
    from cupel.cli.serve import check_and_tell

    check_and_tell(as_json=as_json)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What you call it: a person, a service.")],
    metrics: Annotated[
        bool, typer.Option("--metrics", help="It reads /cupel/metrics and does nothing else.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a key and print it, this once: the run log has its hash alone."""
    from cupel.cli.serve import create_and_tell

    create_and_tell(name, metrics=metrics, as_json=as_json)


@keys.command("list")
def list_(as_json: options.AsJson = False) -> None:
    """Every key with what was done with it today."""
    from cupel.cli.serve import list_and_tell

    list_and_tell(as_json=as_json)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")], as_json: options.AsJson = False
) -> None:
    """Take a key back, at once and for every process; what was made with it stays."""
    from cupel.cli.serve import revoke_and_tell

    revoke_and_tell(name, as_json=as_json)
