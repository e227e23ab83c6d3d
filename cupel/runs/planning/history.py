"""What the run log knows of earlier documents of a task: how far they went, and what each step took."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from cupel.context import RunContext
from cupel.runlog import RunLog, read_cell, tables
from cupel.runs.planning.sizes import ROLES, Role, Size, SizedDocument, Sizer
from cupel.state import Call, Outcome
from cupel.text import is_taken_over

MAX_DOCUMENTS = 500
"""Read from the run log; of each run in the order of its hashed keys, so that they are a uniform sample."""

_DECIDING = (
    "judge", "judge_way", "jury", "jury_models", "advisory_judge", "audit_share", "max_refinements", "policy", "human_review", "max_usd_per_document",
    "signals", "prerouter",
)  # fmt: skip
"""Settings that change how far a document goes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step really took, beside what would have been guessed for it."""

    guessed: Size
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    latency_s: float
    """Waiting for its answers, the windows of one step counted once: they are asked together."""


@dataclass(slots=True)
class History:
    """Earlier documents of a task, as far as they say something about a plan."""

    walks: list[Counter[Role]] = field(default_factory=list)
    """How often each role was asked about a document, of documents that went through the same prompts and models under
    the same settings."""

    steps: dict[Role, list[Step]] = field(default_factory=lambda: {role: [] for role in ROLES})
    """Of the models planned with, whatever the other settings were."""


def read_history(run_log: RunLog | None, sizer: Sizer, graph: str) -> History:
    """Earlier documents of the task: how far they went from runs like the one planned, tokens and times from all."""
    history = History()
    if run_log is None:
        return history
    task = sizer.task
    places = sizer.models.places(os.environ)
    runs = [
        _PastRun.of(row, sizer, graph)
        for row in run_log.runs(trials=True)
        if row["task"] == task.name
        and _asked_at(read_cell(tables.runs.c.settings, row["settings"], row["run_id"]), places)
    ]
    left = MAX_DOCUMENTS
    for run in sorted(runs, key=lambda run: not run.is_alike):
        for outcome, text in _outcomes(run_log, run.run_id, left):
            left -= 1
            _learn(history, outcome, text, run, sizer)
    return history


def _asked_at(settings: Mapping[str, Any], places: Mapping[str, str]) -> bool:
    """Whether a run asked its models where these will be asked: another address is another model."""
    then = settings.get("addresses", {})
    return all(then.get(model, "") == places.get(model, "") for model in settings.get("models", {}).values())


@dataclass(frozen=True, slots=True)
class _PastRun:
    run_id: str
    is_alike: bool
    """Whether its documents took the way those of the plan will take: the same graph, prompts, models and settings."""

    @classmethod
    def of(cls, row: Mapping[str, Any], sizer: Sizer, graph: str) -> _PastRun:
        settings = read_cell(tables.runs.c.settings, row["settings"], row["run_id"])
        context, wanted = run_settings(settings.get("context", {})), sizer.context.model_dump(mode="json")
        is_alike = (
            row["task_identity"] == sizer.task.identity
            and settings.get("graph") == graph
            and settings.get("models") == sizer.models.all()
            and all(context.get(name) == wanted[name] for name in _DECIDING)
        )
        return cls(row["run_id"], is_alike)


def run_settings(kept: Mapping[str, Any]) -> Mapping[str, Any]:
    """A past run's settings in today's words: what is set now and was not then was as it is by default."""
    return {
        **RunContext().model_dump(mode="json"),
        **kept,
        "advisory_judge": kept.get("advisory_judge") or None,
    }


def _outcomes(run_log: RunLog, run_id: str, limit: int) -> Iterator[tuple[Outcome, str]]:
    outcomes, documents = tables.outcomes, tables.documents
    joined = outcomes.join(documents, outcomes.c.text_hash == documents.c.text_hash)
    query = select(outcomes.c.key, outcomes.c.outcome, documents.c.text).select_from(joined)
    query = query.where(outcomes.c.run_id == run_id).order_by(outcomes.c.key).limit(max(limit, 0))
    with run_log.reading() as connection:
        for row in connection.execute(query):
            yield read_cell(outcomes.c.outcome, row.outcome, row.key), row.text


def _learn(history: History, outcome: Outcome, text: str, run: _PastRun, sizer: Sizer) -> None:
    document = SizedDocument.of(text, outcome["doc_id"], {})
    if document is None or not outcome["attempts"] or is_taken_over(outcome):  # a repeated row asked nothing
        return
    steps = list(_steps(outcome))
    if run.is_alike:
        history.walks.append(Counter(role for role, _, _ in steps))
    guessed = sizer.sizes(document)
    for role, model, calls in steps:
        if role in guessed and model == sizer.model_of(role):
            history.steps[role].append(_step(guessed[role], calls))


def _steps(outcome: Outcome) -> Iterator[tuple[Role, str, list[Call]]]:
    """Every step of a document that asked a model, with the calls no earlier step had made already."""
    asked: set[str] = set()
    for role, model, calls in _all_steps(outcome):
        fresh = [call for call in calls if call["key"] not in asked]
        asked.update(call["key"] for call in fresh)
        if model and fresh:
            yield role, model, fresh


def _all_steps(outcome: Outcome) -> Iterator[tuple[Role, str | None, list[Call]]]:
    for attempt in outcome["attempts"]:
        asked = [call for call in attempt["calls"] if call["kind"] not in ("verify", "answer")]
        yield attempt["tier"], attempt["model"], asked
        answered = [call for call in attempt["calls"] if call["kind"] == "answer"]
        yield "answer", answered[0]["model"] if answered else None, answered
        further = [call for call in attempt["calls"] if call["kind"] == "verify"]
        own = [call for call in further if call["model"] == attempt["model"]]
        second = [call for call in further if call["model"] != attempt["model"]]
        yield "verify", second[0]["model"] if second else None, second
        yield "sample", attempt["model"], own
    for verdict in outcome["verdicts"]:
        for model in dict.fromkeys(call["model"] for call in verdict["calls"]):
            yield "judge", model, [call for call in verdict["calls"] if call["model"] == model]
    for addendum in outcome["addenda"]:
        yield "refine", addendum["model"], addendum["calls"]


def _step(guessed: Size, calls: Sequence[Call]) -> Step:
    return Step(
        guessed=guessed,
        calls=len(calls),
        input_tokens=sum(call["input_tokens"] for call in calls),
        cached_tokens=sum(call["cached_tokens"] for call in calls),
        output_tokens=sum(call["output_tokens"] for call in calls),
        latency_s=sum(call["latency_s"] for call in calls) / guessed.calls,
    )
