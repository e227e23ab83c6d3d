"""cupel judge-check: may this judge decide?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def judge_check(
    labels: Annotated[
        Path | None,
        typer.Argument(
            help="A file of labels (any table): records with pass or fail, or gold; none: mutation tests on a run."
        ),
    ] = None,
    task: options.Task = "arguments",
    run: options.RunId = None,
    judge_model: options.JudgeModel = None,
    judge_way: options.JudgeWay = None,
    profile: options.Profile = None,
    limit: options.Limit = None,
    max_usd: options.MaxUsd = None,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Test the judge, with people's labels or without.

    With labels: true pass and fail rates, kappa, how well its estimate ranks, and the corrected pass rate of a run, each with
    its interval; runs go by it from then on. Without: records of a run spoiled on purpose, caught and missed per kind.
    """
    from cupel.cli.judge_check import check_judge

    settings = options.settings(locals())
    check_judge(labels, task, run, settings=settings, limit=limit, max_usd=max_usd, as_json=as_json)
