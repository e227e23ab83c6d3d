"""What `cupel eval` does: run every variant, print the table, compare with the baseline."""

from __future__ import annotations

import sys
from pathlib import Path

from cupel._format import usd
from cupel.api import evaluate
from cupel.cli._console import open_console, print_json, table
from cupel.evaluation import ExperimentResult
from cupel.limits import read_wait_s
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
    told = evaluate(
        path, limit=limit, max_usd=max_usd, wait_s=read_wait_s(wait), save_baseline=save, langsmith=langsmith
    )
    result = told.result
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(told.to_json())
    else:
        tell_scores(result)
    if save:
        print(f"baseline: {result.experiment.baseline}", file=sys.stderr)
    for url in told.uploads:
        print(f"LangSmith: {url}", file=sys.stderr)
    for problem in told.broken:
        print(f"baseline broken: {problem}", file=sys.stderr)
    return int(bool(told.broken))


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
