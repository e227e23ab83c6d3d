"""cupel doctor: is everything in place, and if not, what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def doctor(
    profile: options.Profile = None,
    cheap_model: options.CheapModel = None,
    strong_model: options.StrongModel = None,
    judge_model: options.JudgeModel = None,
    jury_models: options.Jury = None,
    refiner_model: options.RefinerModel = None,
    judge: options.Judge = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Also make one tiny call to every model (it is paid for).")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check that everything is in place, and say the fix.

    Versions, project, tasks, graphs, run log, keys (never their values), the models a run would use,
    tracing, extras. Exit code 0 when a run would start, 2 when not.
    """
    from cupel.cli.doctor import examine

    if not examine(options.settings(locals()), probe=probe, as_json=as_json):
        raise typer.Exit(2)
