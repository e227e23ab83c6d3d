"""A comparison of a file: planned before anything is asked, every row of it told, in a table and on a page."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from cupel.context import RunContext
from cupel.engine import current
from cupel.errors import InputError
from cupel.evaluation.compare import check_sides, read_side, settings_of, task_of
from cupel.files import make_folder
from cupel.improvement import SPENDS, SPENT, held_out_of, ledger_of, showable
from cupel.judging import Preference, WinRate, win_rate
from cupel.limits import DEFAULT_WAIT_S
from cupel.metrics import Gold, gold_if_any
from cupel.models import estimate_tokens, price, resolve_models
from cupel.project import Project, load_graph
from cupel.runs import (
    ByGold,
    Columns,
    Document,
    document_of,
    hold_against,
    open_bench,
    open_documents,
    plan_run,
)
from cupel.state import CompareInput, CompareResult, Opinion, Side
from cupel.stats import bounded_mean
from cupel.tables import Kind, Output, Table, open_writer, outcome_columns
from cupel.task import (
    TaskSpec,
    choose_task,
    compact,
    messages,
    stable_values,
    template_of,
)

HELD = "held out by the gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All documents compared."""

    a: Side
    b: Side
    judge: str
    rows: Sequence[tuple[Document, CompareResult]]
    """Each text once."""

    rate: WinRate
    swayed: int
    """Documents on which the judge followed the order."""

    left_out: Mapping[int, str] = field(default_factory=dict)
    """Why nothing could be asked about a row, by its position."""

    repeats: Mapping[int, int] = field(default_factory=dict)
    """The row whose text and inputs a later one has, by the later one's position."""

    held: Mapping[str, tuple[ByGold, ByGold]] = field(default_factory=dict)
    """Both sides' records against gold, by document, where there is gold."""

    metric: str = ""

    def cost_usd(self, side: str) -> float | None:
        """Mean cost of a document on a side; None where a price is unknown."""
        costs = [result["outcomes"][side]["cost_usd"] for _, result in self.rows]
        priced = [cost for cost in costs if cost is not None]
        return sum(priced) / len(priced) if priced and len(priced) == len(costs) else None

    def latency_s(self, side: str) -> float:
        """Median waiting time of a document on a side."""
        return median([result["outcomes"][side]["latency_s"] for _, result in self.rows] or [0.0])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of the figures."""
        rate = self.rate
        sides = {
            side: {
                "name": one["name"],
                "cost_usd_per_document": self.cost_usd(side),
                "median_latency_s": self.latency_s(side),
            }
            for side, one in (("a", self.a), ("b", self.b))
        }
        return {
            **sides, "judge": self.judge, "documents": len(self.rows), "win_rate": rate.rate,
            "interval": [rate.interval.low, rate.interval.high], "a_better": rate.wins, "b_better": rate.losses,
            "ties": rate.ties, "unknown": rate.unknown, "judge_followed_the_order": self.swayed,
            "left_out": len(self.left_out), "repeats": len(self.repeats), "gold": self._by_gold(),
        }  # fmt: skip

    def _by_gold(self) -> dict[str, Any] | None:
        """Both sides on the documents with gold on which both were answered; None where there are none."""
        pairs = [
            (document.group, a.score, b.score, a.right, b.right)
            for document, _ in self.rows
            for a, b in [self.held.get(document.doc_id, (None, None))]
            if a is not None and b is not None and a.score is not None and b.score is not None
        ]
        if not pairs:
            return None
        groups = [group for group, *_ in pairs]
        lead = bounded_mean([a - b for _, a, b, _, _ in pairs], groups, low=-1.0)
        n = len(pairs)
        return {
            "metric": self.metric, "documents": n, "a_mean": sum(a for _, a, *_ in pairs) / n,
            "b_mean": sum(b for _, _, b, *_ in pairs) / n, "a_right": sum(bool(right) for *_, right, _ in pairs),
            "b_right": sum(bool(right) for *_, right in pairs), "lead_interval": [lead.low, lead.high],
        }  # fmt: skip

    def page_rows(self) -> list[dict[str, Any]]:
        """Both records of every document, with the reasons, as the page shows them."""
        return [
            {
                "doc_id": document.doc_id, "text": document.text, "a": result["outcomes"]["a"]["record"],
                "b": result["outcomes"]["b"]["record"], "preferred": result["preferred"],
                "reasons": reasons_of(result), "gold": self._gold_of(document.doc_id),
            }
            for document, result in self.rows
        ]  # fmt: skip

    def _gold_of(self, doc_id: str) -> dict[str, Any] | None:
        if doc_id not in self.held:
            return None
        a, b = self.held[doc_id]
        return {"record": a.gold, "a": a.score, "b": b.score}

    def write_table(self, path: Path, table: Table, task: TaskSpec) -> None:
        """Write the input's rows with both sides' columns and the verdict; every row is there.

        Raises:
            OutputPathError: If it cannot be written.
        """
        names = {side: f"{task.name}_{side}" for side in ("a", "b")}
        more = verdict_columns(task.name)
        results = {document.position: result for document, result in self.rows}
        with open_writer(
            path, table.layout, list(names.values()), record_schema=task.schema, more=more
        ) as writer:
            for row in table:
                result = results.get(self.repeats.get(row.position, row.position))
                cells: dict[str, Any] = {}
                for side, name in names.items():
                    cells |= outcome_columns(result and result["outcomes"][side], name)
                reasons = [self.left_out[row.position]] if result is None else reasons_of(result)
                verdict = None if result is None else result["preferred"]
                writer.write(row.values, cells | dict(zip(more, (verdict, reasons), strict=True)))


def verdict_columns(task: str) -> dict[str, Kind]:
    """The columns a comparison adds beside both sides': the verdict, and why."""
    return {f"{task}_preferred": "text", f"{task}_preferred_reasons": "texts"}


def reasons_of(result: CompareResult) -> list[str]:
    """What the judge said in each order, in words."""
    return [
        f"{item['first']} shown first, {item['better'] or 'nothing'}: {item['reasoning']}"
        for item in result["opinions"]
    ]


async def compare_documents(
    graph: Any, documents: Sequence[Document], task: TaskSpec, sides: tuple[Side, Side], context: RunContext,
    *, concurrency: int = 8,
) -> Comparison:  # fmt: skip
    """Every document through the compare graph, a few at a time; finished answers come from the run log."""
    gate = asyncio.Semaphore(concurrency)

    async def one(document: Document) -> CompareResult:
        both = CompareInput(
            text=document.text, task=task.name, a=sides[0], b=sides[1], doc_id=document.doc_id,
            meta=dict(document.inputs),
        )  # fmt: skip
        async with gate:
            result: CompareResult = await graph.ainvoke(both, context=context)
        return result

    results = await asyncio.gather(*(one(document) for document in documents))
    held = {
        document.doc_id: tuple(
            hold_against(result["outcomes"][side], document.gold, task) for side in ("a", "b")
        )
        for document, result in zip(documents, results, strict=True)
        if document.gold is not None
    }
    preferred: list[Preference] = [result["preferred"] for result in results]
    models = resolve_models(context.model_copy(update={"judge": "always"}), (await current()).env)
    return Comparison(
        a=sides[0],
        b=sides[1],
        judge=models.judge,
        rows=list(zip(documents, results, strict=True)),
        rate=win_rate(preferred, [document.group for document in documents]),
        swayed=sum(_is_swayed(result["opinions"]) for result in results),
        held={doc_id: (a, b) for doc_id, (a, b) in held.items()},
        metric=task.metric,
    )


def _is_swayed(opinions: Sequence[Opinion]) -> bool:
    said = [opinion["better"] for opinion in opinions]
    return said in (["first", "first"], ["second", "second"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPlan:
    """A comparison before anything is asked: which rows, and what it will about take."""

    name: str
    """What its money is booked under, and its files are called after."""

    project: Project
    task: TaskSpec
    table: Table
    sides: tuple[Side, Side]
    judge: str
    context: RunContext
    documents: Sequence[Document]
    left_out: Mapping[int, str]
    repeats: Mapping[int, int]
    calls: tuple[int, int]
    """At least, where all records are alike, and about at most."""

    usd: tuple[float, float] | None
    """In US dollars; None where a price is unknown."""

    notes: Sequence[str] = ()
    """What was left out of the gold."""

    async def run(
        self, *, max_usd: float | None, concurrency: int, wait_s: float = DEFAULT_WAIT_S
    ) -> Comparison:
        """Ask both sides and the judge.

        Raises:
            StopRunError: When the budget or a daily limit was reached; the same call goes on from there.
        """
        graph = await asyncio.to_thread(load_graph, self.project, "compare")
        texts = {document.doc_id: document.text for document in self.documents}
        async with open_bench(self.project, self.name, max_usd=max_usd, wait_s=wait_s) as bench:
            # a preference says of a document whether it was read well, gold or not
            state, log = self.project.state, bench.runtime.run_log
            await asyncio.to_thread(
                showable, state, log, self.task.name, texts, how="compare", held_out_too=True
            )
            compared = await compare_documents(
                graph, self.documents, self.task, self.sides, self.context, concurrency=concurrency
            )
        return replace(compared, left_out=self.left_out, repeats=self.repeats)


async def plan_comparison(
    project: Project, source: Any, task_name: str, names: tuple[str, str], context: RunContext,
    *, columns: Columns, limit: int | None = None, gold: str = "", show_held_out: bool = False,
) -> ComparisonPlan:  # fmt: skip
    """Two models or versions, as they are named on the command line, on the documents of a file or table.

    Documents that the gate holds out are left out, unless they are asked for: each is shown with what is better there.

    Raises:
        InputError: Where the gate holds out all of them.
        UsageError: For a side or column there is not, or an input the task does not take.
        SettingError: Where no judge can tell these two apart.
    """
    task = choose_task(task_name, None, "", project.prompts, inputs=columns.inputs)
    folder = await asyncio.to_thread(Path.cwd)
    a, b = (read_side(name, task, ledger_of(project.state), folder) for name in names)
    judge, sides = check_sides(a, b, context, os.environ), (a, b)
    table = await asyncio.to_thread(open_documents, source, task, columns, limit)
    file = table.name
    labelled, notes = await asyncio.to_thread(gold_if_any, gold, table, task, id_column=columns.doc_id)
    documents, left_out, repeats = _sort_rows(table, task, labelled)
    held = held_out_of(project.state, task.name, {each.doc_id: each.text for each in documents})
    if held and show_held_out:
        notes.append(f"{len(held)} documents: {SPENT}")
    elif held:
        if len(held) == len(documents):
            raise InputError(f"{file}: the gate holds out every document of it. {SPENDS}")
        notes.append(
            f"{len(held)} of {len(documents)} documents are held out by the gate and left out here. {SPENDS}"
        )
        left_out |= {each.position: HELD for each in documents if each.doc_id in held}
        documents = [each for each in documents if each.doc_id not in held]
        left_out |= {at: HELD for at, first in repeats.items() if first in left_out}
        repeats = {at: first for at, first in repeats.items() if at not in left_out}
    calls, usd = await _estimate(table, len(documents), task, sides, context=context, judge=judge)
    of_table = "" if isinstance(source, Path) else _digest(table)
    told = f"{file}{of_table}{sides}{task.identity}" + (f"{columns}" if columns != Columns() else "")
    return ComparisonPlan(
        name="compare-" + hashlib.sha256(told.encode()).hexdigest()[:12],
        project=project, task=task, table=table, sides=sides, judge=judge, context=context, documents=documents,
        left_out=left_out, repeats=repeats, calls=calls, usd=usd, notes=notes,
    )  # fmt: skip


def _digest(table: Table) -> str:
    """Tells one table from another: they have no names."""
    digest = hashlib.sha256()
    for row in table:
        digest.update(f"{row.text}\x1f{row.doc_id}\x1e".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def place_comparison(
    plan: ComparisonPlan, file: Path | None, out: Path | None, columns: Columns
) -> tuple[Output, Output]:
    """Where the table and the page go: what `out` does not name lies in the project's reports.

    Args:
        plan: The comparison.
        file: Where its documents are from, whose format the table has; None where they were no file.
        out: What was asked for; with .html the page.
        columns: Where texts, ids and inputs are read.
    """
    state, task = plan.project.state, plan.task.name
    stem = state / "reports" / f"compare-{task}-{plan.name.removeprefix('compare-')}"
    suffixes = [".jsonl"] if file is None else file.suffixes[-2 if file.suffix.lower() == ".gz" else -1 :]
    rows, page = stem.with_name(f"{stem.name}{''.join(suffixes)}"), stem.with_name(f"{stem.name}.html")
    if out is not None and out.suffix.lower() in (".html", ".htm"):
        page = out
    elif out is not None:
        rows = out
    if rows != out:
        make_folder(rows.parent)
    return (
        Output(path=rows, state=state, run_id=plan.name, task=task, columns=str(columns)),
        Output(path=page, state=state, run_id=plan.name, task=task, columns=str(columns)),
    )


def _sort_rows(
    table: Table, task: TaskSpec, gold: Gold | None = None
) -> tuple[list[Document], dict[int, str], dict[int, int]]:
    """Documents to compare, each text once; the rows that cannot be, and why; the rows that repeat another."""
    documents: list[Document] = []
    left_out: dict[int, str] = {}
    repeats: dict[int, int] = {}
    first: dict[tuple[str, str], int] = {}
    for row in table:
        document = document_of(row, task, gold)
        if isinstance(document, str):
            left_out[row.position] = document
            continue
        asked = (document.text, compact(document.inputs))
        if asked in first:
            repeats[row.position] = first[asked]
            continue
        first[asked] = row.position
        documents.append(document)
    return documents, left_out, repeats


_PREFERENCE_TOKENS = 150
"""Guess for a judge's preference: two to four sentences and a word."""


async def _estimate(
    table: Table, documents: int, task: TaskSpec, sides: tuple[Side, Side], *, context: RunContext, judge: str
) -> tuple[tuple[int, int], tuple[float, float] | None]:
    """Calls and dollars, from the plans of both sides and what the judge is shown of them."""
    share = documents / (table.total or 1)  # a repeated row is asked once
    plans = [
        await plan_run(table, task_of(side, task), settings_of(side, context), graph="compare")
        for side in sides
    ]
    low, high = (sum(getattr(plan.calls, end) for plan in plans) * share for end in ("low", "high"))
    calls = (round(low), round(high) + 2 * documents)
    prices = price(judge, os.environ)
    if prices is None or any(plan.unpriced for plan in plans):
        return calls, None
    prompt = messages(template_of(task, "compare"), stable_values(task), {})
    around = sum(estimate_tokens(message["content"]) for message in prompt)
    shown = sum(plan.document_tokens.high / 2 + plan.output_tokens.high for plan in plans) * share
    asked, said = 2 * (around * documents + shown), 2 * _PREFERENCE_TOKENS * documents
    judged = asked * prices.input + said * prices.output
    cheapest, dearest = (
        sum(getattr(plan.cost_usd, end) for plan in plans) * share for end in ("low", "high")
    )
    return calls, (cheapest, dearest + judged)
