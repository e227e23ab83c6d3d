"""What `cupel calibrate` does: sample, show the cost, ask, label, certify, tell."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from cupel.calibration import (
    EXPECTED_OUTPUT,
    CallCost,
    calibrate,
    certify_packing,
    packing_cost,
    sample_cost,
    sample_packs,
    sample_rows,
)
from cupel.cascade import read_signals
from cupel.cli._console import confirm, open_console, print_json
from cupel.cli.run import FileRun, open_output, task_of
from cupel.context import RunContext
from cupel.engine import PackTerms
from cupel.errors import SettingError
from cupel.metrics import open_gold, tell_gold
from cupel.models import check_models, resolve_models, settle_settings
from cupel.project import Project, find_project
from cupel.routing import Promise, RiskKind
from cupel.runs import Job
from cupel.tables import Row, Table
from cupel.task import TaskSpec


@dataclass(frozen=True, kw_only=True)
class CalibrationRun:
    """Everything `cupel calibrate` was told."""

    file: Path
    task: str = ""
    risk: float = 0.05
    delta: float = 0.1
    kind: str = "joint"
    sample: int = 300
    gold: str = ""
    field: str = ""
    prerouter: bool = False
    packing: PackTerms | None = None
    """Measure packing on these terms instead."""

    packing_min: float = 0.95
    yes: bool = False
    text_column: str = "text"
    id_column: str | None = None
    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    concurrency: int = 16
    max_usd: float | None = None
    seed: int = 0
    as_json: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def run_calibration(told: CalibrationRun) -> None:
    """Calibrate, and print what was certified; the cost is shown before anything is spent."""
    if told.kind not in get_args(RiskKind):
        raise SettingError(f"--kind {told.kind!r}: one of {', '.join(get_args(RiskKind))}")
    project = find_project()
    task, _ = task_of(told.task, None, "", project, told.inputs)
    context = settle_settings({**told.settings, "judge": "never"}, os.environ, task=task)
    check_models(resolve_models(context, os.environ), os.environ)
    read_signals(context)
    same = FileRun(file=told.file, text_column=told.text_column, id_column=told.id_column, inputs=told.inputs)
    table = open_output(same, task)
    job = Job(
        task=task,
        context=context,
        graph="calibrate",
        input_name=str(told.file),
        concurrency=told.concurrency,
        max_usd=told.max_usd,
    )
    if told.packing is not None:
        certify(told, told.packing, job, table, project)
        return
    gold = open_gold(told.gold, table, task, id_column=told.id_column) if told.gold else None
    rows = sample_rows(table, told.sample, seed=told.seed)
    for note in tell_gold(gold, table):
        print(f"note: {note}", file=sys.stderr)
    confirm(_cost_in_words(rows, task, context), yes=told.yes)
    promise = Promise(risk=told.risk, delta=told.delta, kind=told.kind)  # type: ignore[arg-type]  # checked above
    result = asyncio.run(
        calibrate(
            rows,
            job,
            project,
            promise=promise,
            gold=gold,
            seed=told.seed,
            prerouter=told.prerouter,
            field=told.field,
        )
    )
    _tell({**result.summary, "policy": str(result.path)}, as_json=told.as_json)


def certify(told: CalibrationRun, terms: PackTerms, job: Job, table: Table, project: Project) -> None:
    """Measure packing on a sample of the packs a run would make, and print what was certified."""
    rows = sample_packs(table, job.task, terms, told.sample, seed=told.seed)
    confirm(_packing_in_words(rows, job, terms), yes=told.yes)
    result = asyncio.run(
        certify_packing(rows, job, project, terms, min_agreement=told.packing_min, seed=told.seed)
    )
    certificate = result.certificate
    if told.as_json:
        print_json(result.summary())
        return

    console = open_console()
    console.print(certificate.sentence(), soft_wrap=True)
    console.print(
        f"tokens: {certificate.single_tokens:,} one by one, {certificate.packed_tokens:,} packed; {certificate.asked_alone} of "
        f"{certificate.documents} had to be asked alone after all; {certificate.unlabelled} have no record even alone"
    )
    if certificate.single_usd is not None and certificate.packed_usd is not None:
        console.print(f"cost: ${certificate.single_usd:.4f} one by one, ${certificate.packed_usd:.4f} packed")
    verdict = (
        "may be packed: `cupel run --packing`"
        if result.certified
        else "is not certified: runs will refuse --packing"
    )
    console.print(f"{certificate.task} {verdict} ({result.path})", soft_wrap=True)


def _packing_in_words(rows: list[Row], job: Job, terms: PackTerms) -> str:
    cost = packing_cost(rows, job.task, job.context, terms, os.environ)
    return (
        f"packing {job.task.name}: {len(rows)} documents alone and in packs of {terms.size} from {cost.model}, "
        f"{cost.calls} calls, {cost.input_tokens:,.0f} tokens in, {_about(cost)}; what the run log has is not paid"
    )


def _cost_in_words(rows: list[Row], task: TaskSpec, context: RunContext) -> str:
    costs = sample_cost(rows, task, context, os.environ)
    total = sum(cost.usd or 0.0 for cost in costs.values())
    return "\n".join(
        [
            f"calibrating {task.name} on {len(rows)} documents drawn uniformly:",
            *(
                f"  {tier}: {cost.model}, {cost.calls} calls, {cost.input_tokens:,.0f} tokens in, {_about(cost)}"
                for tier, cost in costs.items()
            ),
            f"  together about ${total:.2f} (replies taken as {EXPECTED_OUTPUT:.0%} of the text's length)",
        ]
    )


def _about(cost: CallCost) -> str:
    return "price unknown" if cost.usd is None else f"about ${cost.usd:.2f}"


def _tell(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return

    console = open_console()
    console.print(summary["certificate"])
    console.print(
        f"{summary['labels']} labels, {summary['unlabelled']} documents without one; the cheap records are right in "
        f"{summary['cheap_right']:.0%}; accepted without the strong model: {summary['accepted']:.0%} of the sample"
    )
    auroc = "–" if summary["auroc"] is None else f"{summary['auroc']:.3f}"
    console.print(f"confidence on the sample: AUROC {auroc}, ECE {summary['ece']:.3f}")
    console.print(
        f"policy: {summary['policy']} (runs of {summary['task']} use it from now on; `--policy none` does not)",
        soft_wrap=True,
    )
    rows = Path(summary["policy"]).with_suffix(".rows.jsonl")
    console.print(f"what other policies would have saved: cupel evaluate-routing {rows}", soft_wrap=True)
