"""The bars of confidence and routing on logged responses, each beside what was measured.

    CUPEL_BENCH_DATA=… python benchmarks/routing.py [--seeds 10] [--only structured,saving,text,bandit,calibration,cost]

Trained policies are out of fold; figures are means over the fold seeds. Exits 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cupel.evaluation.routing_evaluation import ALL_SIGNALS, fit_score
from cupel.evaluation.routing_experiments import load_experiment
from cupel.routing.bandit import LinUCB, best_fixed_mix, replay_bandit
from cupel.routing.confidence.calibration import Binding, fit_calibration
from cupel.routing.confidence.signals import Observed, compute_signals
from cupel.routing.features import fit_vectors, reduce, unit_rows
from cupel.routing.folds import fold_of
from cupel.routing.replay import figures, operating, play
from cupel.routing.rows import RunRows
from cupel.routing.text_routers import LogisticRouter
from cupel.routing.threshold_cascade import CascadeLearner, SignalCascade, ThresholdCascade
from cupel.stats.reliability import auroc, brier, expected_calibration_error, within_groups_auroc

EVALS = Path(__file__).parents[1] / "evals" / "routing"


class Bar(NamedTuple):
    """One figure, what it must reach, and whether more or less is better."""

    what: str
    measured: float
    bar: float
    at_least: bool = True

    @property
    def reached(self) -> bool:
        """Whether the bar holds."""
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def rows_of(experiment: str, data: Path) -> dict[str, RunRows]:
    """Every set of one experiment by name."""
    return {s.rows.name: s.rows for s in load_experiment(EVALS / f"{experiment}.toml", data=data).sources}


def structured(data: Path, seeds: int) -> Iterator[Bar]:
    """Structured output: schema, groundedness and agreement combined."""
    bars = {"claude-3-haiku": (0.96, 0.87), "meta-llama": (0.84, 0.90)}
    for name, rows in rows_of("function_calls", data).items():
        for part, (apgr, ranking) in bars.items():
            if f"bfcl {part}" not in name:
                continue
            learner = CascadeLearner(signals=tuple(rows.signals), fit_score=fit_score, name=ALL_SIGNALS)
            runs = [play(learner, rows, seed=seed) for seed in range(seeds)]
            stated = [1 - run.scores for run in runs]
            yield Bar(f"{name}: APGR", _mean(figures(run, rows)["APGR"] for run in runs), apgr)
            yield Bar(f"{name}: AUROC", _mean(auroc(each, rows.weak) for each in stated), ranking)
            yield Bar(
                f"{name}: ECE", _mean(expected_calibration_error(s, rows.weak) for s in stated), 0.03, False
            )


def saving(data: Path, seeds: int) -> Iterator[Bar]:
    """Saving at 95 % of strong quality with the threshold chosen on other folds, against the raw signal's best cut.

    A paired bootstrap over documents decides whether the saving is below the reference: the bar is the upper end
    of the 95 % interval of (ours − reference) at 0. The share of strong quality that was kept is printed too.
    """
    reference = {
        "mmlu gpt-4o-mini>gpt-4o": 0.70,
        "medmcqa gpt-4o-mini>gpt-4o": 0.71,
        "triviaqa llama3.1-8b>llama3.1-405b": 0.59,
    }
    for name, logged in rows_of("cascades", data).items():
        if name not in reference:
            continue
        rows = logged.with_mean_costs()
        learner = CascadeLearner(signals=tuple(rows.signals), fit_score=fit_score)
        runs = [play(learner, rows, seed=seed) for seed in range(seeds)]
        points = [operating(run, rows) for run in runs]
        kept = _mean([point.quality for point in points]) / rows.strong.mean()
        print(
            f"  {name}: saving {_mean([p.saving for p in points]):.3f} (reference {reference[name]}, "
            f"aim {reference[name] + 0.05:.2f}), {kept:.4f} of strong quality"
        )
        difference, quality = _upper_ends(rows, runs[0].sent, reference[name])
        yield Bar(f"{name}: upper end of saving − {reference[name]}", difference, 0.0)
        yield Bar(f"{name}: upper end of the strong quality kept", quality, 0.95)


def _upper_ends(rows: RunRows, sent: np.ndarray, reference: float) -> tuple[float, float]:
    """97.5 % quantiles over resampled documents: our saving minus the reference rule's, and the quality we keep.

    The reference rule is the raw signal cut where it saved what the reference table says.
    """
    raw = SignalCascade(signal=next(iter(rows.signals))).scores(rows)
    fixed = float((rows.weak_cost + rows.billed(rows.signals)).mean() / rows.strong_cost.mean())
    cut = np.sort(raw)[::-1][max(0, round((1 - reference - fixed) * len(raw)) - 1)]
    mixed = np.where(sent, rows.strong, rows.weak)
    rng = np.random.default_rng(0)
    picks = [rng.integers(len(rows), size=len(rows)) for _ in range(1000)]
    saved = [(raw[p] >= cut).mean() - sent[p].mean() for p in picks]
    kept = [mixed[p].mean() / rows.strong[p].mean() for p in picks]
    return float(np.quantile(saved, 0.975)), float(np.quantile(kept, 0.975))


def text(data: Path, seeds: int) -> Iterator[Bar]:
    """Text routers on RouteLLM's logs."""
    bars = {"routellm_mmlu mixtral>gpt-4": 0.67, "routellm_gsm8k mixtral>gpt-4": 0.60}
    for name, rows in rows_of("routellm", data).items():
        if name in bars:
            runs = (play(LogisticRouter(), rows, seed=seed) for seed in range(seeds))
            yield Bar(
                f"{name}: APGR of the text router", _mean(figures(r, rows)["APGR"] for r in runs), bars[name]
            )


ARMS = [
    "mistralai/mistral-7b-chat",
    "mistralai/mixtral-8x7b-chat",
    "gpt-3.5-turbo-1106",
    "gpt-4-1106-preview",
]
WARM = 150


def bandit(data: Path, seeds: int) -> Iterator[Bar]:
    """LinUCB with a warm start of 150 documents, against the best fixed mix of arms known in hindsight."""
    import importlib

    load_experiment(EVALS / "routerbench.toml", data=data)
    table = importlib.import_module("_cupel_readers_sources").arms(data / "routerbench_subset", ARMS)
    quality, cost = table["score"][ARMS].to_numpy(float), table["cost_usd"][ARMS].to_numpy(float)
    for share in (0.25, 0.5):
        runs = [_one_stream(table["prompt"].tolist(), quality, cost, share, seed) for seed in range(seeds)]
        mine, fixed, spent = np.mean(runs, axis=0)
        print(f"  budget {share:.2f}: spent {spent:.3f} of strong cost, {seeds} orders")
        yield Bar(f"LinUCB at {share:.0%} of strong cost: share of strong quality", mine, fixed + 1e-9)


def _one_stream(
    texts: list[str], quality: np.ndarray, cost: np.ndarray, share: float, seed: int
) -> tuple[float, float, float]:
    order = np.random.default_rng(seed).permutation(len(texts))
    warm, rest = order[:WARM], order[WARM:]
    vectors = fit_vectors([texts[i] for i in warm])
    _, axes = reduce(vectors([texts[i] for i in warm]), 8)
    features = np.column_stack([np.ones(len(texts)), unit_rows(vectors(texts) @ axes)])
    strong_cost, strong = cost[rest, -1].mean(), quality[rest, -1].mean()
    learner = LinUCB(arms=len(ARMS), dimensions=features.shape[1], budget=share * strong_cost, rate=0.02)
    learner.warm_start(features[warm], quality[warm], cost[warm])
    run = replay_bandit(
        learner, features, quality, cost, order=rest.tolist(), expected=cost[warm].mean(axis=0)
    )
    fixed = best_fixed_mix(quality[rest].mean(axis=0), cost[rest].mean(axis=0), share * strong_cost)
    return run.quality / strong, fixed / strong, run.cost / strong_cost


def calibration(data: Path, seeds: int) -> Iterator[Bar]:
    """Every single signal with 500 labels or more: out of fold, not worse than raw in ranking or Brier score."""
    for experiment in ("cascades", "mmlu_pro", "function_calls", "extraction"):
        for name, rows in rows_of(experiment, data).items():
            for signal, seen in rows.signals.items():
                raw = np.where(np.isnan(seen), np.nanmin(seen), seen)
                if len(rows) < 500 or (raw < 0).any() or (raw > 1).any():
                    continue
                yield from _calibrated(f"{name} · {signal}", rows, raw, min(seeds, 5))


def _calibrated(name: str, rows: RunRows, raw: np.ndarray, seeds: int) -> Iterator[Bar]:
    errors, briers, rankings = [], [], []
    for seed in range(seeds):
        fold, stated = fold_of(rows.doc_id, seed=seed), np.zeros(len(rows))
        for k in range(5):
            rest = fold != k
            fitted = fit_calibration(
                raw[rest, None],
                rows.weak[rest],
                names=["s"],
                binding=Binding(task="-", prompt_version="-", model="-"),
                folds=0,
            )
            stated[~rest] = fitted.predict(raw[~rest, None])
        errors.append(expected_calibration_error(stated, rows.weak))
        briers.append(brier(stated, rows.weak))
        rankings.append(within_groups_auroc(stated, rows.weak, fold))
    yield Bar(f"{name}: ECE", _mean(errors), 0.05, False)
    yield Bar(f"{name}: AUROC", _mean(rankings), (auroc(raw, rows.weak) or 0.0) - 0.01)
    yield Bar(f"{name}: Brier", _mean(briers), brier(raw, rows.weak), False)


def cost(data: Path, seeds: int) -> Iterator[Bar]:  # noqa: ARG001 - timed once
    """CPU milliseconds a document: signals, calibration and decision; and a text router."""
    rows = rows_of("function_calls", data)
    rows = next(iter(rows.values()))
    score = fit_score(rows, tuple(rows.signals))
    policy = ThresholdCascade(score=score, threshold=0.9)
    record = {"stance": "for", "claims": [{"quote": f"the claim number {i}", "topic": "t"} for i in range(5)]}
    seen = Observed(
        record=record,
        schema_valid=True,
        quote_matches=["verbatim"] * 5,
        second_record={**record, "claims": record["claims"][::-1]},
        token_logprobs=[-0.1] * 200,
    )
    names = ["schema_valid", "quotes_grounded", "fields_filled", "agreement", "mean_logprob", "min_logprob"]
    values = dict.fromkeys(rows.signals, 0.5)
    yield Bar("decide: ms CPU per document", _cpu_ms(lambda: policy.decide(values), 2000), 0.2, False)
    both = _cpu_ms(lambda: (compute_signals(seen, names), policy.decide(values)), 500)
    print(f"  with six signals computed, agreement of two records of five items among them: {both:.3f} ms")
    router = LogisticRouter().fit(rows)
    yield Bar(
        "text router: ms CPU per document", _cpu_ms(lambda: router.choose(rows.text[3]), 300), 5.0, False
    )


def _cpu_ms(act: Callable[[], object], times: int) -> float:
    act()
    start = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - start) / times * 1000


def _mean(values: Iterator[float | None] | list[float]) -> float:
    return float(np.mean([np.nan if value is None else value for value in values]))


PARTS = {f.__name__: f for f in (structured, saving, text, bandit, calibration, cost)}


def main() -> int:
    """Print every bar; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("CUPEL_BENCH_DATA"), help="folder with routing/")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default=",".join(PARTS), help="comma-separated parts")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args()
    if not args.data:
        parser.error("give --data or set CUPEL_BENCH_DATA to the folder that holds routing/")
    bars: list[Bar] = []
    for part in args.only.split(","):
        print(f"\n{part}")
        for bar in PARTS[part](Path(args.data) / "routing", args.seeds):
            bars.append(bar)
            sign = "≥" if bar.at_least else "≤"
            print(
                f"  {bar.what}: {bar.measured:.4f} ({sign} {bar.bar:.4f}) {'ok' if bar.reached else 'MISSED'}",
                flush=True,
            )
    if args.json:
        found = {bar.what: round(bar.measured, 4) for bar in bars}
        args.json.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    missed = sum(not bar.reached for bar in bars)
    print(f"\n{len(bars) - missed} of {len(bars)} bars reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
