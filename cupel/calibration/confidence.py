"""Calibrate a task's confidence on one's own documents, and certify the threshold it accepts at."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cupel._format import Shown
from cupel.cascade import (
    FREE,
    attempt_record,
    begin,
    conclude,
    measure,
    name_language,
    observe_costly,
    observe_free,
    read_signals,
    take_up,
    weigh,
)
from cupel.context import RunContext
from cupel.engine import current_asking, policy_path
from cupel.errors import NotEnoughDataError, SettingError
from cupel.files import make_folder, write_whole
from cupel.metrics import Gold, record_metric
from cupel.models import name_at_address
from cupel.project import Project
from cupel.routing import (
    Binding,
    LogisticRouter,
    Prerouter,
    Promise,
    RunRows,
    ThresholdCascade,
    best_threshold,
    certify_cascade,
    fit_calibration,
    uniform_sample,
)
from cupel.runlog import cost_of
from cupel.runs import Job, Runner
from cupel.state import Outcome, Record
from cupel.stats import auroc, expected_calibration_error
from cupel.tables import Row, Table
from cupel.task import TaskSpec

BASIC = ("schema_valid", "quotes_grounded", "fields_filled")


class BothTiers:
    """A stand-in for the graph that asks both tiers about every document, so that they can be compared."""

    async def ainvoke(self, document: Mapping[str, Any], _config: object, *, context: RunContext) -> Outcome:
        """The cheap attempt with its signals, then the strong one; nothing is judged."""
        asking = current_asking()
        state = await begin(document, asking)
        if state["problem"] is None:
            work = await take_up(state, context.model_copy(update={"policy": "none"}), asking)
            cheap = await attempt_record(work, asking, "cheap")
            state["attempts"] = [cheap]
            seen, calls = await observe_costly(work, observe_free(cheap), asking)
            signals = measure(work, seen, None)
            cheap = {**cheap, "calls": [*cheap["calls"], *calls], "signals": signals}
            state["attempts"] = [{**cheap, **weigh(work, signals, None)}]
            state["attempts"].append(await attempt_record(work, asking, "strong"))
            state["path"] = ["prepare", "extract", "verify", "escalate"]
        state["language"] = await name_language(state)
        return conclude(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What both tiers made of one document of the sample."""

    doc_id: str
    text: str
    signals: list[float]
    """NaN where a signal is missing."""

    quality: float
    """The cheap record's task metric against the reference, in [0, 1]."""

    right: bool
    strong_right: bool
    """True throughout where the strong record itself is the reference."""

    cheap_usd: float
    strong_usd: float
    verify_usd: float


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """The sample, as far as it could be labelled."""

    labels: list[Label]
    names: tuple[str, ...]
    """Of the signals."""

    binding: Binding
    unlabelled: int
    """Documents without a reference: no gold, or no strong record."""

    @property
    def right(self) -> list[bool]:
        """Whether each cheap record is right."""
        return [label.right for label in self.labels]


@dataclass(frozen=True, kw_only=True)
class CalibrationResult(Shown):
    """What `cupel calibrate` found, and where it was stored."""

    policy: ThresholdCascade
    path: Path
    summary: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What `cupel calibrate --json` prints."""
        return {**self.summary, "policy": str(self.path)}


def sample_rows(table: Table, size: int, *, seed: int = 0) -> list[Row]:
    """A uniform sample of a table's rows, in order; never its first ones.

    Raises:
        NotEnoughDataError: If the table has fewer rows than that.
    """
    chosen = set(uniform_sample(len(table), size, seed=seed).tolist())
    return [row for row in table if row.position in chosen]


async def label(
    rows: Sequence[Row],
    job: Job,
    project: Project,
    *,
    gold: Gold | None = None,
    field: str = "",
) -> Labelled:
    """Ask both tiers about the sample, and compare the cheap record with gold or with the strong record."""
    async with Runner(job, project, graph=BothTiers()) as runner:
        runner.progress.total = len(rows)
        outcomes = [(row, outcome) async for row, outcome in runner.outcomes(rows)]
    if runner.stop.error is not None:
        raise runner.stop.error
    asked = [(row, outcome) for row, outcome in outcomes if outcome is not None]
    return label_rows(asked, job.task, job.context, gold, field=field)


def label_rows(
    outcomes: Iterable[tuple[Row, Outcome]],
    task: TaskSpec,
    context: RunContext,
    gold: Gold | None,
    *,
    field: str = "",
) -> Labelled:
    """The outcomes of `BothTiers` as rows of signals and labels; of one field, or of whole records."""
    names = tuple(dict.fromkeys((*BASIC, *FREE, *read_signals(context))))
    labels: list[Label] = []
    unlabelled, binding = 0, Binding(task=task.name, prompt_version="", model="", field=field)
    judged = replace(task, metric=field) if field else task
    for row, outcome in outcomes:
        reference = _reference(row, outcome, gold, task)
        if reference is None or len(outcome["attempts"]) < 2:
            unlabelled += 1
            continue
        cheap, strong = outcome["attempts"][:2]
        binding = replace(
            binding, prompt_version=cheap["prompt_version"], model=name_at_address(cheap["model"])
        )
        quality = _quality(cheap["record"], reference, judged)
        label = Label(
            doc_id=outcome["doc_id"],
            text=str(row.text),
            signals=[
                math.nan if (value := cheap["signals"].get(name)) is None else float(value) for name in names
            ],
            quality=quality,
            right=quality >= task.wrong_below,
            strong_right=_quality(strong["record"], reference, judged) >= task.wrong_below,
            cheap_usd=cost_of(call for call in cheap["calls"] if call["kind"] != "verify") or 0.0,
            strong_usd=cost_of(strong["calls"]) or 0.0,
            verify_usd=cost_of(call for call in cheap["calls"] if call["kind"] == "verify") or 0.0,
        )
        labels.append(label)
    return Labelled(labels=labels, names=names, binding=binding, unlabelled=unlabelled)


def _reference(row: Row, outcome: Outcome, gold: Gold | None, task: TaskSpec) -> Record | None:
    if gold is not None:
        return gold.of(row.position, outcome["doc_id"])
    second = outcome["attempts"][1]["record"] if len(outcome["attempts"]) > 1 else None
    # what code computed would agree with itself, whatever the models wrote
    return None if second is None else task.shown(second)


def _quality(record: Record | None, reference: Record, task: TaskSpec) -> float:
    if record is None:
        return 0.0
    return record_metric(record, reference, metric=task.metric, schema=task.schema)


def certify_policy(labelled: Labelled, *, promise: Promise, seed: int = 0) -> ThresholdCascade:
    """Fit the confidence on one part of the labels and certify its threshold on the other.

    Raises:
        NotEnoughDataError: Too few labels, or of one kind only; it says how many more would do.
    """
    if not labelled.labels:
        raise NotEnoughDataError(
            f"none of the {labelled.unlabelled} sampled documents could be labelled: the strong model gave no record, "
            "or the gold file has none of these ids"
        )
    table, right = (
        np.asarray([label.signals for label in labelled.labels]),
        np.asarray(labelled.right, dtype=int),
    )
    measured = np.flatnonzero(~np.isnan(table).all(axis=0))
    names = [labelled.names[index] for index in measured]
    fit = partial(fit_calibration, names=names, binding=labelled.binding)
    return certify_cascade(table[:, measured], right, fit=fit, promise=promise, seed=seed)


def replay_records(labelled: Labelled) -> list[dict[str, Any]]:
    """The labelled sample as `cupel evaluate-routing` reads it: what any policy would have cost and kept on it."""
    costly = [name for name in ("agreement", "self_verified", "self_consistency") if name in labelled.names]
    return [
        {
            "doc_id": label.doc_id,
            "text": label.text,
            "weak_correct": int(label.right),
            "strong_correct": int(label.strong_right),
            "weak_cost_usd": label.cheap_usd,
            "strong_cost_usd": label.strong_usd,
            "signals": {
                name: None if math.isnan(value) else value
                for name, value in zip(labelled.names, label.signals, strict=True)
            },
            "signal_costs": {name: label.verify_usd / len(costly) for name in costly},
        }
        for label in labelled.labels
    ]


def learn_prerouter(labelled: Labelled) -> Prerouter:
    """A text router learnt from the sample: logistic regression on TF-IDF, at the cheapest point that keeps quality.

    Raises:
        NotEnoughDataError: If the labels are too few or of one kind only.
    """
    rows = RunRows.from_records(replay_records(labelled), name="the calibration sample")
    if len(set(labelled.right)) < 2:
        raise NotEnoughDataError(
            f"all {len(labelled.right)} cheap records are {'right' if labelled.right[0] else 'wrong'}: a text router has "
            "nothing to learn from; it takes both kinds"
        )
    router = LogisticRouter().fit(rows)
    return replace(router, threshold=best_threshold(rows, router.scores(rows)))


def summary(policy: ThresholdCascade, labelled: Labelled) -> dict[str, Any]:
    """What to tell a person: the certificate, how good the confidence is on the sample, and what is accepted."""
    certificate = policy.certificate
    rows = [dict(zip(labelled.names, label.signals, strict=True)) for label in labelled.labels]
    confidence = np.asarray([policy.score.probability(row) or 0.0 for row in rows])
    right = np.asarray(labelled.right, dtype=int)
    both = 0 < right.sum() < len(right)
    return {
        "task": labelled.binding.task,
        "model": labelled.binding.model,
        "prompt_version": labelled.binding.prompt_version,
        "labels": len(right),
        "unlabelled": labelled.unlabelled,
        "cheap_right": float(right.mean()),
        "accepted": float((confidence >= policy.threshold).mean()),
        "certified": bool(certificate and certificate.certified),
        "certificate": certificate.sentence() if certificate else "",
        "auroc": auroc(confidence, right) if both else None,
        "ece": expected_calibration_error(confidence, right),
        "cheap_usd": float(np.sum([label.cheap_usd for label in labelled.labels])),
        "strong_usd": float(np.sum([label.strong_usd for label in labelled.labels])),
        "verify_usd": float(np.sum([label.verify_usd for label in labelled.labels])),
    }


async def calibrate(
    rows: Sequence[Row],
    job: Job,
    project: Project,
    *,
    promise: Promise,
    gold: Gold | None = None,
    seed: int = 0,
    prerouter: bool = False,
    field: str = "",
) -> CalibrationResult:
    """Label a uniform sample, fit, certify, and store the policy where runs of this task find it.

    Args:
        rows: The sample, from `sample_rows`.
        job: Its task, context, concurrency and cap; every call goes through the run log and the budget.
        project: Where the policy is stored: `.cupel/policies/<task>.json`.
        promise: Risk, delta, and joint or conditional.
        gold: Reference records; without them the strong model's record is the reference.
        seed: Which labels fit and which certify.
        field: Calibrate this field alone; records then carry `confidence/<field>` among their signals.
        prerouter: Also learn a text router from the sample: `.cupel/policies/<task>.prerouter.json`.
    """
    if field and field not in job.task.asked_fields:
        raise SettingError(f"field={field!r}: {job.task.name} has {', '.join(job.task.asked_fields)}")
    labelled = await label(rows, job, project, gold=gold, field=field)
    binding = labelled.binding
    dated = replace(
        promise,
        date=datetime.now(UTC).date().isoformat(),
        wrong_means="strong" if gold is None else "gold",
        versions={"task": binding.task, "prompt": binding.prompt_version, "model": binding.model},
    )
    policy = certify_policy(labelled, promise=dated, seed=seed)
    path = policy_path(project.state, job.task.name, field)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in replay_records(labelled))
    await asyncio.to_thread(store, path, policy.to_json())
    await asyncio.to_thread(store, path.with_suffix(".rows.jsonl"), lines)
    if prerouter:
        learnt = await asyncio.to_thread(learn_prerouter, labelled)
        await asyncio.to_thread(store, path.with_suffix(".prerouter.json"), learnt.to_json())
    return CalibrationResult(policy=policy, path=path, summary=summary(policy, labelled))


def store(path: Path, text: str) -> None:
    """Write a file of policies whole or not at all."""
    make_folder(path.parent)
    write_whole(path, text)
