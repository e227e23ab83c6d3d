"""A graph of one step, for tests of what drives a graph: it asks no model, and the text says what comes of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cupel.context import RunContext
from cupel.errors import BudgetExceededError
from cupel.project import Project
from cupel.runs.job import Job, failed_outcome
from cupel.state.enrich import Outcome
from cupel.tables.rows import Row
from cupel.task.folder import load_task
from tests.conftest import ROOT

MODELS = {f"{role}_model": f"scripted:{role}" for role in ("cheap", "strong", "judge", "refiner")}


class OneStep:
    """Accepts every document; `fails` raises in the graph, `too dear` reaches the budget, `empty` has no record."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ainvoke(self, given: dict[str, Any], _config: object, *, context: RunContext) -> Outcome:
        """One document's outcome."""
        text = given["text"]
        self.asked.append(text)
        if "fails" in text:
            raise ValueError("a fault in a node")
        if "too dear" in text:
            raise BudgetExceededError("the run may spend no more")
        if "empty" in text:
            return outcome(given.get("doc_id", "?"), record=None, status="failed")
        return outcome(given.get("doc_id", "?"))


graph = OneStep()
"""What `project_of` names as its enrich graph."""


def outcome(doc_id: str, **more: Any) -> Outcome:
    """An accepted outcome of the stance task, without a quote."""
    accepted = {
        "status": "accepted",
        "record": {"evidence": [], "reason": "It says so.", "stance": "favor"},
        "reasons": [],
        "path": ["prepare", "extract", "finish"],
    }
    return {**failed_outcome("stance", row(0, doc_id=doc_id), ""), **accepted, **more}  # type: ignore[typeddict-item]


def call(key: str = "k", kind: str = "extract", model: str = "scripted:cheap", **more: Any) -> dict[str, Any]:
    """A paid call as the run log has it."""
    paid = {"input_tokens": 90, "cached_tokens": 0, "output_tokens": 10, "cost_usd": 0.01, "latency_s": 2.0}
    return {"key": key, "kind": kind, "model": model, "cached": False, **paid, **more}


def row(position: int, text: object = "", doc_id: str | None = None, **more: Any) -> Row:
    """One row, on a topic."""
    return Row(position=position, values={}, text=text, doc_id=doc_id, inputs={"topic": "a tax"}, **more)


def rows(*texts: object) -> list[Row]:
    """Rows of these texts, with ids."""
    return [row(n, text, f"d{n}") for n, text in enumerate(texts)]


def project_of(folder: Path) -> Project:
    """A project whose enrich graph is `OneStep`, with this repository's prompts for stance."""
    (folder / "graphs").mkdir()
    (folder / "graphs/enrich.py").write_text("from tests.unit.runs.stand_in import graph\n")
    (folder / "langgraph.json").write_text('{"graphs": {"enrich": "./graphs/enrich.py:graph"}}')
    for task in ("_generic", "stance"):
        shutil.copytree(ROOT / "prompts" / task, folder / "prompts" / task)
    return Project(folder, folder / ".cupel")


def job_of(project: Project, **more: Any) -> Job:
    """The stance task with scripted models, none of which is asked."""
    settings = {name: more.pop(name) for name in list(more) if name in RunContext.model_fields}
    return Job(
        task=load_task("stance", project.prompts), context=RunContext(**{**MODELS, **settings}), **more
    )
