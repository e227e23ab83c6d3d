"""The cascade with scripted models: what the tests of the graph are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cupel.context import RunContext
from cupel.project import Project
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.state.enrich import Outcome
from cupel.tables.rows import Row
from cupel.task.folder import load_task
from cupel.testing.models import ScriptedChatModel, scripted

TEXT = (
    "Madam President, we must build more homes. Rents rose by 40 % in ten years, and young people cannot "
    "move out. The Commission should therefore open its funds to the cities."
)
CLAIM, PREMISE = "we must build more homes", "Rents rose by 40 % in ten years"
INVENTED = "we must never build homes in the countryside"

MODELS = {f"{role}_model": f"scripted:{role}" for role in ("cheap", "strong", "judge", "refiner")}
UNJUDGED = {"cheap_model": "scripted:cheap", "strong_model": "scripted:strong", "judge": "never"}


def record(claim: str = CLAIM, stance: str | None = "support", matter: str = "housing") -> dict[str, Any]:
    """A record of the arguments task with one claim and one premise."""
    return {
        "matter": matter,
        "claims": [{"id": 1, "quote": claim}],
        "premises": [{"quote": PREMISE, "supports": 1}],
        "stance": stance or "none",
    }


def judgement(**findings: str) -> dict[str, Any]:
    """The judge's reply: every criterion passes unless said otherwise."""
    criteria = ("told_apart", "nothing_missing", "only_statements", "one_each", "support_fits", "stance_fits")
    return {
        name: {
            "reasoning": f"{name} was looked at",
            "evidence_quote": None,
            "finding": findings.get(name, "pass"),
        }
        for name in criteria
    }


ACCEPTS = judgement()
REJECTS = judgement(nothing_missing="fail")
CANNOT_TELL = judgement(stance_fits="unknown")


def instructions(*texts: str) -> dict[str, Any]:
    """The refiner's reply."""
    return {"instructions": [{"criterion": "nothing_missing", "instruction": text} for text in texts]}


LOOK_AT_THE_END = instructions("Read the last sentence too and decide whether it demands something.")


@dataclass
class Walk:
    """What became of one document, and what the models were asked for it."""

    outcome: Outcome
    models: Mapping[str, ScriptedChatModel] = field(default_factory=dict)

    @property
    def path(self) -> list[str]:
        """The nodes walked between prepare and finish."""
        return self.outcome["path"][1:-1]


def job(project: Project, **settings: Any) -> Job:
    """The arguments task with scripted models."""
    task = load_task(settings.pop("task", "arguments"), project.prompts)
    limits = {
        name: settings.pop(name) for name in ("concurrency", "max_usd", "retry_failed") if name in settings
    }
    return Job(task=task, context=RunContext(**{**MODELS, **settings}), **limits)


@contextmanager
def models(**scripts: Any) -> Any:
    """Scripted models by role; a role that is not scripted may not be asked."""
    unasked: dict[str, Sequence[Any]] = {role: [] for role in ("cheap", "strong", "judge", "refiner")}
    with scripted({f"scripted:{role}": script for role, script in {**unasked, **scripts}.items()}) as made:
        yield {name.removeprefix("scripted:"): model for name, model in made.items()}


async def enrich_all(
    project: Project, made: Job, texts: Sequence[object]
) -> tuple[list[Outcome | None], Runner]:
    """Outcomes of these texts, through the runner and the real graph."""
    rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(texts)]
    async with Runner(made, project, env={}) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
    return outcomes, runner


async def walk(
    project: Project, text: object = TEXT, *, settings: dict[str, Any] | None = None, **scripts: Any
) -> Walk:
    """One document through the graph with these scripts."""
    with models(**scripts) as made:
        outcomes, _ = await enrich_all(project, job(project, **(settings or {})), [text])
        outcome = outcomes[0]
        assert outcome is not None
        return Walk(outcome, made)
