"""What `cupel compare` does: read the sides, say the cost, run the compare graph, print the figures, write table and page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel._format import seconds, usd
from cupel.api import compare
from cupel.cli._console import open_console, print_json, table
from cupel.errors import StopRunError
from cupel.evaluation import Comparison, ComparisonPlan
from cupel.limits import read_wait_s
from cupel.report import safe, tell_gold
from cupel.runs import Columns


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
    try:
        compared = compare(
            told.file, told.a, told.b, told.task, text=told.columns.text, doc_id=told.columns.doc_id,
            inputs=told.columns.inputs, gold=told.gold, show_held_out=told.show_held_out, out=told.out,
            limit=told.limit, concurrency=told.concurrency, max_usd=told.max_usd, overwrite=told.overwrite,
            wait_s=read_wait_s(told.wait), tell=tell_plan, **told.settings,
        )  # fmt: skip
    except StopRunError as error:
        print(f"stopped: {error}\nThe same command goes on from here.", file=sys.stderr)
        return error.exit_code
    if told.as_json:
        print_json(compared.to_json())
        return 0
    tell_comparison(compared.comparison)
    print(f"table: {compared.table}\npage: {compared.page}", file=sys.stderr)
    return 0


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
