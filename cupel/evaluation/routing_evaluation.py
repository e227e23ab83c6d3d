"""Every policy on one set of logged rows: measures, calibration and curves, ready for a table or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cupel import routing
from cupel.errors import NotEnoughDataError
from cupel.routing import Calibration, Curve, FloatArray, Learner, Played, Policy, RunRows
from cupel.stats import (
    ReliabilityBin,
    auroc,
    brier,
    expected_calibration_error,
    reliability_bins,
    within_groups_auroc,
)

Figures = dict[str, float | None]

ALL_SIGNALS = "cascade: all signals, calibrated"
REPLAY = routing.Binding(task="replay", prompt_version="-", model="-")
FEWEST_TO_LEARN = 100
_INTERVAL_TIMES = 200


@dataclass(frozen=True, kw_only=True)
class Line:
    """One policy on one set of rows."""

    method: str
    kind: str
    figures: Figures
    intervals: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    """95 % bootstrap intervals of APGR and saving."""
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest over the fold seeds."""
    curve: Curve | None = None
    reliability: list[ReliabilityBin] = field(default_factory=list)
    skipped: str = ""
    """Why there are no figures."""


@dataclass(frozen=True, kw_only=True)
class RoutingEvaluation:
    """All policies on one set of rows."""

    name: str
    n: int
    weak: float
    strong: float
    lines: list[Line]

    @property
    def has_gap(self) -> bool:
        """Whether the strong model is better; without it there is nothing to recover."""
        return self.strong > self.weak + 1e-12


def fit_score(rows: RunRows, signals: tuple[str, ...]) -> Calibration:
    """A calibration of the cheap record on logged rows, for a replay."""
    return routing.fit_calibration(
        routing.signal_matrix(rows, signals), rows.weak, names=signals, binding=REPLAY, folds=0
    )


def policies_for(
    rows: RunRows, *, learn: bool = True, core: Sequence[str] = ()
) -> Iterator[Policy | Learner]:
    """Baselines, every signal alone, everything combined, AutoMix, and the text routers.

    Args:
        rows: What will be replayed.
        learn: Whether trained policies are wanted.
        core: The signals of "all signals, logistic", where the rows have further ones.
    """
    yield from routing.baselines()
    signals = tuple(rows.signals)
    for signal in signals:
        yield routing.SignalCascade(signal=signal)
    if not learn or len(rows) < FEWEST_TO_LEARN:
        return
    for signal in signals:
        yield routing.AutoMixThreshold(signal=signal)
        yield routing.AutoMixPOMDP(signal=signal)
    if len(signals) > 1:
        yield routing.CascadeLearner(signals=tuple(core) or signals, fit_score=fit_score)
    if signals:
        yield routing.CascadeLearner(signals=signals, fit_score=fit_score, name=ALL_SIGNALS)
    if rows.text:
        if signals:
            yield routing.SignalsAndText(signals=tuple(core) or signals)
        yield routing.LogisticRouter(surface_weight=0.0, inverse_penalty=1.0, name="tfidf-LR router")
        yield routing.NeighbourRouter()
        yield routing.LogisticRouter()
        yield routing.SimilarityRanking()
        yield routing.MatrixFactorisation()


def evaluate(
    rows: RunRows,
    *,
    policies: Sequence[Policy | Learner] | None = None,
    learn: bool = True,
    core: Sequence[str] = (),
    seeds: Sequence[int] = (7,),
    intervals: bool = True,
) -> RoutingEvaluation:
    """Replay every policy, trained ones out of fold, and measure them.

    Figures are means over the seeds (a seed decides the folds); curves and intervals are of the first one.
    A policy that cannot be had is a line with the reason, not a failure.
    """
    chosen = list(policies) if policies is not None else list(policies_for(rows, learn=learn, core=core))
    return RoutingEvaluation(
        name=rows.name,
        n=len(rows),
        weak=float(rows.weak.mean()),
        strong=float(rows.strong.mean()),
        lines=[_line(each, rows, seeds, intervals) for each in chosen],
    )


def _line(what: Policy | Learner, rows: RunRows, seeds: Sequence[int], intervals: bool) -> Line:
    try:
        trained = isinstance(what, Learner)
        runs = [routing.play(what, rows, seed=seed) for seed in (seeds if trained else seeds[:1])]
    except NotEnoughDataError as error:
        return Line(method=what.name, kind=what.kind, figures={}, skipped=str(error))
    each = [
        {**routing.figures(run, rows), **_decide(run, rows), **_confidence_figures(run, rows)} for run in runs
    ]
    return Line(
        method=what.name,
        kind=what.kind,
        figures={key: _mean([one[key] for one in each]) for key in each[0]},
        ranges={key: _range([one[key] for one in each]) for key in each[0] if each[0][key] is not None},
        intervals=_intervals(runs[0], rows) if intervals and rows.has_gap else {},
        curve=routing.curve_of(runs[0], rows),
        reliability=_reliability(runs[0], rows),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if len(numbers) == len(values) else None


def _range(values: Sequence[float | None]) -> tuple[float, float]:
    numbers = [value for value in values if value is not None]
    return min(numbers), max(numbers)


def _intervals(run: Played, rows: RunRows) -> dict[str, tuple[float, float] | None]:
    return {
        "APGR": routing.bootstrap(run, rows, routing.average_gap_recovered, times=_INTERVAL_TIMES),
        "sav95_real": routing.bootstrap(run, rows, routing.saving_at, times=_INTERVAL_TIMES),
    }


def _decide(run: Played, rows: RunRows) -> Figures:
    """Share, quality and saving at real costs; ΔIBC at mean costs, as its authors count it."""
    point = routing.operating(run, rows)
    return {
        "share": point.share,
        "quality": point.quality,
        "saving": point.saving,
        "dIBC": routing.operating(run, rows.with_mean_costs()).lift,
    }


def _is_probability(run: Played) -> bool:
    return run.kind == "cascade" and run.name.startswith(("cascade: all signals", "cascade: signals + text"))


def _confidence_figures(run: Played, rows: RunRows) -> Figures:
    """Ranking and calibration of the cheap record's confidence; soft outcomes have neither."""
    if run.kind != "cascade" or not run.name.startswith("cascade") or not _binary(rows.weak):
        return {}
    if _is_probability(run):
        stated = 1 - run.scores
        return {
            "AUROC": auroc(stated, rows.weak),
            "AUROC_in_fold": within_groups_auroc(stated, rows.weak, run.fold),
            "ECE": expected_calibration_error(stated, rows.weak),
            "Brier": brier(stated, rows.weak),
        }
    raw = -run.scores
    ranking: Figures = {"AUROC": auroc(raw, rows.weak)}
    if ((raw < 0) | (raw > 1)).any():
        return ranking
    maps = _cross_fitted(raw, rows)
    return ranking | {
        "ECE": expected_calibration_error(raw, rows.weak),
        "Brier": brier(raw, rows.weak),
        **{f"ECE_{name}": expected_calibration_error(values, rows.weak) for name, values in maps.items()},
    }


def _cross_fitted(raw: FloatArray, rows: RunRows, *, folds: int = 5, seed: int = 7) -> dict[str, FloatArray]:
    """Platt and isotonic maps of one raw signal, each out of fold."""
    fold = routing.fold_of(rows.doc_id, folds=folds, seed=seed)
    out = {"platt": np.zeros(len(raw)), "iso": np.zeros(len(raw))}
    for k in range(folds):
        rest, part = fold != k, fold == k
        slope, offset = routing.fit_platt(routing.logit(raw[rest]), rows.weak[rest])
        out["platt"][part] = routing.sigmoid(slope * routing.logit(raw[part]) + offset)
        places, values = zip(*routing.centred_isotonic(raw[rest], rows.weak[rest]), strict=True)
        out["iso"][part] = np.interp(raw[part], places, values)
    return out


def _reliability(run: Played, rows: RunRows) -> list[ReliabilityBin]:
    stated = 1 - run.scores if _is_probability(run) else -run.scores
    wanted = run.kind == "cascade" and run.name.startswith("cascade") and _binary(rows.weak)
    if not wanted or (stated < 0).any() or (stated > 1).any():
        return []
    return reliability_bins(stated, rows.weak)


def _binary(values: FloatArray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())
