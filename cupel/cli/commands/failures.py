"""cupel failures: what went wrong, grouped, with what put it right and what it cost; frozen and run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def failures(
    command: typer.Context,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only this task's.")] = None,
    run: options.RunId = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many groups.")] = 20,
    criterion: Annotated[str | None, typer.Option(help="With --freeze: only failures by this one.")] = None,
    freeze: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write a run's failures, and anchors, as a data set.")
    ] = None,
    langsmith: Annotated[
        bool, typer.Option("--langsmith", help="With --freeze: also to LangSmith; needs LANGSMITH_API_KEY.")
    ] = False,
    pull: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Bring back as labels what people said of a data set in LangSmith."
        ),
    ] = None,
    rerun: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Run two prompts on a frozen data set.")
    ] = None,
    prompt: Annotated[
        str, typer.Option(help="With --rerun: a folder, rules.toml, extract.md, version or `active`.")
    ] = "active",
    against: Annotated[str, typer.Option(help="With --rerun: what it is compared with.")] = "active",
    gold: options.Gold = "",
    show_held_out: options.ShowHeldOut = False,
    profile: options.Profile = None,
    max_usd: options.MaxUsd = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before spending.")] = False,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Group what went wrong, and what put it right.

    By criterion, cause and prompt version: how many, fixed by what, at what cost, with one example each.
    """
    spending = ("prompt", "against", "gold", "profile", "max_usd", "yes")
    if pull is not None:
        options.refuse_beside(
            command,
            "--pull",
            "freeze",
            "rerun",
            "run",
            "limit",
            "criterion",
            "langsmith",
            "show_held_out",
            *spending,
        )
    elif freeze is not None:
        options.refuse_beside(command, "--freeze", "rerun", "limit", "show_held_out", *spending)
    elif rerun is not None:
        options.refuse_beside(command, "--rerun", "run", "limit", "criterion", "langsmith")
    else:
        options.refuse_without(command, "--freeze NAME", "criterion", "langsmith")
        options.refuse_without(command, "--rerun DATASET", *spending)
    if pull is not None:
        from cupel.cli.failures import pull_said

        pull_said(pull, task or "arguments", as_json=as_json)
    elif freeze is not None:
        from cupel.cli.failures import freeze_failures

        freeze_failures(freeze, task, run, criterion, langsmith=langsmith, as_json=as_json)
    elif rerun is not None:
        from cupel.cli.failures import rerun_failures
        from cupel.evaluation import Rerun
        from cupel.project import find_project

        again = Rerun(
            project=find_project(), data=rerun, task=task or "arguments", prompt=prompt, against=against, gold=gold,
            show_held_out=show_held_out,
            max_usd=max_usd, settings=options.settings(locals()),
        )  # fmt: skip
        rerun_failures(again, yes=yes, as_json=as_json)
    else:
        from cupel.cli.failures import show_failures

        show_failures(task, run, limit=limit, show_held_out=show_held_out, as_json=as_json)
