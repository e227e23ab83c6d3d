"""cupel prompts: the versions of a task's prompt, compared, promoted and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options

prompts = typer.Typer(
    name="prompts",
    help="Show, compare, promote and roll back prompts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Task = Annotated[str, typer.Argument(help="A task of prompts/.")]
Version = Annotated[str, typer.Argument(help="A version of the ledger, or enough of its beginning.")]


@prompts.command("list")
def list_(task: Task, as_json: options.AsJson = False) -> None:
    """List every version that was tried, with what the gate said of it."""
    from cupel.cli.prompts import list_versions

    list_versions(task, as_json=as_json)


@prompts.command()
def diff(
    task: Task,
    old: Version,
    new: Annotated[str, typer.Argument(help="Another version; the folder's when left out.")] = "",
) -> None:
    """Show how the rules and the contract of two versions differ."""
    from cupel.cli.prompts import show_diff

    show_diff(task, old, new)


@prompts.command()
def copy(
    task: Task, folder: Annotated[Path, typer.Argument(help="Where the copy goes; new, or empty.")]
) -> None:
    """Copy what of a prompt is sent into a folder to edit, and say how to try it."""
    from cupel.cli.prompts import copy_to

    copy_to(task, folder)


Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before an edit of the folder is replaced.")]


@prompts.command()
def promote(task: Task, version: Version, yes: Yes = False) -> None:
    """Make a version that passed the gate the prompt: the ledger's pointer, then rules.toml."""
    from cupel.cli.prompts import move

    move("promote", task, version, yes=yes)


@prompts.command()
def rollback(task: Task, version: Version, yes: Yes = False) -> None:
    """Go back to a version that was the prompt before; an edit made since is kept as a version."""
    from cupel.cli.prompts import move

    move("rollback", task, version, yes=yes)


@prompts.command("pull-from-studio")
def pull_from_studio(
    task: Task,
    assistant: Annotated[
        str, typer.Option(help="Id or name of the assistant whose prompt was edited in Studio.")
    ],
    url: Annotated[str, typer.Option(help="The server Studio talks to.")] = "http://127.0.0.1:2024",
    as_json: options.AsJson = False,
) -> None:
    """Bring a prompt edited in Studio here as a candidate; `cupel improve --candidate` then tests it."""
    from cupel.cli.pull_prompts import pull_from_studio as pull

    pull(task, assistant, url, as_json=as_json)


@prompts.command()
def push(
    task: Task,
    version: Annotated[str, typer.Option(help="A version of the ledger; the folder's when left out.")] = "",
    parent: Annotated[
        str, typer.Option(help="Commit of the hub it follows; the last one pushed from here when left out.")
    ] = "",
    as_json: options.AsJson = False,
) -> None:
    """Mirror a prompt in LangSmith's hub, on a parent named by its hash; needs LANGSMITH_API_KEY."""
    from cupel.cli.pull_prompts import push_to_hub

    push_to_hub(task, version, parent, as_json=as_json)


@prompts.command()
def pull(
    task: Task,
    commit: Annotated[str, typer.Option(help="Hash of a commit of the hub; tags are not taken.")],
    as_json: options.AsJson = False,
) -> None:
    """Bring a commit of LangSmith's hub here as a candidate; needs LANGSMITH_API_KEY."""
    from cupel.cli.pull_prompts import pull_from_hub

    pull_from_hub(task, commit, as_json=as_json)
