"""What `cupel eval` does: run every variant, print the table, compare with the baseline."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from cupel._format import usd
from cupel.cli._console import open_console, print_json, table
from cupel.errors import SettingError
from cupel.evaluation import ExperimentResult, read_experiment, run_experiment
from cupel.limits import read_wait_s
from cupel.project import find_project
from cupel.report import safe


def run_and_tell(
    path: Path,
    *,
    limit: int | None,
    max_usd: float | None,
    wait: str,
    save: bool,
    langsmith: bool,
    as_json: bool,
) -> int:
    """Run, tell, compare; 1 when a baseline is broken."""
    project, experiment = find_project(), read_experiment(path)
    if limit is not None:
        experiment = replace(experiment, limit=limit, baseline=None)
    if save and experiment.baseline is None:
        raise SettingError(f"{path}: --save-baseline needs `baseline = …` in the experiment, and no --limit")
    if langsmith and not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingError("--langsmith needs LANGSMITH_API_KEY")
    result = asyncio.run(run_experiment(project, experiment, max_usd=max_usd, wait_s=read_wait_s(wait)))
    problems = [] if save else [str(one) for one in result.broken()]
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(result.to_json() | {"broken": problems})
    else:
        tell_scores(result)
    if save and experiment.baseline is not None:
        result.save(experiment.baseline)
        print(f"baseline: {experiment.baseline}", file=sys.stderr)
    for url in result.upload(os.environ) if langsmith else ():
        print(f"LangSmith: {url}", file=sys.stderr)
    for problem in problems:
        print(f"baseline broken: {problem}", file=sys.stderr)
    return int(bool(problems))


def tell_scores(result: ExperimentResult) -> None:
    """Print the table."""
    names = list(dict.fromkeys(name for one in result.scores for name in one.figures))
    columns = ("variant", ">documents", *(f">{name}" for name in names), ">cost")
    shown = table(*columns, title=result.experiment.name)
    for one in result.scores:
        cells = [
            f"{f.value:.3f} [{f.interval.low:.2f}, {f.interval.high:.2f}]"
            if (f := one.figures.get(name))
            else "–"
            for name in names
        ]
        shown.add_row(safe(one.variant.name), str(one.documents), *cells, usd(one.cost_usd))
    open_console().print(shown)
