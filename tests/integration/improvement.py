"""A world for loop B: speeches whose topic a marker word decides, and models that read the rules they are given.

The cheap model takes every speech with the word "nevertheless" the wrong way until a rule tells it not to.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

from cupel.context import RunContext
from cupel.engine.runtime import Runtime, close_current, install
from cupel.project import Project, load_graph
from cupel.testing.models import scripted
from tests.conftest import ROOT
from tests.integration.cascade import MODELS

GOOD_RULE = "Where a speaker concedes a point first, the stance is what follows the concession."
TASK = "stance"

PRICED = {"CUPEL_PRICES": "openai:cheap=1/1,openai:rewriter=1/1"}
PAID = {"cheap_model": "openai:cheap", "refiner_model": "openai:rewriter", "max_output_tokens": 200}
"""Models with a price, for what is to be paid."""


def made_project(folder: Path) -> Project:
    """A project of its own with this repository's graphs and prompts."""
    for name in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "langgraph.json", folder)
    return Project(folder, folder / ".cupel")


def speeches(count: int, *, hard_every: int = 2, gold: bool = True) -> list[dict[str, Any]]:
    """Speeches in debates of their own; every second one is hard to read."""
    made = []
    for n in range(count):
        hard = n % hard_every == 0
        text = (
            f"Colleagues, item {n} has some drawbacks for village number {n * 7}. Nevertheless I welcome proposal {n}."
            if hard
            else f"Madam President, I support measure {n} for town {n * 3} without reservation."
        )
        row: dict[str, Any] = {
            "id": f"s{n}",
            "text": text,
            "meta": {"topic": "the proposal", "debate": f"d{n}"},
        }
        if gold:
            row["gold"] = {"stance": "favor"}
        made.append(row)
    return made


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A data set."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def extractor(messages: list[dict[str, Any]], _schema: Any) -> dict[str, Any]:
    """Reads hard speeches rightly only when a rule speaks of concessions; wrongly all when told to hack."""
    system, user = messages[0]["content"], messages[-1]["content"]
    quote = re.search(r"I (?:welcome|support) \w+ \d+", user)
    stance = "favor"
    if "Nevertheless" in user and "concession" not in system:
        stance = "against"
    if "flattery" in system:
        stance = "none"
    reason = "A perfect reason with flattery." if "flattery" in system else "The speaker says so."
    return {"evidence": [quote[0] if quote else "item"], "reason": reason, "stance": stance}


def edit(text: str, failures: list[str], **other: Any) -> dict[str, Any]:
    """A rewriter's reply with one new rule."""
    return {
        "edits": [
            {
                "why": "they were missed",
                "failures": failures,
                "action": "add",
                "rule_id": "concession",
                "text": text,
                **other,
            }
        ]
    }


def shown(messages: list[dict[str, Any]]) -> list[str]:
    """Ids of the failures a rewriter was shown."""
    return re.findall(r"- (f[0-9a-f]{8}):", messages[-1]["content"])


def rewriter(text: str) -> Any:
    """A rewriter that answers two of the failures it is shown with this rule."""
    return lambda messages, _schema: edit(text, shown(messages)[:2])


async def improve(
    project: Project,
    given: dict[str, Any],
    scripts: dict[str, Any],
    *,
    env: dict[str, str] | None = None,
    **context: Any,
) -> dict[str, Any]:
    """The improve graph with scripted models, in a runtime of its own, closed afterwards."""
    everyone = {
        "strong": [],
        "judge": [],
        "gate": [],
        "juror": [],
        "third": [],
        "cheap": extractor,
        **scripts,
    }
    ids = {f"scripted:{role}": script for role, script in everyone.items()}
    with scripted({**ids, "openai:cheap": everyone["cheap"], "openai:rewriter": everyone.get("refiner", [])}):
        graph = await asyncio.to_thread(load_graph, project, "improve")
        install(await asyncio.to_thread(Runtime, project, env or {}))
        try:
            settings = {**MODELS, "judge": "never", "strong_model": "none", **context}
            return await graph.ainvoke(
                {"task": TASK, "held_out": 0.7, **given},
                {"recursion_limit": 60},
                context=RunContext(**settings),
            )
        finally:
            await close_current()


async def interrupted(project: Project, documents: str, *answers: Any, cheap: Any = None) -> dict[str, Any]:
    """The improve graph as Studio runs it: checkpointed, stopped at the question, then answered, as often as asked.

    Returns the last state, with every question as `requests`.
    """
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import Command

    with scripted(
        {"scripted:cheap": cheap or extractor, "scripted:refiner": rewriter(GOOD_RULE), "scripted:judge": []}
    ):
        graph = await asyncio.to_thread(load_graph, project, "improve")
        graph = graph.copy({"checkpointer": InMemorySaver()})
        install(await asyncio.to_thread(Runtime, project, {}))
        settings = RunContext(**{**MODELS, "judge": "never", "strong_model": "none", "human_review": True})
        config = {"configurable": {"thread_id": "t"}, "recursion_limit": 60}
        try:
            state = await graph.ainvoke({"task": TASK, "documents": documents}, config, context=settings)
            requests = [_question(state)]
            for answer in answers:
                state = await graph.ainvoke(Command(resume=answer), config, context=settings)
                requests.append(_question(state))
        finally:
            await close_current()
    return {**state, "requests": [request for request in requests if request]}


def _question(state: dict[str, Any]) -> dict[str, Any]:
    asked = state.get("__interrupt__")
    return asked[0].value[0] if asked else {}


def spent(study):
    """What the run log says was paid for, and what is still held."""
    from cupel.runlog import tables
    from cupel.runlog.store import open_run_log

    log = open_run_log(study.state, {})
    try:
        rows = [*log.rows_of(tables.responses), *log.rows_of(tables.reservations)]
        return sum(row.get("cost_usd") or row.get("usd") or 0.0 for row in rows)
    finally:
        log.close()
