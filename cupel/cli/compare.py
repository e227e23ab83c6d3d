"""What `cupel compare` does: read the sides, run the compare graph, print the figures, write the page."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel._format import seconds, usd
from cupel.cli._console import open_console, print_json, table
from cupel.context import run_context
from cupel.evaluation import Comparison, compare_file
from cupel.limits import read_wait_s
from cupel.project import find_project
from cupel.report import safe, write_comparison


@dataclass(frozen=True, kw_only=True)
class CompareRun:
    """Everything `cupel compare` was told."""

    file: Path
    a: str
    b: str
    task: str
    out: Path | None = None
    limit: int | None = None
    max_usd: float | None = None
    wait: str = "120"
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_compare(told: CompareRun) -> None:
    """Compare, print and write."""
    project, context = find_project(), run_context(told.settings, os.environ)
    names = (told.a, told.b)
    comparison = asyncio.run(
        compare_file(
            project,
            told.file,
            told.task,
            names,
            context,
            limit=told.limit,
            max_usd=told.max_usd,
            wait_s=read_wait_s(told.wait),
        )
    )
    name = hashlib.sha256(f"{told.file}{told.a}{told.b}".encode()).hexdigest()[:8]
    page = told.out or project.state / "reports" / f"compare-{told.task}-{name}.html"
    write_comparison(page, comparison.to_json(), comparison.page_rows())
    if told.as_json:
        print_json(comparison.to_json() | {"page": str(page)})
        return
    tell_comparison(comparison)
    print(f"page: {page}", file=sys.stderr)


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
