"""What `cupel compare` does: read the sides, say the cost, run the compare graph, print the figures, write table and page."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel._format import seconds, usd
from cupel.cli._console import open_console, print_json, table
from cupel.errors import StopRunError
from cupel.evaluation import Comparison, ComparisonPlan, plan_comparison
from cupel.limits import read_wait_s
from cupel.models import settle_settings
from cupel.project import Project, find_project
from cupel.report import safe, tell_gold, write_comparison
from cupel.runs import Columns
from cupel.tables import Output, check_writable


@dataclass(frozen=True, kw_only=True)
class CompareRun:
    """Everything `cupel compare` was told."""

    file: Path
    a: str
    b: str
    task: str
    columns: Columns = field(default_factory=Columns)
    gold: str = ""
    show_held_out: bool = False
    out: Path | None = None
    limit: int | None = None
    concurrency: int = 8
    max_usd: float | None = None
    overwrite: bool = False
    wait: str = "120"
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_compare(told: CompareRun) -> int:
    """Compare, print and write; returns the exit code."""
    project = find_project()
    context = settle_settings(told.settings, os.environ)
    plan = asyncio.run(
        plan_comparison(
            project,
            told.file,
            told.task,
            (told.a, told.b),
            context,
            columns=told.columns,
            limit=told.limit,
            gold=told.gold,
            show_held_out=told.show_held_out,
        )
    )
    rows, page = _outputs(told, plan, project)
    for output in (rows, page):
        output.check(plan.table.total, overwrite=told.overwrite)
    check_writable(rows.path, reading=told.file)
    tell_plan(plan)
    try:
        comparison = asyncio.run(
            plan.run(max_usd=told.max_usd, concurrency=told.concurrency, wait_s=read_wait_s(told.wait))
        )
    except StopRunError as error:
        print(f"stopped: {error}\nThe same command goes on from here.", file=sys.stderr)
        return error.exit_code
    comparison.write_table(rows.path, plan.table, plan.task)
    write_comparison(page.path, comparison.to_json(), comparison.page_rows())
    for output in (rows, page):
        output.note(plan.table.total, plan.table.total)
    if told.as_json:
        print_json(comparison.to_json() | {"table": str(rows.path), "page": str(page.path)})
        return 0
    tell_comparison(comparison)
    print(f"table: {rows.path}\npage: {page.path}", file=sys.stderr)
    return 0


def _outputs(told: CompareRun, plan: ComparisonPlan, project: Project) -> tuple[Output, Output]:
    """Where the table and the page go: what `--out` does not name lies in the project's reports."""
    stem = project.state / "reports" / f"compare-{told.task}-{plan.name.removeprefix('compare-')}"
    suffix = "".join(
        told.file.suffixes[-2:] if told.file.suffix.lower() == ".gz" else told.file.suffixes[-1:]
    )
    rows, page = stem.with_name(f"{stem.name}{suffix}"), stem.with_name(f"{stem.name}.html")
    if told.out is not None and told.out.suffix.lower() in (".html", ".htm"):
        page = told.out
    elif told.out is not None:
        rows = told.out
    rows.parent.mkdir(parents=True, exist_ok=True) if rows != told.out else None
    columns = str(told.columns)
    return tuple(  # type: ignore[return-value]  # two of them
        Output(path=path, state=project.state, run_id=plan.name, task=told.task, columns=columns)
        for path in (rows, page)
    )


def tell_plan(plan: ComparisonPlan) -> None:
    """Say on stderr what is about to be asked, and what it will about cost."""
    for warning in (*plan.table.warnings, *plan.notes):
        print(f"note: {warning}", file=sys.stderr)
    a, b = (side["name"] for side in plan.sides)
    least, most = plan.calls
    cost = "at a price not known" if plan.usd is None else f"{usd(plan.usd[0])} to {usd(plan.usd[1])}"
    beside = [f"{len(plan.repeats)} rows repeat another's text"] if plan.repeats else []
    beside += [f"{len(plan.left_out)} are left out"] if plan.left_out else []
    more = f" ({', '.join(beside)})" if beside else ""
    print(
        f"comparing {a} and {b} on {len(plan.documents)} documents{more}, judged by {plan.judge}: {least:,} to {most:,} "
        f"calls, {cost}; answers in the run log are not paid again",
        file=sys.stderr,
    )


def tell_comparison(comparison: Comparison) -> None:
    """Print the figures for a person."""
    console, figures = open_console(), comparison.to_json()
    shown = table("", "", ">better on", ">cost a document", ">median time")
    for side in ("a", "b"):
        one = figures[side]
        shown.add_row(
            side, safe(one["name"]), str(figures[f"{side}_better"]), usd(one["cost_usd_per_document"]),
            seconds(one["median_latency_s"]),
        )  # fmt: skip
    console.print(shown)
    low, high = figures["interval"]
    rate = (
        "–"
        if figures["win_rate"] is None
        else f"{100 * figures['win_rate']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    )
    console.print(
        f"win rate of a {rate} on {figures['documents']} documents, judge {comparison.judge}: {figures['ties']} ties "
        f"({comparison.swayed} where the judge followed the order), {figures['unknown']} without a judgement",
        soft_wrap=True,
    )
    if figures["gold"]:
        console.print(tell_gold(figures["gold"]), soft_wrap=True)
