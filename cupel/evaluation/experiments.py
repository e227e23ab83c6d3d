"""Experiments: a data set × models × prompts × policies, with intervals, held against a committed baseline."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.context import RunContext, run_context
from cupel.errors import InputError, SettingError
from cupel.evaluation.labels import as_example
from cupel.files import SHARED, read_text, write_whole
from cupel.improvement import (
    SPENT,
    Ledger,
    as_version,
    held_out_of,
    is_path,
    known_version,
    ledger_of,
    read_candidate,
    showable,
    version_of,
)
from cupel.limits import DEFAULT_WAIT_S
from cupel.metrics import SpanLabels, evaluate, labelled_spans
from cupel.project import Project
from cupel.runlog import existing_run_log
from cupel.runs import Bench, Document, agreement_with_gold, open_bench, read_documents
from cupel.state import Outcome
from cupel.stats import Interval, bounded_mean, wilson
from cupel.task import TaskSpec, load_task
from cupel.text import is_grounded
from cupel.tracing import feedback_of, upload_experiment

KEYS = (
    "task", "dataset", "gold", "models", "prompts", "policies", "settings", "limit", "group", "baseline",
    "tolerance", "description", "spans",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What an experiment's TOML says.

    Attributes:
        path: The file; data set and baseline are relative to it.
        gold: A file of labels, relative to it too, or a column of the data set; the column `gold` when empty.
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
    gold: str = ""
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
    """A mean over documents and its 95 % interval, groups resampled; it is never certain."""

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
        table = tomllib.loads(read_text(path))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    if unknown := [key for key in table if key not in KEYS]:
        raise InputError(f"{path}: unknown key {unknown[0]!r}; there are {', '.join(KEYS)}")
    if missing := [key for key in ("task", "dataset", "models") if not table.get(key)]:
        raise InputError(f"{path}: needs {missing[0]!r}")
    plain = {key: value for key, value in table.items() if key not in ("description", "spans")}
    files = {key: path.parent / table[key] for key in ("dataset", "baseline") if table.get(key)}
    tolerance = float(table.get("tolerance", 0.0))
    if (path.parent / plain.get("gold", "")).is_file():
        plain["gold"] = str(path.parent / plain["gold"])
    return Experiment(
        **{**plain, "baseline": None, **files, "tolerance": tolerance}, path=path, spans=_spans(table, path)
    )


def _spans(experiment: Mapping[str, Any], path: Path) -> SpanLabels | None:
    if "spans" not in experiment:
        return None
    table = experiment["spans"]
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
    several = [len(kinds) > 1 for kinds in (experiment.prompts, experiment.policies)]
    return [
        Variant(
            name=" · ".join([model, *itertools.compress((prompt, policy), several)]),
            task=named_prompt(prompt, task, ledger, experiment.path.parent),
            context=run_context({**experiment.settings, **settings, "policy": policy}, env),
        )
        for (model, settings), prompt, policy in itertools.product(
            experiment.models.items(), experiment.prompts, experiment.policies
        )
    ]


def named_prompt(name: str, task: TaskSpec, ledger: Ledger, folder: Path) -> TaskSpec:
    """The task with the prompt a person names: `active`, a rules.toml or extract.md, or a version of the ledger.

    Raises:
        UsageError: For a version the ledger does not have.
    """
    if name == "active":
        return task
    if is_path(name, folder):
        return read_candidate(folder / name, task)
    return as_version(task, known_version(ledger, task.name, name).data)


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
        name: Figure(sum(values) / len(values), bounded_mean(values, groups), len(values))
        for name, values in _values(variant.task, outcomes, documents).items()
    }
    if spans is not None:
        figures = _span_figures(outcomes, documents, spans) | figures
    costs = [outcomes[d.doc_id]["cost_usd"] for d in documents]
    priced = [cost for cost in costs if cost is not None]
    return Scores(
        variant=variant,
        figures=figures,
        documents=len(documents),
        cost_usd=sum(priced) if len(priced) == len(costs) else None,
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
    figures = {}
    for name in ("exact", "iou50"):
        micro = evaluate(gold, answers, kinds=["spans"], headline=f"spans.{name}.micro_f1")
        interval = micro.interval or Interval(0.0, 1.0)
        if interval.low == interval.high:  # every resample came to the same: that is not certainty
            interval = wilson(micro.value * len(documents), len(documents))
        figures[f"span_f1_{name}"] = Figure(micro.value, interval, len(documents))
    return figures


def document_scores(outcome: Outcome, document: Document, task: TaskSpec) -> dict[str, float]:
    """What one document of a variant is scored: against its gold, and by what was said of it without any."""
    scores = {"accepted": float(outcome["status"] == "accepted"), "quotes_found": _quotes_found(outcome)}
    if document.gold is not None:
        metric = agreement_with_gold(outcome, document, task)
        scores |= {f"metric_{task.metric}": metric, "right": float(metric >= task.wrong_below)}
    sure = {name: value for name in ("confidence", "score") if (value := outcome[name]) is not None}
    return scores | sure


def _values(
    task: TaskSpec, outcomes: Mapping[str, Outcome], documents: Sequence[Document]
) -> dict[str, list[float]]:
    """Per figure one number a document: against gold where all have it, and what needs none."""
    in_order = [outcomes[document.doc_id] for document in documents]
    values: dict[str, list[float]] = {}
    if all(document.gold is not None for document in documents) and _is_annotated(task, documents):
        metric = [agreement_with_gold(o, d, task) for o, d in zip(in_order, documents, strict=True)]
        values[f"metric_{task.metric}"] = metric
        values["right"] = [float(value >= task.wrong_below) for value in metric]
    values["accepted"] = [float(outcome["status"] == "accepted") for outcome in in_order]
    values["has_record"] = [float(outcome["record"] is not None) for outcome in in_order]
    values["quotes_found"] = [_quotes_found(outcome) for outcome in in_order]
    values["not_escalated"] = [float("escalate" not in outcome["path"]) for outcome in in_order]
    return values


def _is_annotated(task: TaskSpec, documents: Sequence[Document]) -> bool:
    """Whether gold says anything of the task's record, and not only what a data set's own figures use."""
    return any(name in (document.gold or {}) for document in documents for name in task.fields)


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
    fallen = []
    for name, figures in baseline.get("variants", {}).items():
        for figure, value in figures.items():
            if figure in ("prompt_version", "documents"):
                continue
            current = now.get(name, {}).get(figure)
            if current is None or current.value < value - tolerance - 1e-6:
                fallen.append(Broken(name, figure, value, None if current is None else current.value))
    return fallen


def experiment_id(experiment: Experiment, task: TaskSpec) -> str:
    """What the money of an experiment is booked under."""
    names = json.dumps([experiment.name, task.identity, str(experiment.dataset.name)])
    return "eval-" + hashlib.sha256(names.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResult:
    """What every variant of an experiment came to."""

    experiment: Experiment
    documents: Sequence[Document]
    scores: Sequence[Scores]
    notes: tuple[str, ...] = ()
    """What was left out."""

    def broken(self) -> list[Broken]:
        """What fell below the experiment's baseline; nothing where it has none.

        Raises:
            InputError: For a baseline that cannot be read.
        """
        path = self.experiment.baseline
        if path is None:
            return []
        try:
            baseline = json.loads(read_text(path))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: no baseline can be read there ({error}); --save-baseline writes it"
            ) from error
        return broken(self.scores, baseline, self.experiment.tolerance)

    def save(self, path: Path) -> None:
        """Write the figures as the baseline."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            as_baseline(self.scores, self.experiment.task), indent=1, ensure_ascii=False, sort_keys=True
        )
        write_whole(path, text + "\n", permissions=SHARED)

    def upload(self, env: Mapping[str, str]) -> Iterator[str]:
        """Send it to LangSmith: one data set, one experiment a variant; the address of each."""
        examples = [
            as_example({"id": d.doc_id, "text": d.text, "meta": {**d.meta, **d.inputs}, "gold": d.gold})
            for d in self.documents
        ]
        for one in self.scores:
            outcomes, task = one.outcomes, one.variant.task
            yield upload_experiment(
                env,
                dataset=self.experiment.dataset.stem,
                experiment=one.variant.name,
                examples=examples,
                rows={
                    doc_id: {"record": outcome["record"], "status": outcome["status"]}
                    for doc_id, outcome in outcomes.items()
                },
                figures={name: figure.value for name, figure in one.figures.items()},
                feedback={
                    d.doc_id: feedback_of(outcomes[d.doc_id]) | document_scores(outcomes[d.doc_id], d, task)
                    for d in self.documents
                },
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of the figures."""
        return {
            "experiment": self.experiment.name,
            "task": self.experiment.task,
            "notes": list(self.notes),
            "variants": [
                {
                    "name": one.variant.name, "documents": one.documents, "cost_usd": one.cost_usd,
                    "figures": {
                        name: {"value": f.value, "interval": [f.interval.low, f.interval.high]} for name, f in one.figures.items()
                    },
                }
                for one in self.scores
            ],
        }  # fmt: skip


async def run_experiment(
    project: Project, experiment: Experiment, *, max_usd: float | None, wait_s: float = DEFAULT_WAIT_S
) -> ExperimentResult:
    """Run every variant on the experiment's documents.

    Raises:
        InputError: For a data set that is not there.
        StopRunError: When the budget or a daily limit was reached; the same call goes on from there.
    """
    task = load_task(experiment.task, project.prompts)
    if not experiment.dataset.is_file():
        raise InputError(f"{experiment.path}: its data set {experiment.dataset} does not exist")
    documents = read_documents(
        experiment.dataset, task, group=experiment.group, limit=experiment.limit, gold=experiment.gold,
        scored=experiment.spans is None,
    )  # fmt: skip
    every = variants(experiment, task, ledger_of(project.state), os.environ)
    async with open_bench(project, experiment_id(experiment, task), max_usd=max_usd, wait_s=wait_s) as bench:
        scores = [await score_variant(bench, variant, documents, experiment.spans) for variant in every]
    notes = (*documents.notes, *_tell_partial(documents), *_tell_held_out(project, task, documents))
    return ExperimentResult(experiment=experiment, documents=documents, scores=scores, notes=notes)


def _tell_held_out(project: Project, task: TaskSpec, documents: Sequence[Document]) -> list[str]:
    """That what is scored by gold is seen; and what that costs where the gate holds it out."""
    texts = {document.doc_id: document.text for document in documents if document.gold is not None}
    if not texts:
        return []
    with existing_run_log(project) as log:
        showable(project.state, log, task.name, texts, how="eval", held_out_too=True)
    held = held_out_of(project.state, task.name, texts)
    return [f"{len(held)} documents: {SPENT}"] if held else []


def _tell_partial(documents: Sequence[Document]) -> list[str]:
    """Figures by gold are of all documents, or there are none."""
    golden = sum(document.gold is not None for document in documents)
    if golden in (0, len(documents)):
        return []
    said = f"{golden} of {len(documents)} documents have gold: nothing is scored against it"
    return [f"{said}. Give it for all, or a data set of those that have it"]
