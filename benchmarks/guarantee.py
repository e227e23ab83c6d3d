"""How often a certified threshold breaks its promise: repeated draws from logged responses.

    CUPEL_BENCH_DATA=… python benchmarks/guarantee.py [--draws 1000] [--labels 300]

Each draw takes labels uniformly (with replacement, the whole set being the population), fits the score on one
part as `cupel calibrate` does, certifies a threshold on the other, and asks whether the true risk over the
whole set exceeds the promise. Exits 1 where a bar is missed. The bars: broken in at most 12 % of draws in
every case, and at least as much accepted as the exact rule with a fixed raw score.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cupel.errors import NotEnoughDataError
from cupel.routing.certify import Promise, certify_cascade
from cupel.routing.confidence.calibration import Binding, Calibration, fit_calibration
from cupel.routing.threshold import RiskKind

DELTA = 0.1
BROKEN_AT_MOST = 0.12
BINDING = Binding(task="benchmark", prompt_version="-", model="-")


class Case(NamedTuple):
    """One population: a raw score and an outcome per record, and what the fixed rule accepted."""

    name: str
    score: np.ndarray
    right: np.ndarray
    joint: float | None
    conditional: float | None


def cases(folder: Path) -> list[Case]:
    """Four logged sets, one score without skill, one file whose difficulty drifts."""
    log = pd.read_parquet(folder / "cascade_confidence" / "responses.parquet")
    known = (
        ("triviaqa", "llama3.1-8b", 0.591, 0.579),
        ("mmlu", "gpt-4o-mini", 0.497, 0.363),
        ("medmcqa", "llama3.1-70b", 0.466, 0.187),
        ("truthfulqa", "llama3.1-8b", 0.080, 0.0),
    )
    out = []
    for task, model, joint, conditional in known:
        part = log[(log["task"] == task) & (log["model"] == model)]
        out.append(
            Case(
                f"{task} {model}",
                part["confidence"].to_numpy(),
                part["correct"].to_numpy(float),
                joint,
                conditional,
            )
        )
    rng = np.random.default_rng(7)
    out.append(
        Case("no skill, 80 % right", rng.random(2000), (rng.random(2000) < 0.8).astype(float), 0.155, 0.0)
    )
    return [*out, _drifting()]


def _drifting(n: int = 4000) -> Case:
    """The first rows are easy, the last ones hard, and the score does not know."""
    rng = np.random.default_rng(11)
    difficulty = np.linspace(-0.3, 1.5, n)
    ability = rng.normal(1.4, 1.0, n)
    right = (rng.random(n) < 1 / (1 + np.exp(-2 * (ability - difficulty)))).astype(float)
    return Case("difficulty drifts", 1 / (1 + np.exp(-ability + rng.normal(0, 0.5, n))), right, None, None)


def fit(matrix: np.ndarray, right: np.ndarray) -> Calibration:
    """The score, fitted anew in each draw."""
    return fit_calibration(matrix, right, names=["score"], binding=BINDING, folds=0)


def one_draw(
    case: Case, chosen: np.ndarray, *, kind: RiskKind, risk: float, seed: int
) -> tuple[float, float]:
    """Share accepted and true risk over the whole population, for one sample of labels."""
    promise = Promise(risk=risk, delta=DELTA, kind=kind)
    try:
        cascade = certify_cascade(
            case.score[chosen, None], case.right[chosen], fit=fit, promise=promise, seed=seed
        )
    except NotEnoughDataError:
        return 0.0, 0.0  # too few of one kind: nothing is accepted
    accepted = cascade.score.predict(case.score[:, None]) >= cascade.threshold
    wrong = (accepted & (case.right == 0)).mean()
    return accepted.mean(), wrong if kind == "joint" else wrong / max(accepted.mean(), 1e-12)


def measure(
    case: Case, *, kind: RiskKind, risk: float, draws: int, labels: int, first_rows: bool = False
) -> dict[str, float]:
    """Means over the draws."""
    rng = np.random.default_rng(0)
    got = []
    for seed in range(draws):
        pool = labels * 2 if first_rows else len(case.score)
        got.append(one_draw(case, rng.integers(pool, size=labels), kind=kind, risk=risk, seed=seed))
    accepted, true_risk = np.array(got).T
    return {
        "accepted": float(accepted.mean()),
        "risk": float(true_risk.mean()),
        "broken": float((true_risk > risk).mean()),
        "none": float((accepted == 0).mean()),
    }


def main() -> int:
    """Print every case beside its bars; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("CUPEL_BENCH_DATA"), help="folder with routing/")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args()
    if not args.data:
        parser.error("give --data or set CUPEL_BENCH_DATA to the folder that holds routing/")
    population = cases(Path(args.data) / "routing")
    figures, missed = {}, 0
    for kind, risk in (("joint", 0.05), ("conditional", 0.10)):
        print(f"\n{kind} risk ≤ {risk}, delta {DELTA}, {args.labels} labels, {args.draws} draws")
        for case in population:
            got = measure(case, kind=kind, risk=risk, draws=args.draws, labels=args.labels)
            bar = case.joint if kind == "joint" else case.conditional
            ok = got["broken"] <= BROKEN_AT_MOST and (bar is None or got["accepted"] >= bar - 1e-9)
            missed += not ok
            figures[f"{kind}: {case.name}"] = got
            print(
                f"  {case.name:26s} broken {got['broken']:.3f} (≤ {BROKEN_AT_MOST})  accepted {got['accepted']:.3f}"
                f" (≥ {'-' if bar is None else f'{bar:.3f}'})  risk {got['risk']:.3f}  none {got['none']:.3f}"
                f"  {'ok' if ok else 'MISSED'}"
            )
    head = measure(
        population[-1],
        kind="joint",
        risk=0.05,
        draws=min(args.draws, 200),
        labels=args.labels,
        first_rows=True,
    )
    print(f"\nfor comparison, labels from the head of the drifting file: broken {head['broken']:.3f}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
