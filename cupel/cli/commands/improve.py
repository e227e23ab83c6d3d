"""cupel improve: one task's prompt made better, or an honest account of why not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options
from cupel.files import full_path


def improve(
    command: typer.Context,
    file: options.File,
    task: options.Task = "arguments",
    max_usd: options.MaxUsd = None,
    wait: options.Wait = "120",
    engine: Annotated[
        str, typer.Option(help="What proposes edits: reflect, or gepa (the extra `cupel[gepa]`).")
    ] = "reflect",
    rounds: Annotated[int, typer.Option(min=1, max=8, help="Candidates tried on development documents.")] = 3,
    gold: options.Gold = "",
    run: Annotated[
        str, typer.Option("--run", metavar="RUN_ID", help="Also tell the rewriter what failed in this run.")
    ] = "",
    group: Annotated[str, typer.Option(help="Field by which documents hang together: debate, speaker.")] = "",
    gate_judge: Annotated[
        str, typer.Option(help="Without gold: provider:model that judges the held-out documents.")
    ] = "",
    gate_metric: Annotated[
        str, typer.Option(help="With gold: graded (the task's metric of each document) or right (yes or no).")
    ] = "graded",
    held_out: Annotated[
        float, typer.Option(min=0.1, max=0.9, help="Share of documents held out, by whole groups.")
    ] = 0.7,
    split_salt: Annotated[
        str, typer.Option(help="Another salt holds out other groups; what was seen before stays seen.")
    ] = "",
    max_token_growth: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Share by which a document's tokens may grow; a fifth, or one example more, when left out.",
        ),
    ] = None,
    candidate: Annotated[
        Path | None,
        typer.Option(
            help="Test this folder, rules.toml or extract.md, edited by hand, or version of the ledger, instead."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number asks the rewriter anew.")] = 0,
    profile: options.Profile = None,
    cheap_model: options.CheapModel = None,
    strong_model: options.StrongModel = None,
    judge_model: options.JudgeModel = None,
    jury_models: options.Jury = None,
    refiner_model: options.RefinerModel = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: a prompt that passes waits as a nominee.")
    ] = False,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Improve a task's prompt from its failures.

    Failures on development documents become edits of it; only what is better on held-out documents
    becomes a nominee, and only a person promotes it. The same command again resumes and pays nothing twice.
    """
    if candidate is not None:
        options.refuse_beside(command, "--candidate", "engine", "rounds", "run", "seed")
    from cupel.cli.improve import ImproveRun, run_improve

    told = ImproveRun(
        given={
            "task": task, "documents": str(full_path(file)), "group": group, "max_usd": max_usd, "rounds": rounds,
            "seed": seed, "engine": engine, "gate_judge": gate_judge, "gate_metric": gate_metric, "held_out": held_out, "run": run,
            "split_salt": split_salt, "max_token_growth": max_token_growth,
            "gold": str(full_path(Path(gold))) if gold and Path(gold).is_file() else gold,
            "candidate": str(full_path(candidate) if candidate and candidate.exists() else candidate or ""),
        },
        settings=options.settings(locals()),
        wait=wait,
        ask=not yes,
        as_json=as_json,
    )  # fmt: skip
    raise typer.Exit(run_improve(told))
