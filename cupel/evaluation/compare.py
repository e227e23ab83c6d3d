"""Two models, or two versions of a prompt, on the same documents; a third model says which record is better."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

from cupel.cascade import prompt_for
from cupel.context import RunContext
from cupel.engine import ask, ask_as, current, current_asking
from cupel.errors import SettingError
from cupel.evaluation.experiments import named_prompt
from cupel.improvement import Ledger, ledger_of, replace_prompt, rule_rows, rules_of, version_of
from cupel.judging import Preference, WinRate, pairwise_schema, win_rate
from cupel.limits import DEFAULT_WAIT_S
from cupel.models import ModelId, resolve_models
from cupel.project import Project, load_graph
from cupel.runs import Document, detach, enrich_graph, open_bench, read_documents
from cupel.state import CompareInput, CompareResult, CompareState, Opinion, Outcome, Record, Side
from cupel.task import TaskSpec, compact, load_task
from cupel.text import document_id


def read_side(name: str, task: TaskSpec, ledger: Ledger, folder: Path) -> Side:
    """What `--a` or `--b` names: a model, a version, a candidate's file, `active`, or `model@version`.

    Raises:
        UsageError: For a version the ledger does not have, or no such model.
    """
    model, _, version = name.partition("@") if ":" in name else ("", "", name)
    side = Side(name=name)
    if model:
        side["model"] = str(ModelId.parse(model))
    if version and version != "active":
        spec = named_prompt(version, task, ledger, folder)
        side["rules"], side["extract"] = rule_rows(spec.rules), spec.prompts["extract"]
        side["name"] = f"{model}@{version_of(spec)}" if model else version_of(spec)
    return side


def check_sides(a: Side, b: Side, context: RunContext, env: Mapping[str, str]) -> str:
    """The judge's model.

    Raises:
        SettingError: Where it is missing, would judge its own records, or both sides are the same.
    """
    models = resolve_models(context, env)
    if {**a, "name": ""} == {**b, "name": ""}:
        raise SettingError(f"a and b are the same: {a['name']}; name another model or version with --b")
    if not models.judge:
        raise SettingError("no judge is attached; name one with --judge")
    for side in (a, b):
        if models.judge == side.get("model", models.cheap):
            raise SettingError(f"{models.judge} would judge its own records; name another with --judge")
    return models.judge


async def answer_as(state: CompareState, side: Side, context: RunContext) -> Outcome:
    """The document's outcome on one side alone: no stronger model and no judge stands behind it."""
    runtime = await current()
    task = await asyncio.to_thread(load_task, state["task"], runtime.project.prompts)
    if "rules" in side:
        task = replace_prompt(task, rules_of(side["rules"]), side.get("extract", ""))
    settings = context.model_copy(
        update={
            "cheap_model": side.get("model", context.cheap_model),
            "strong_model": "none",
            "judge": "never",
            "human_review": False,
        }
    )
    document = {
        "text": state["text"],
        "task": task.name,
        "doc_id": state.get("doc_id") or document_id(state["text"], state.get("meta")),
        "meta": dict(state.get("meta") or {}),
    }
    graph = await asyncio.to_thread(enrich_graph, runtime.project)
    asking = current_asking()
    with ask_as(replace(asking, run=replace(asking.run, task=task))):
        outcome: Outcome = await detach(graph.ainvoke(document, context=settings))
    return outcome


def records_of(state: CompareState) -> dict[str, Record | None]:
    """Both sides' records; None where a side has none."""
    outcomes = state.get("outcomes") or {}
    return {side: outcomes[side]["record"] for side in ("a", "b")}


def prefer_unasked(records: Mapping[str, Record | None]) -> Preference | None:
    """No record loses to one; the same record is a tie; two that are missing tell nothing; else None: ask."""
    a, b = records["a"], records["b"]
    if a is None or b is None:
        return "unknown" if a is None and b is None else "b" if a is None else "a"
    return "tie" if compact(a) == compact(b) else None


async def ask_judge(
    state: CompareState, records: Mapping[str, Record | None], first: Literal["a", "b"], context: RunContext
) -> Opinion:
    """The judge's opinion with one of the records shown first; what it says must not depend on which."""
    runtime = await current()
    task = await asyncio.to_thread(load_task, state["task"], runtime.project.prompts)
    judging = context.model_copy(update={"judge": "always"})
    judge = resolve_models(judging, runtime.env).judge
    if not judge:
        return Opinion(first=first, better=None, reasoning="no judge is attached; set --judge")
    prompt = await prompt_for(task, "compare", judge, judging, pairwise_schema())
    second = records["b" if first == "a" else "a"]
    question = prompt.about(state, first=compact(records[first]), second=compact(second))
    answer = await ask(question, current_asking())
    if answer.record is None:
        return Opinion(first=first, better=None, reasoning=f"no judgement: {answer.error}")
    return Opinion(first=first, better=answer.record["better"], reasoning=answer.record["reasoning"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All documents compared."""

    a: Side
    b: Side
    judge: str
    rows: Sequence[tuple[Document, CompareResult]]
    rate: WinRate
    swayed: int
    """Documents on which the judge followed the order."""

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
        }  # fmt: skip

    def page_rows(self) -> list[dict[str, Any]]:
        """Both records of every document, with the reasons, as the page shows them."""
        return [
            {
                "doc_id": document.doc_id, "text": document.text, "a": result["outcomes"]["a"]["record"],
                "b": result["outcomes"]["b"]["record"], "preferred": result["preferred"],
                "reasons": [
                    f"{item['first']} shown first, {item['better'] or 'nothing'}: {item['reasoning']}"
                    for item in result["opinions"]
                ],
            }
            for document, result in self.rows
        ]  # fmt: skip


async def compare_documents(
    graph: Any, documents: Sequence[Document], task: TaskSpec, sides: tuple[Side, Side], context: RunContext
) -> Comparison:
    """Every document through the compare graph, a few at a time; finished answers come from the run log."""
    gate = asyncio.Semaphore(8)

    async def one(document: Document) -> CompareResult:
        both = CompareInput(
            text=document.text, task=task.name, a=sides[0], b=sides[1], doc_id=document.doc_id,
            meta=dict(document.inputs),
        )  # fmt: skip
        async with gate:
            result: CompareResult = await graph.ainvoke(both, context=context)
        return result

    results = await asyncio.gather(*(one(document) for document in documents))
    preferred: list[Preference] = [result["preferred"] for result in results]
    models = resolve_models(context.model_copy(update={"judge": "always"}), (await current()).env)
    return Comparison(
        a=sides[0],
        b=sides[1],
        judge=models.judge,
        rows=list(zip(documents, results, strict=True)),
        rate=win_rate(preferred, [document.group for document in documents]),
        swayed=sum(_is_swayed(result["opinions"]) for result in results),
    )


def _is_swayed(opinions: Sequence[Opinion]) -> bool:
    said = [opinion["better"] for opinion in opinions]
    return said in (["first", "first"], ["second", "second"])


async def compare_file(
    project: Project, file: Path, task_name: str, names: tuple[str, str], context: RunContext,
    *, limit: int | None, max_usd: float | None, wait_s: float = DEFAULT_WAIT_S,
) -> Comparison:  # fmt: skip
    """Two models or versions, as they are named on the command line, on the documents of a file.

    Raises:
        UsageError: For a side there is not.
        SettingError: Where no judge can tell these two apart.
    """
    task, ledger = load_task(task_name, project.prompts), ledger_of(project.state)
    folder = await asyncio.to_thread(Path.cwd)
    a, b = (read_side(name, task, ledger, folder) for name in names)
    check_sides(a, b, context, os.environ)
    sides = (a, b)
    documents = read_documents(file, task, limit=limit)
    name = "compare-" + hashlib.sha256(f"{file}{sides}{task.identity}".encode()).hexdigest()[:12]
    graph = await asyncio.to_thread(load_graph, project, "compare")
    async with open_bench(project, name, max_usd=max_usd, wait_s=wait_s):
        return await compare_documents(graph, documents, task, sides, context)
