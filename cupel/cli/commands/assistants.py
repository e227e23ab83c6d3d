"""cupel assistants: what Studio starts from, one for each task and profile."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options

assistants = typer.Typer(
    name="assistants",
    help="Keep a server's assistants in step with the prompts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@assistants.callback()
def _group() -> None:
    """Keep a server's assistants in step with the prompts."""


@assistants.command()
def sync(
    url: Annotated[str, typer.Option(help="Where the server is.")] = "http://127.0.0.1:2024",
    profile: Annotated[
        list[str] | None,
        typer.Option(help="For this profile; several times for several. Those whose key is set otherwise."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Make or bring up to date one assistant for each task and profile.

    Its prompts are those of the project's files; each change is a new version. What a person changed in Studio stays.
    """
    from cupel.cli.assistants import sync_and_tell

    sync_and_tell(url, profile or [], as_json=as_json)
