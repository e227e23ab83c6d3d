"""Any policy on logged responses, with real costs, always beside what it has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cupel.routing.curves import Curve, Kind, curve, random_curve
from cupel.routing.folds import fold_of
from cupel.routing.measures import (
    average_gap_recovered,
    benefit_lift,
    call_share_for,
    decile_gap_recovered,
    improvement_in_quality,
    saving_at,
)
from cupel.routing.policy import AlwaysStrong, AlwaysWeak, Learner, Oracle, Policy, RandomMix
from cupel.routing.rows import BoolArray, FloatArray, IntArray, RunRows

Figures = dict[str, float | None]
"""Measure to value; None means there is no such number (no gap, never reached, costs nothing)."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """One policy's wishes and decisions on every row, each made by a policy that had not seen the row."""

    name: str
    kind: Kind
    signals: tuple[str, ...]
    scores: FloatArray
    sent: BoolArray
    """Rows its own decision sends to the strong model."""
    fold: IntArray
    """The fold of each row; all 0 where nothing was learnt."""


@dataclass(frozen=True, kw_only=True)
class Operating:
    """What a policy's own decisions give."""

    share: float
    quality: float
    cost: float
    """Mean per document, everything billed, in the rows' unit."""
    saving: float | None
    """Against always-strong; None where the strong model costs nothing."""
    lift: float | None
    """ΔIBC as a ratio; read it with share and quality."""


def play(what: Learner | Policy, rows: RunRows, *, folds: int = 5, seed: int = 0) -> Played:
    """Replay a policy, or a learner fitted on the other folds for each fold.

    Raises:
        NotEnoughDataError: A fold's training rows do not suffice for the learner.
        SettingError: A signal the rows do not have.
    """
    if not isinstance(what, Learner):
        return _play(what, what.scores(rows), what.escalates(rows), np.zeros(len(rows), dtype=np.int64))
    fold = fold_of(rows.doc_id, folds=folds, seed=seed)
    scores, sent = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.bool_)
    for k in range(folds):
        fitted, part = what.fit(rows.take(fold != k)), rows.take(fold == k)
        scores[fold == k], sent[fold == k] = fitted.scores(part), fitted.escalates(part)
    return _play(what, scores, sent, fold)


def _play(what: Learner | Policy, scores: FloatArray, sent: BoolArray, fold: IntArray) -> Played:
    return Played(name=what.name, kind=what.kind, signals=what.signals, scores=scores, sent=sent, fold=fold)


def curve_of(played: Played, rows: RunRows) -> Curve:
    """The policy's cost-quality curve; random mixing has the exact line."""
    if played.name == RandomMix().name:
        return random_curve(rows)
    return curve(rows, played.scores, kind=played.kind, signals=played.signals)


def figures(played: Played, rows: RunRows) -> Figures:
    """All measures of one policy at mean costs, as published tables count, and savings with real ones."""
    line = curve_of(played, rows.with_mean_costs())
    return {
        "APGR": average_gap_recovered(line),
        "CPT50": call_share_for(line, 0.5),
        "CPT80": call_share_for(line, 0.8),
        "sav95": saving_at(line),
        "sav95_real": saving_at(curve_of(played, rows)),
        "AIQ": improvement_in_quality(line),
        "APGR10": decile_gap_recovered(line, played.scores),
    }


def operating(played: Played, rows: RunRows) -> Operating:
    """Share, quality, real cost and saving of the policy's own decisions."""
    sent = played.sent
    # a router that sends a document on never pays the cheap call
    kept = rows.weak_cost if played.kind == "cascade" else np.where(sent, 0.0, rows.weak_cost)
    cost = float((kept + rows.billed(played.signals) + sent * rows.strong_cost).mean())
    quality = float(np.where(sent, rows.strong, rows.weak).mean())
    strong = float(rows.strong_cost.mean())
    # only its ends are read: what always-weak and always-strong give
    line = curve(rows, np.zeros(len(rows)))
    return Operating(
        share=float(sent.mean()),
        quality=quality,
        cost=cost,
        saving=1 - cost / strong if strong > 0 else None,
        lift=benefit_lift(quality, cost, line) if sent.any() else None,
    )


def bootstrap(
    played: Played,
    rows: RunRows,
    measure: Callable[[Curve], float | None],
    *,
    times: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Percentile interval of a curve's measure over resampled rows; None where most resamples have no value."""
    values = [value for value in _resample(played, rows, measure, times, seed) if value is not None]
    if len(values) < times // 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resample(
    played: Played, rows: RunRows, measure: Callable[[Curve], float | None], times: int, seed: int
) -> list[float | None]:
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(times):
        chosen = rng.integers(len(rows), size=len(rows))
        # scores travel with their rows and nothing is learnt anew: it is the rows that are in doubt
        part = replace(
            played, scores=played.scores[chosen], sent=played.sent[chosen], fold=played.fold[chosen]
        )
        values.append(measure(curve_of(part, rows.take(chosen))))
    return values


def baselines() -> list[Policy]:
    """What every table starts with."""
    return [AlwaysWeak(), AlwaysStrong(), RandomMix(), Oracle("router"), Oracle("cascade")]
