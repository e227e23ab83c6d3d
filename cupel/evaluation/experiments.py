"""Experiments: a data set × models × prompts × policies, with intervals, held against a committed baseline."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.context import RunContext, run_context
from cupel.errors import InputError, SettingError
from cupel.improvement import Ledger, as_version, known_version, read_candidate, version_of
from cupel.metrics import SpanLabels, evaluate, labelled_spans
from cupel.runs import Bench, Document, agreement_with_gold
from cupel.state import Outcome
from cupel.stats import Interval, bootstrap_mean
from cupel.task import TaskSpec
from cupel.text import is_grounded

KEYS = (
    "task",
    "dataset",
    "models",
    "prompts",
    "policies",
    "settings",
    "limit",
    "group",
    "baseline",
    "tolerance",
    "description",
    "spans",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What an experiment's TOML says.

    Attributes:
        path: The file; data set and baseline are relative to it.
        models: Name → settings of `RunContext`, such as a profile or a cheap model.
        prompts: `active`, versions of the ledger, or rules files.
        policies: `none`, `auto`, or files of `cupel calibrate`.
        tolerance: How far a figure may fall below its baseline.
        spans: How a record's quotes are labelled in the gold's `spans`; None where they are not scored so.
    """

    path: Path
    task: str
    dataset: Path
    models: Mapping[str, Mapping[str, Any]]
    prompts: Sequence[str] = ("active",)
    policies: Sequence[str] = ("none",)
    settings: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    group: str = ""
    baseline: Path | None = None
    tolerance: float = 0.0
    spans: SpanLabels | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One line of the table."""

    name: str
    task: TaskSpec
    context: RunContext


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over documents and its 95 % interval, groups resampled."""

    value: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a variant came to."""

    variant: Variant
    figures: Mapping[str, Figure]
    documents: int
    cost_usd: float | None
    outcomes: Mapping[str, Outcome]


def read_experiment(path: Path) -> Experiment:
    """Read and check an experiment.

    Raises:
        InputError: For a missing file or key, or an unknown one, naming those there are.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    if unknown := [key for key in told if key not in KEYS]:
        raise InputError(f"{path}: unknown key {unknown[0]!r}; there are {', '.join(KEYS)}")
    if missing := [key for key in ("task", "dataset", "models") if not told.get(key)]:
        raise InputError(f"{path}: needs {missing[0]!r}")
    folder = path.parent
    return Experiment(
        path=path,
        task=told["task"],
        dataset=folder / told["dataset"],
        models=told["models"],
        prompts=told.get("prompts", ["active"]),
        policies=told.get("policies", ["none"]),
        settings=told.get("settings", {}),
        limit=told.get("limit"),
        group=told.get("group", ""),
        baseline=folder / told["baseline"] if told.get("baseline") else None,
        tolerance=float(told.get("tolerance", 0.0)),
        spans=_spans(told, path),
    )


def _spans(told: Mapping[str, Any], path: Path) -> SpanLabels | None:
    if "spans" not in told:
        return None
    table = told["spans"]
    unknown = (
        [key for key in table if key not in ("label", "names")]
        if isinstance(table, Mapping)
        else [repr(table)]
    )
    if unknown:
        raise InputError(f"{path}: [spans] is a table of label and names, not {unknown[0]}")
    return SpanLabels(item=str(table.get("label", "")), names=dict(table.get("names", {})))


def variants(experiment: Experiment, task: TaskSpec, ledger: Ledger, env: Mapping[str, str]) -> list[Variant]:
    """Every combination of model, prompt and policy.

    Raises:
        UsageError: For an unknown setting, version or file.
    """
    made = []
    for (model, settings), prompt, policy in itertools.product(
        experiment.models.items(), experiment.prompts, experiment.policies
    ):
        spec = _prompt(prompt, task, ledger, experiment.path.parent)
        context = run_context({**experiment.settings, **settings, "policy": policy}, env)
        parts = [
            model,
            *([prompt] if len(experiment.prompts) > 1 else []),
            *([policy] if len(experiment.policies) > 1 else []),
        ]
        made.append(Variant(name=" · ".join(parts), task=spec, context=context))
    return made


def _prompt(told: str, task: TaskSpec, ledger: Ledger, folder: Path) -> TaskSpec:
    if told == "active":
        return task
    if told.endswith((".toml", ".md")):
        return read_candidate(folder / told, task)
    return as_version(task, known_version(ledger, task.name, told).data)


async def score_variant(
    bench: Bench, variant: Variant, documents: Sequence[Document], spans: SpanLabels | None = None
) -> Scores:
    """Run a variant on every document and add its figures up; a document without a record counts as 0."""
    outcomes = await bench.outcomes(variant.task, variant.context, documents)
    if missing := [d.doc_id for d in documents if d.doc_id not in outcomes]:
        raise SettingError(
            f"{variant.name}: {len(missing)} documents have no outcome, such as {missing[0]!r}"
        )
    groups = [document.group for document in documents]
    figures = {
        name: Figure(sum(values) / len(values), bootstrap_mean(values, groups), len(values))
        for name, values in _values(variant.task, outcomes, documents).items()
    }
    if spans is not None:
        figures = _span_figures(outcomes, documents, spans) | figures
    costs = [outcomes[d.doc_id]["cost_usd"] for d in documents]
    known = [cost for cost in costs if cost is not None]
    return Scores(
        variant=variant,
        figures=figures,
        documents=len(documents),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        outcomes=outcomes,
    )


def _span_figures(
    outcomes: Mapping[str, Outcome], documents: Sequence[Document], labels: SpanLabels
) -> dict[str, Figure]:
    """Micro F1 of exact and of half overlapping spans over all documents, as the gold sets are scored elsewhere."""
    gold = [
        {"id": d.doc_id, "text": d.text, "meta": {"block": d.group}, "gold": dict(d.gold or {})}
        for d in documents
    ]
    answers = [{"id": d.doc_id, "spans": list(labelled_spans(outcomes[d.doc_id], labels))} for d in documents]
    made = {}
    for name in ("exact", "iou50"):
        told = evaluate(gold, answers, kinds=["spans"], headline=f"spans.{name}.micro_f1")
        interval = told.interval or Interval(0.0, 1.0)
        made[f"span_f1_{name}"] = Figure(told.value, interval, len(documents))
    return made


def document_scores(outcome: Outcome, document: Document, task: TaskSpec) -> dict[str, float]:
    """What one document of a variant is scored: against its gold, and by what was said of it without any."""
    scores = {"accepted": float(outcome["status"] == "accepted"), "quotes_found": _quotes_found(outcome)}
    if document.gold is not None:
        metric = agreement_with_gold(outcome, document, task)
        scores |= {f"metric_{task.metric}": metric, "right": float(metric >= task.wrong_below)}
    known = {name: value for name in ("confidence", "score") if (value := outcome[name]) is not None}
    return scores | known


def _values(
    task: TaskSpec, outcomes: Mapping[str, Outcome], documents: Sequence[Document]
) -> dict[str, list[float]]:
    """Per figure one number a document: against gold where all have it, and what needs none."""
    found = [outcomes[document.doc_id] for document in documents]
    values: dict[str, list[float]] = {}
    if all(document.gold is not None for document in documents):
        metric = [agreement_with_gold(o, d, task) for o, d in zip(found, documents, strict=True)]
        values[f"metric_{task.metric}"] = metric
        values["right"] = [float(value >= task.wrong_below) for value in metric]
    values["accepted"] = [float(outcome["status"] == "accepted") for outcome in found]
    values["has_record"] = [float(outcome["record"] is not None) for outcome in found]
    values["quotes_found"] = [_quotes_found(outcome) for outcome in found]
    values["not_escalated"] = [float("escalate" not in outcome["path"]) for outcome in found]
    return values


def _quotes_found(outcome: Outcome) -> float:
    """Share of a record's quotes that stand in the text; 1 for a record without quotes, 0 for none."""
    if outcome["record"] is None:
        return 0.0
    matches = [is_grounded(item["match"]) for item in outcome["evidence"]]
    return sum(matches) / len(matches) if matches else 1.0


def as_baseline(scores: Sequence[Scores], task: str) -> dict[str, Any]:
    """The figures as a committed baseline holds them."""
    return {
        "task": task,
        "variants": {
            one.variant.name: {
                "prompt_version": version_of(one.variant.task),
                "documents": one.documents,
                **{name: round(figure.value, 6) for name, figure in one.figures.items()},
            }
            for one in scores
        },
    }


@dataclass(frozen=True, slots=True)
class Broken:
    """A figure that fell below its baseline."""

    variant: str
    figure: str
    baseline: float
    value: float | None

    def __str__(self) -> str:
        """In words."""
        now = "is gone" if self.value is None else f"is {self.value:.4f}"
        return f"{self.variant}: {self.figure} {now}, the baseline has {self.baseline:.4f}"


def broken(scores: Sequence[Scores], baseline: Mapping[str, Any], tolerance: float) -> list[Broken]:
    """Figures of the baseline that are lower now, or missing, by more than the tolerance."""
    now = {one.variant.name: one.figures for one in scores}
    found = []
    for name, figures in baseline.get("variants", {}).items():
        for figure, value in figures.items():
            if figure in ("prompt_version", "documents"):
                continue
            current = now.get(name, {}).get(figure)
            if current is None or current.value < value - tolerance - 1e-6:
                found.append(Broken(name, figure, value, None if current is None else current.value))
    return found


def experiment_id(experiment: Experiment, task: TaskSpec) -> str:
    """What the money of an experiment is booked under."""
    told = json.dumps([experiment.name, task.identity, str(experiment.dataset.name)])
    return "eval-" + hashlib.sha256(told.encode()).hexdigest()[:12]
