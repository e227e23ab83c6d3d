"""What `cupel calibrate` does: sample, show the cost, ask, label, certify, tell."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cupel.api import CalibrationPlan, calibrate
from cupel.calibration import EXPECTED_OUTPUT, BundleResult, CallCost, PackingResult
from cupel.cli._console import confirm, open_console, print_json
from cupel.engine import PackTerms


@dataclass(frozen=True, kw_only=True)
class CalibrationRun:
    """Everything `cupel calibrate` was told."""

    file: Path
    task: str = ""
    risk: float = 0.05
    delta: float = 0.1
    kind: str = "joint"
    sample: int | None = None
    gold: str = ""
    field: str = ""
    prerouter: bool = False
    packing: bool = False
    """Measure packing instead."""

    pack_size: int = 4
    pack_chars: int = 1500
    packing_min: float = 0.95
    bundle: str = ""
    """Tasks that may share a request: measure that instead."""

    bundle_chars: int = 4000
    bundle_min: float = 0.95
    yes: bool = False
    text_column: str = "text"
    id_column: str | None = None
    inputs: Mapping[str, str | Path] = dataclasses.field(default_factory=dict)
    concurrency: int = 16
    max_usd: float | None = None
    seed: int = 0
    as_json: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def run_calibration(told: CalibrationRun) -> None:
    """Calibrate, and print what was certified; the cost is shown before anything is spent."""
    result = calibrate(
        told.file, told.task or None, risk=told.risk, delta=told.delta, kind=told.kind, sample=told.sample,
        gold=told.gold, field=told.field, prerouter=told.prerouter, packing=told.packing, pack_size=told.pack_size, pack_chars=told.pack_chars,
        packing_min=told.packing_min, bundle=told.bundle, bundle_chars=told.bundle_chars, bundle_min=told.bundle_min, text=told.text_column, doc_id=told.id_column, inputs=told.inputs,
        concurrency=told.concurrency, max_usd=told.max_usd, seed=told.seed, tell=partial(_confirm, yes=told.yes),
        **told.settings,
    )  # fmt: skip
    if told.as_json:
        print_json(result.to_json())
    elif isinstance(result, PackingResult):
        _tell_packing(result)
    elif isinstance(result, BundleResult):
        _tell_bundle(result)
    else:
        _tell(result.to_json())


def _confirm(plan: CalibrationPlan, *, yes: bool) -> None:
    """Say what it will about cost, and ask whether to go on."""
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    if plan.bundle:
        said = _bundle_in_words(plan)
    else:
        said = _cost_in_words(plan) if plan.terms is None else _packing_in_words(plan, plan.terms)
    confirm(said, yes=yes)


def _tell_packing(result: PackingResult) -> None:
    """Print what was certified."""
    certificate = result.certificate
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


def _tell_bundle(result: BundleResult) -> None:
    """Print what was certified."""
    certificate, console = result.certificate, open_console()
    console.print(certificate.sentence(), soft_wrap=True)
    alone = ", ".join(f"{task} {one.asked_alone}" for task, one in certificate.tasks.items())
    console.print(
        f"tokens: {certificate.single_tokens:,} task by task, {certificate.bundled_tokens:,} bundled; asked for alone after all: "
        f"{alone}",
        soft_wrap=True,
    )
    if certificate.single_usd is not None and certificate.bundled_usd is not None:
        console.print(
            f"cost: ${certificate.single_usd:.4f} task by task, ${certificate.bundled_usd:.4f} bundled"
        )
    named = ",".join(certificate.tasks)
    verdict = (
        f"may share a request: `cupel run --task {named} --bundle {named}`"
        if result.certified
        else "are not certified: runs will refuse --bundle"
    )
    console.print(f"{named} {verdict} ({result.path})", soft_wrap=True)


def _bundle_in_words(plan: CalibrationPlan) -> str:
    [cost] = plan.costs.values()
    return (
        f"bundling {', '.join(plan.bundle)}: {len(plan.rows)} documents task by task and for all at once from {cost.model}, "
        f"{cost.calls} calls, {cost.input_tokens:,.0f} tokens in, {_about(cost)}; what the run log has is not paid"
    )


def _packing_in_words(plan: CalibrationPlan, terms: PackTerms) -> str:
    [cost] = plan.costs.values()
    return (
        f"packing {plan.task.name}: {len(plan.rows)} documents alone and in packs of {terms.size} from {cost.model}, "
        f"{cost.calls} calls, {cost.input_tokens:,.0f} tokens in, {_about(cost)}; what the run log has is not paid"
    )


def _cost_in_words(plan: CalibrationPlan) -> str:
    total = sum(cost.usd or 0.0 for cost in plan.costs.values())
    return "\n".join(
        [
            f"calibrating {plan.task.name} on {len(plan.rows)} documents drawn uniformly:",
            *(
                f"  {tier}: {cost.model}, {cost.calls} calls, {cost.input_tokens:,.0f} tokens in, {_about(cost)}"
                for tier, cost in plan.costs.items()
            ),
            f"  together about ${total:.2f} (replies taken as {EXPECTED_OUTPUT:.0%} of the text's length)",
        ]
    )


def _about(cost: CallCost) -> str:
    return "price unknown" if cost.usd is None else f"about ${cost.usd:.2f}"


def _tell(summary: dict[str, Any]) -> None:
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
