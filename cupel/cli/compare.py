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
from cupel.evaluation import Comparison, check_sides, compare_file, read_side
from cupel.improvement import ledger_of
from cupel.project import Project, find_project, load_graph
from cupel.report import safe, write_comparison
from cupel.runs import open_bench, read_documents
from cupel.task import load_task


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
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_compare(told: CompareRun) -> None:
    """Compare, print and write."""
    project = find_project()
    made = asyncio.run(_compare(told, project))
    name = hashlib.sha256(f"{told.file}{told.a}{told.b}".encode()).hexdigest()[:8]
    page = told.out or project.state / "reports" / f"compare-{told.task}-{name}.html"
    write_comparison(page, made.to_json(), [_row(document, result) for document, result in made.rows])
    if told.as_json:
        print_json(made.to_json() | {"page": str(page)})
        return
    tell_comparison(made)
    print(f"page: {page}", file=sys.stderr)


async def _compare(told: CompareRun, project: Project) -> Comparison:
    task, ledger = load_task(told.task, project.prompts), ledger_of(project.state)
    context = run_context(told.settings, os.environ)
    sides = tuple(read_side(side, task, ledger, Path.cwd()) for side in (told.a, told.b))
    check_sides(sides[0], sides[1], context, os.environ)
    documents = read_documents(told.file, task, limit=told.limit)
    name = "compare-" + hashlib.sha256(f"{told.file}{sides}{task.identity}".encode()).hexdigest()[:12]
    graph = await asyncio.to_thread(load_graph, project, "compare")
    async with open_bench(project, name, max_usd=told.max_usd):
        return await compare_file(graph, documents, task, (sides[0], sides[1]), context)


def _row(document: Any, result: Any) -> dict[str, Any]:
    outcomes = result["outcomes"]
    return {
        "doc_id": document.doc_id, "text": document.text, "a": outcomes["a"]["record"], "b": outcomes["b"]["record"],
        "preferred": result["preferred"],
        "reasons": [f"{item['first']} shown first, {item['better'] or 'nothing'}: {item['reasoning']}" for item in result["opinions"]],
    }  # fmt: skip


def tell_comparison(made: Comparison) -> None:
    """Print the figures for a person."""
    console, told = open_console(), made.to_json()
    shown = table("", "", ">better on", ">cost a document", ">median time")
    for side in ("a", "b"):
        one = told[side]
        shown.add_row(
            side, safe(one["name"]), str(told[f"{side}_better"]), usd(one["cost_usd_per_document"]),
            seconds(one["median_latency_s"]),
        )  # fmt: skip
    console.print(shown)
    low, high = told["interval"]
    rate = (
        "–"
        if told["win_rate"] is None
        else f"{100 * told['win_rate']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    )
    console.print(
        f"win rate of a {rate} on {told['documents']} documents, judge {made.judge}: {told['ties']} ties "
        f"({made.swayed} where the judge followed the order), {told['unknown']} without a judgement",
        soft_wrap=True,
    )
