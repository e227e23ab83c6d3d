"""The judge put to the test: against people's labels, or against records spoiled on purpose."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cupel.cascade import Work, ask_judge, binding_of, check_by_code, settle_verdict
from cupel.context import RunContext
from cupel.engine import current, current_asking
from cupel.errors import InputError
from cupel.evaluation.judge_measure import Measurement, Scored, keep_measure, measure_judge
from cupel.judging import (
    Agreement,
    FalsePassRate,
    IntervalEstimate,
    audits_of,
    correct_false_pass_rate,
    correct_pass_rate,
    false_pass_rate,
    measure_agreement,
)
from cupel.metrics import Labelled, read_labels, record_metric
from cupel.models import resolve_models
from cupel.project import Project
from cupel.runlog import existing_run_log, find_run
from cupel.runs import open_bench
from cupel.state import Attempt, FindingName, Outcome, Record, RunState, Tier, VerdictRecord
from cupel.task import TaskSpec
from cupel.text import ground_record, split_windows

AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A record to be judged, with what people said of it where they did."""

    doc_id: str
    text: str
    record: Record
    group: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    second: Record | None = None
    """Another reading of the document, where there is one: what differs is adjudicated, and nobody is asked for one more."""

    label: bool | None = None
    labels: Mapping[str, bool] = field(default_factory=dict)
    """Criterion → whether a person passed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReport:
    """How the judge compares with people.

    Attributes:
        verdict: Agreement of the verdict; None where no record had a label of its own.
        criteria: Criterion → agreement of its findings.
        pass_rate: Share of a run's records that people would pass, corrected for the judge's mistakes.
        passed: Records of that run the judge passed, of `decided`.
        false_pass: What this judge found as the auditor of that run; None where it audited nothing.
        false_pass_corrected: The same, corrected for its mistakes.
    """

    verdict: Agreement | None
    criteria: Mapping[str, Agreement]
    pass_rate: IntervalEstimate | None = None
    passed: int = 0
    decided: int = 0
    false_pass: FalsePassRate | None = None
    false_pass_corrected: IntervalEstimate | None = None
    measurement: Measurement | None = None
    """What runs with this judge go by from now on; None where no record was labelled as a whole."""

    notes: tuple[str, ...] = ()
    """What was left out of the labels."""

    @property
    def agreements(self) -> dict[str, Agreement]:
        """By what was labelled: the verdict first, then the criteria."""
        calibrated = self.measurement.calibrated if self.measurement else None
        return {
            **({"verdict": self.verdict} if self.verdict else {}),
            **({"verdict, calibrated": calibrated} if calibrated else {}),
            **self.criteria,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of the figures."""
        return {
            "agreement": {name: _agreement_json(one) for name, one in self.agreements.items()},
            "passed": self.passed,
            "decided": self.decided,
            "corrected": _estimate_json(self.pass_rate) if self.pass_rate else None,
            "false_pass": self._false_pass_json(),
            "auroc": _estimate_json(self.measurement.auroc) if self.measurement else None,
            "measured": self.measurement.measure.words if self.measurement else None,
            "notes": list(self.notes),
        }

    def _false_pass_json(self) -> dict[str, Any] | None:
        rate, fixed = self.false_pass, self.false_pass_corrected
        if rate is None:
            return None
        audits = {"rate": rate.rate, "interval": list(rate.interval), "audited": rate.audited}
        return audits | {"corrected": _estimate_json(fixed) if fixed is not None else None}


def _agreement_json(agreement: Agreement) -> dict[str, Any]:
    counts = ("n", "both_pass", "false_pass", "false_fail", "both_fail", "unknown", "advisory", "why")
    rates = {name: _estimate_json(getattr(agreement, name)) for name in ("tpr", "tnr", "kappa")}
    return {name: getattr(agreement, name) for name in counts} | rates


def _estimate_json(estimate: IntervalEstimate) -> dict[str, Any]:
    return {"value": estimate.value, "interval": [estimate.interval.low, estimate.interval.high]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Labelled records, and what was left out of their file, in sentences."""

    cases: Sequence[Case]
    notes: tuple[str, ...] = ()


def read_cases(path: Path, task: TaskSpec, run: Mapping[str, tuple[Outcome, str]] | None = None) -> Cases:
    """Labelled records from a file of labels (docs/reference/labels.md).

    A line needs a record, its text, and what people said: `label`, `labels` by criterion, or `gold`, by which the record
    passes where the task's metric reaches `wrong_below`. Records and texts that are not in the file are those of a run.

    Args:
        path: The file.
        task: The task.
        run: Document id → its outcome and text in a run, where one is named.

    Raises:
        InputError: For no such file, lines that cannot be used, naming them, or no labelled record at all.
    """
    labels = read_labels(path, task)
    cases, lone = list[Case](), list[str]()
    for line in labels.lines:
        case = _case(line, task, run or {})
        if isinstance(case, Case):
            cases.append(case)
        else:
            lone.append(f"{line.where}: {case}")
    if not cases:
        why = lone[0] if lone else "; ".join(labels.notes) or "it is empty"
        raise InputError(f"{path}: holds no labelled record ({why})")
    notes = [f"{path}: {len(lone)} lines are left out, such as {lone[0]}"] if lone else []
    return Cases(cases=cases, notes=(*labels.notes, *notes))


def _case(line: Labelled, task: TaskSpec, run: Mapping[str, tuple[Outcome, str]]) -> Case | str:
    """A line as a case; or why it is none."""
    values, meta = line.values, line.values.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    outcome, text = run.get(line.doc_id, (None, ""))
    text = str(values.get("text") or text)
    record = line.record
    if record is None or record is line.gold:
        record = outcome["record"] if outcome is not None else None
    if record is None or not text:
        lacks = "record" if record is None else "text"
        return f"has no {lacks}, and no run that is named with --run has one of {line.doc_id!r}"
    passed = line.passed
    if passed is None and line.gold is not None:
        passed = record_metric(record, line.gold, metric=task.metric, schema=task.schema) >= task.wrong_below
    return Case(
        doc_id=line.doc_id, text=text, record=record, label=passed, labels=line.criteria,
        group=str(values.get("group") or meta.get("debate") or line.doc_id),
        inputs={name: str({**values, **meta}.get(name, "")) for name in task.inputs},
    )  # fmt: skip


async def verdict_on(case: Case, task: TaskSpec, context: RunContext) -> VerdictRecord:
    """The judge's verdict on a record as the enrich graph would get it: code first, then the model."""
    attempts = [_attempt(1, "cheap", case.record, task, case.text)]
    if case.second is not None:
        attempts.insert(0, _attempt(0, "strong", case.second, task, case.text))
    window = task.window
    state = RunState(
        text=case.text, task=task.name, doc_id=case.doc_id, meta=dict(case.inputs), attempts=attempts, verdicts=[],
        windows=[list(span) for span in split_windows(case.text, window.max_chars, window.overlap_chars)], addenda=[], path=[],
    )  # fmt: skip
    work = Work(state, task, context, await current())
    heard = check_by_code(work) or await ask_judge(work, current_asking())
    return settle_verdict(work, heard, jury=None)  # this judge alone


def _attempt(number: int, tier: Tier, record: Record, task: TaskSpec, text: str) -> Attempt:
    return Attempt(
        number=number, tier=tier, round=0, model="a record given", fallback_for=None, prompt_version="", record=record,
        error=None, error_kind=None, evidence=ground_record(record, task.schema, text), calls=[],
        signals={}, score=None, confidence=None, calibrated=False, in_doubt=False, doubts=[],
    )  # fmt: skip


async def verdicts_on(
    cases: Sequence[Case], task: TaskSpec, context: RunContext, *, at_once: int = AT_ONCE
) -> list[VerdictRecord]:
    """Verdicts in the order of the cases, a few at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(case: Case) -> VerdictRecord:
        async with gate:
            return await verdict_on(case, task, context)

    return list(await asyncio.gather(*(one(case) for case in cases)))


def against_people(
    cases: Sequence[Case], verdicts: Sequence[VerdictRecord], run: Iterable[Outcome] = (), *, judge: str = ""
) -> JudgeReport:
    """Agreement of verdicts and findings with people's labels, and the corrected pass rate of a run.

    Args:
        cases: The labelled records.
        verdicts: The judge's, in the same order.
        run: Outcomes of a run the same judge judged or audited, on other documents.
        judge: Its model id, by which its audits are found.
    """
    run = list(run)
    said: dict[str, FindingName] = {"accepted": "pass", "rejected": "fail", "unknown": "unknown"}
    with_label = [(v, c) for v, c in zip(verdicts, cases, strict=True) if c.label is not None]
    overall = None
    if with_label:
        overall = measure_agreement(
            [said[v["verdict"]] for v, _ in with_label],
            [bool(c.label) for _, c in with_label],
            [c.group for _, c in with_label],
        )
    names = list(dict.fromkeys(name for case in cases for name in case.labels))
    by_criterion = {name: _on_criterion(name, cases, verdicts) for name in names}
    audits = false_pass_rate(audits_of(run, judge)) if judge else None
    if audits is not None and audits.audited:
        fixed = correct_false_pass_rate(audits, overall) if overall is not None else None
        return JudgeReport(
            verdict=overall, criteria=by_criterion, false_pass=audits, false_pass_corrected=fixed
        )
    last = [outcome["verdicts"][-1]["verdict"] for outcome in run if outcome["verdicts"]]
    passed, decided = last.count("accepted"), len(last) - last.count("unknown")
    rate = correct_pass_rate(passed, decided, overall) if overall is not None and decided else None
    return JudgeReport(verdict=overall, criteria=by_criterion, pass_rate=rate, passed=passed, decided=decided)


def _on_criterion(name: str, cases: Sequence[Case], verdicts: Sequence[VerdictRecord]) -> Agreement:
    findings: list[FindingName] = []
    people, groups = [], []
    for case, verdict in zip(cases, verdicts, strict=True):
        if name in case.labels:
            said: dict[str, FindingName] = {f["criterion"]: f["finding"] for f in verdict["findings"]}
            findings.append(said.get(name, "unknown"))
            people.append(case.labels[name])
            groups.append(case.group)
    return measure_agreement(findings, people, groups)


def cases_of_run(
    rows: Iterable[tuple[int, Outcome, str]], task: TaskSpec, limit: int | None = None
) -> list[Case]:
    """A run's accepted records; where none was accepted, all records.

    Raises:
        InputError: For a task with further inputs, which the run log does not keep beside an outcome.
    """
    if task.required_inputs:
        raise InputError(
            f"task {task.name!r} needs {', '.join(task.required_inputs)}, which the run log does not hold; give labelled or plain "
            "records in a JSONL file"
        )
    filled = [(outcome, text) for _, outcome, text in rows if outcome["record"] is not None and text]
    accepted = [(outcome, text) for outcome, text in filled if outcome["status"] == "accepted"]
    return [
        Case(doc_id=outcome["doc_id"], text=text, record=outcome["record"] or {}, group=outcome["doc_id"])
        for outcome, text in (accepted or filled)[:limit]
    ]


def run_rows(project: Project, task: str, run: str | None) -> list[tuple[int, Outcome, str]]:
    """Outcomes of a run; of the newest of this task where none is named."""
    with existing_run_log(project) as log:
        return list(log.run_outcomes(find_run(log, run, task)["run_id"]))


async def compare_with_labels(
    project: Project,
    task: TaskSpec,
    context: RunContext,
    labels: Path,
    run: str | None,
    *,
    limit: int | None,
    max_usd: float | None,
) -> JudgeReport:
    """Ask the judge about labelled records; with a run, its pass rate or audits corrected for the judge's mistakes.

    Raises:
        InputError: For a file or run that is not there, or a line that is no label.
    """
    rows = run_rows(project, task.name, run) if run else []
    outcomes = [outcome for _, outcome, _ in rows]
    read = read_cases(labels, task, {outcome["doc_id"]: (outcome, text) for _, outcome, text in rows})
    cases = read.cases[:limit]
    judge = resolve_models(context, os.environ).judge
    plain = context.model_copy(update={"policy": "none"})  # as it is, not as it was measured before
    async with open_bench(project, bench_name("labels", cases, task), max_usd=max_usd):
        verdicts = await verdicts_on(cases, task, plain)
        binding = await binding_of(task, judge, plain)
    report = against_people(cases, verdicts, outcomes, judge=judge)
    scored = [
        Scored(verdict=verdict, right=case.label, group=case.group)
        for case, verdict in zip(cases, verdicts, strict=True)
        if case.label is not None
    ]
    measured = measure_judge(binding, scored) if scored else None
    if measured is not None:
        keep_measure(project.state, measured.measure)
    return replace(report, measurement=measured, notes=read.notes)


def bench_name(kind: str, cases: Sequence[Case], task: TaskSpec) -> str:
    """What the money of a check is booked under: the same for the same records."""
    ids = "\x1f".join(case.doc_id for case in cases)
    return "judge-" + hashlib.sha256(f"{kind}\x1f{task.identity}\x1f{ids}".encode()).hexdigest()[:12]
