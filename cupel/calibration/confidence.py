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

from cupel.cascade import (
    FREE,
    attempt_record,
    begin,
    conclude,
    measure_signals,
    name_language,
    observe_costly,
    observe_free,
    read_signals,
    take_up,
    weigh,
)
from cupel.context import RunContext
from cupel.engine import current_asking, policy_path
from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.metrics import record_metric
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

LABEL_COLUMNS = ("id", "text", "signals", "quality", "strong_right", "cheap", "strong", "verify")
BASIC = ("schema_valid", "quotes_grounded", "fields_filled")


class BothTiers:
    """A stand-in for the graph that asks both tiers about every document, so that they can be compared."""

    async def ainvoke(self, given: Mapping[str, Any], _config: object, *, context: RunContext) -> Outcome:
        """The cheap attempt with its signals, then the strong one; nothing is judged."""
        asking = current_asking()
        state = await begin(given, asking)
        if state["problem"] is None:
            work = await take_up(state, context.model_copy(update={"policy": "none"}), asking)
            cheap = await attempt_record(work, asking, "cheap")
            state["attempts"] = [cheap]
            seen, calls = await observe_costly(work, observe_free(cheap), asking)
            signals = measure_signals(work, seen, None)
            cheap = {**cheap, "calls": [*cheap["calls"], *calls], "signals": signals}
            state["attempts"] = [{**cheap, **weigh(work, signals, None)}]
            state["attempts"].append(await attempt_record(work, asking, "strong"))
            state["path"] = ["prepare", "extract", "verify", "escalate"]
        state["language"] = await name_language(state)
        return conclude(state)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """The sample, as far as it could be labelled."""

    doc_ids: list[str]
    texts: list[str]
    names: tuple[str, ...]
    signals: list[list[float]]
    """NaN where a signal is missing."""

    quality: list[float]
    """The cheap record's task metric against the reference, in [0, 1]."""

    right: list[int]
    strong_right: list[int]
    """1 throughout where the strong record itself is the reference."""

    cheap_usd: list[float]
    strong_usd: list[float]
    verify_usd: list[float]
    binding: Binding
    unlabelled: int
    """Documents without a reference: no gold, or no strong record."""


@dataclass(frozen=True, kw_only=True)
class CalibrationResult:
    """What `cupel calibrate` found, and where it was stored."""

    policy: ThresholdCascade
    labelled: Labelled
    path: Path
    summary: dict[str, Any] = field(default_factory=dict)


def sample_rows(table: Table, size: int, *, seed: int = 0) -> list[Row]:
    """A uniform sample of a table's rows, in order; never its first ones.

    Raises:
        NotEnoughDataError: If the table has fewer rows than that.
    """
    chosen = set(uniform_sample(len(table), size, seed=seed).tolist())
    return [row for row in table if row.position in chosen]


def read_gold(path: Path) -> dict[str, Record]:
    """Gold records by document id from a JSONL of `{"id": …, "record": {…}}`.

    Raises:
        InputError: Naming the line that is not such an object.
    """
    gold = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            gold[str(row["id"])] = dict(row["record"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f'{path}, line {number}: needs {{"id": …, "record": {{…}}}} ({error})'
            ) from error
    return gold


async def label(
    rows: Sequence[Row],
    job: Job,
    project: Project,
    *,
    gold: Mapping[str, Record] | None = None,
    field: str = "",
) -> tuple[Labelled, Runner]:
    """Ask both tiers about the sample, and compare the cheap record with gold or with the strong record."""
    async with Runner(job, project, graph=BothTiers()) as runner:
        runner.progress.total = len(rows)
        outcomes = [(row, outcome) async for row, outcome in runner.outcomes(rows)]
    if runner.stop.error is not None:
        raise runner.stop.error
    known = [(str(row.text), outcome) for row, outcome in outcomes if outcome is not None]
    return label_rows(known, job.task, job.context, gold, field=field), runner


def label_rows(
    outcomes: Iterable[tuple[str, Outcome]],
    task: TaskSpec,
    context: RunContext,
    gold: Mapping[str, Record] | None,
    *,
    field: str = "",
) -> Labelled:
    """The outcomes of `BothTiers` as rows of signals and labels; of one field, or of whole records."""
    names = tuple(dict.fromkeys((*BASIC, *FREE, *read_signals(context))))
    rows: dict[str, list[Any]] = {name: [] for name in LABEL_COLUMNS}
    unlabelled, binding = 0, Binding(task=task.name, prompt_version="", model="", field=field)
    judged = replace(task, metric=field) if field else task
    for text, outcome in outcomes:
        reference = _reference(outcome, gold)
        if reference is None or len(outcome["attempts"]) < 2:
            unlabelled += 1
            continue
        cheap, strong = outcome["attempts"][:2]
        binding = replace(binding, prompt_version=cheap["prompt_version"], model=cheap["model"])
        own = [call for call in cheap["calls"] if call["kind"] != "verify"]
        rows["id"].append(outcome["doc_id"])
        rows["text"].append(text)
        rows["signals"].append([_number(cheap["signals"].get(name)) for name in names])
        rows["quality"].append(_quality(cheap["record"], reference, judged))
        rows["strong_right"].append(int(_quality(strong["record"], reference, judged) >= task.wrong_below))
        rows["cheap"].append(cost_of(own) or 0.0)
        rows["verify"].append(cost_of(call for call in cheap["calls"] if call["kind"] == "verify") or 0.0)
        rows["strong"].append(cost_of(strong["calls"]) or 0.0)
    return Labelled(
        doc_ids=rows["id"],
        texts=rows["text"],
        names=names,
        signals=rows["signals"],
        quality=rows["quality"],
        right=[int(value >= task.wrong_below) for value in rows["quality"]],
        strong_right=rows["strong_right"],
        cheap_usd=rows["cheap"],
        strong_usd=rows["strong"],
        verify_usd=rows["verify"],
        binding=binding,
        unlabelled=unlabelled,
    )


def _reference(outcome: Outcome, gold: Mapping[str, Record] | None) -> Record | None:
    if gold is not None:
        return gold.get(outcome["doc_id"])
    return outcome["attempts"][1]["record"] if len(outcome["attempts"]) > 1 else None


def _quality(record: Record | None, reference: Record, task: TaskSpec) -> float:
    if record is None:
        return 0.0
    return record_metric(record, reference, metric=task.metric, schema=task.schema)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def certify_policy(found: Labelled, *, promise: Promise, seed: int = 0) -> ThresholdCascade:
    """Fit the confidence on one part of the labels and certify its threshold on the other.

    Raises:
        NotEnoughDataError: Too few labels, or of one kind only; it says how many more would do.
    """
    if not found.right:
        raise NotEnoughDataError(
            f"none of the {found.unlabelled} sampled documents could be labelled: the strong model gave no record, "
            "or the gold file has none of these ids"
        )
    table, outcome = np.asarray(found.signals), np.asarray(found.right)
    known = [index for index in range(len(found.names)) if not np.isnan(table[:, index]).all()]
    fit = partial(fit_calibration, names=[found.names[index] for index in known], binding=found.binding)
    return certify_cascade(table[:, known], outcome, fit=fit, promise=promise, seed=seed)


def replay_records(found: Labelled) -> list[dict[str, Any]]:
    """The labelled sample as `cupel evaluate-routing` reads it: what any policy would have cost and kept on it."""
    costly = [name for name in ("agreement", "self_verified", "self_consistency") if name in found.names]
    return [
        {
            "doc_id": found.doc_ids[n],
            "text": found.texts[n],
            "weak_correct": found.right[n],
            "strong_correct": found.strong_right[n],
            "weak_cost_usd": found.cheap_usd[n],
            "strong_cost_usd": found.strong_usd[n],
            "signals": {
                k: None if math.isnan(v) else v for k, v in zip(found.names, found.signals[n], strict=True)
            },
            "signal_costs": {name: found.verify_usd[n] / len(costly) for name in costly},
        }
        for n in range(len(found.right))
    ]


def learnt_prerouter(found: Labelled) -> Prerouter:
    """A text router learnt from the sample: logistic regression on TF-IDF, at the cheapest point that keeps quality.

    Raises:
        NotEnoughDataError: If the labels are too few or of one kind only.
    """
    rows = RunRows.from_records(replay_records(found), name="the calibration sample")
    if len(set(found.right)) < 2:
        raise NotEnoughDataError(
            f"all {len(found.right)} cheap records are {'right' if found.right[0] else 'wrong'}: a text router has "
            "nothing to learn from; it takes both kinds"
        )
    router = LogisticRouter().fit(rows)
    return replace(router, threshold=best_threshold(rows, router.scores(rows)))


def summary(policy: ThresholdCascade, found: Labelled) -> dict[str, Any]:
    """What to tell a person: the certificate, how good the confidence is on the sample, and what is accepted."""
    certificate = policy.certificate
    confidence = np.asarray(
        [policy.score.probability(dict(zip(found.names, row, strict=True))) or 0.0 for row in found.signals]
    )
    right = np.asarray(found.right)
    both = 0 < right.sum() < len(right)
    return {
        "task": found.binding.task,
        "model": found.binding.model,
        "prompt_version": found.binding.prompt_version,
        "labels": len(right),
        "unlabelled": found.unlabelled,
        "cheap_right": float(right.mean()),
        "accepted": float((confidence >= policy.threshold).mean()),
        "certified": bool(certificate and certificate.certified),
        "certificate": certificate.sentence() if certificate else "",
        "auroc": auroc(confidence, right) if both else None,
        "ece": expected_calibration_error(confidence, right),
        "cheap_usd": float(np.sum(found.cheap_usd)),
        "strong_usd": float(np.sum(found.strong_usd)),
        "verify_usd": float(np.sum(found.verify_usd)),
    }


async def calibrate(
    rows: Sequence[Row],
    job: Job,
    project: Project,
    *,
    promise: Promise,
    gold: Mapping[str, Record] | None = None,
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
        gold: Reference records by document id; without them the strong model's record is the reference.
        seed: Which labels fit and which certify.
        field: Calibrate this field alone; records then carry `confidence/<field>` among their signals.
        prerouter: Also learn a text router from the sample: `.cupel/policies/<task>.prerouter.json`.
    """
    if field and field not in job.task.schema["properties"]:
        raise SettingError(f"field={field!r}: {job.task.name} has {', '.join(job.task.schema['properties'])}")
    found, _ = await label(rows, job, project, gold=gold, field=field)
    versions = {
        "task": found.binding.task,
        "prompt": found.binding.prompt_version,
        "model": found.binding.model,
    }
    dated = Promise(
        risk=promise.risk,
        delta=promise.delta,
        kind=promise.kind,
        date=datetime.now(UTC).date().isoformat(),
        wrong_means="strong" if gold is None else "gold",
        versions=versions,
    )
    policy = certify_policy(found, promise=dated, seed=seed)
    path = policy_path(project.state, job.task.name, field)
    await asyncio.to_thread(_store, path, policy.to_json())
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in replay_records(found))
    await asyncio.to_thread(_store, path.with_suffix(".rows.jsonl"), lines)
    if prerouter:
        learnt = await asyncio.to_thread(learnt_prerouter, found)
        await asyncio.to_thread(_store, path.with_suffix(".prerouter.json"), learnt.to_json())
    return CalibrationResult(policy=policy, labelled=found, path=path, summary=summary(policy, found))


def _store(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
