"""One-dimensional maps from a raw score to a probability: Platt, centred isotonic, and a blend of both.

Each is a small table that JSON can hold; none needs more than numpy once fitted.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from cupel.routing.rows import FloatArray

PLATT_BELOW = 200
ISOTONIC_FROM = 1000
_TRACE_OF_PLATT = 0.02
_EDGE = 1e-3
_LEAST_SLOPE = 0.005


_ENDS = 1e-9


def logit_of(p: float) -> float:
    """log(p / (1 − p)) of one number, held a trace away from 0 and 1."""
    kept = min(max(p, _ENDS), 1 - _ENDS)
    return math.log(kept) - math.log1p(-kept)


def logit(p: FloatArray) -> FloatArray:
    """`logit_of` for arrays."""
    kept = np.clip(p, _ENDS, 1 - _ENDS)
    return np.asarray(np.log(kept) - np.log1p(-kept), dtype=np.float64)


def sigmoid(z: FloatArray) -> FloatArray:
    """1 / (1 + exp(−z)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class ScoreMap:
    """p = (1 − w) · sigmoid(slope · z + offset) + w · interpolation through `knots`, w = `isotonic_share`.

    It never falls as the score rises: a better score is never given less confidence.
    """

    slope: float
    offset: float
    knots: tuple[tuple[float, float], ...] = ()
    """(score, probability), both ascending."""
    isotonic_share: float = 0.0

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Probabilities for raw scores, same shape."""
        smooth = sigmoid(self.slope * scores + self.offset)
        if not self.knots:
            return smooth
        places, values = zip(*self.knots, strict=True)
        stepped = np.interp(scores, places, values)
        return np.asarray(
            (1 - self.isotonic_share) * smooth + self.isotonic_share * stepped, dtype=np.float64
        )

    def at(self, score: float) -> float:
        """The probability for one score; what a node asks for each record, so plain Python."""
        smooth = 0.5 * (1 + math.tanh(0.5 * (self.slope * score + self.offset)))
        if not self.knots:
            return smooth
        # as np.interp does it: (score,) sorts before any knot of that score, and ends hold beyond the knots
        place = bisect_left(self.knots, (score,))
        if place in (0, len(self.knots)):
            stepped = self.knots[min(place, len(self.knots) - 1)][1]
        else:
            (left, low), (right, high) = self.knots[place - 1 : place + 1]
            stepped = low + (high - low) * (score - left) / (right - left)
        return (1 - self.isotonic_share) * smooth + self.isotonic_share * stepped

    @property
    def kind(self) -> str:
        """`platt`, `blend` or `isotonic`."""
        if not self.knots:
            return "platt"
        return "isotonic" if self.isotonic_share >= 1 - _TRACE_OF_PLATT else "blend"


def fit_map(scores: FloatArray, correct: FloatArray) -> ScoreMap:
    """The map that suits the number of labels.

    Below 200 labels Platt alone: two parameters. Up to 1,000 one part Platt to two parts isotonic, which
    keeps isotonic's shape with less of its noise. From 1,000 isotonic with a trace of Platt, so that it stays
    strictly increasing and ranks as the raw score does.

    Sources: Platt 1999; Oron & Flournoy, "Centered isotonic regression", 2017.
    """
    slope, offset = fit_platt(scores, correct)
    if len(scores) < PLATT_BELOW:
        return ScoreMap(slope=slope, offset=offset)
    share = 2 / 3 if len(scores) < ISOTONIC_FROM else 1 - _TRACE_OF_PLATT
    knots = centred_isotonic(scores, correct)
    return ScoreMap(slope=slope, offset=offset, knots=knots, isotonic_share=share)


def fit_platt(scores: FloatArray, correct: FloatArray, *, rounds: int = 50) -> tuple[float, float]:
    """Slope and offset of a logistic curve, by Newton's method on Platt's smoothed targets.

    The slope is never negative: that would turn the signal round. A signal without skill keeps a trace of a
    slope, so that records stay in their order while all get about the base rate.
    """
    wins, n = float(correct.sum()), len(correct)
    # Platt's targets, short of 1 and 0: a sample that separates perfectly keeps a finite slope
    high, low = (wins + 1) / (wins + 2), 1 / (n - wins + 2)
    target = correct * high + (1 - correct) * low
    centre, scale = float(scores.mean()), float(scores.std()) or 1.0
    # in units of the spread: the trace of ridge and the least slope then mean the same for any signal
    design = np.column_stack([(scores - centre) / scale, np.ones(n)])
    weights = _newton(design, target, ridge=np.array([1e-6, 0.0]), rounds=rounds)
    slope, offset = weights[0] / scale, weights[1] - weights[0] * centre / scale
    if weights[0] < _LEAST_SLOPE:
        base = float(logit(np.array([target.mean()]))[0])
        return _LEAST_SLOPE / scale, base - _LEAST_SLOPE * centre / scale
    return float(slope), float(offset)


def _newton(design: FloatArray, target: FloatArray, *, ridge: FloatArray, rounds: int) -> FloatArray:
    """Ridge-penalised logistic weights; targets may be any share in [0, 1]."""
    weights = np.zeros(design.shape[1])
    for _ in range(rounds):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - target) + ridge * weights
        curvature = (design * (p * (1 - p) + 1e-9)[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        # far from the optimum the curve is flat and a full Newton step flies off
        weights = weights - step * min(1.0, 5.0 / (np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(weights, dtype=np.float64)


def centred_isotonic(scores: FloatArray, correct: FloatArray) -> tuple[tuple[float, float], ...]:
    """Pool adjacent violators, then one knot at the centre of each pool.

    Interpolating between centres keeps different scores apart where isotonic steps would tie them.
    """
    places, index, count = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(index, weights=correct) / count
    pools: list[tuple[float, float, float]] = []
    for place, mean, size in zip(places, means, count, strict=True):
        pool = (float(place), float(mean), float(size))
        # a place no better than the pool before it joins it, and the larger pool may then have to join the next
        while pools and pools[-1][1] >= pool[1]:
            pool = _merge(pools.pop(), pool)
        pools.append(pool)
    return tuple((place, min(max(mean, _EDGE), 1 - _EDGE)) for place, mean, _ in pools)


def _merge(a: tuple[float, float, float], b: tuple[float, float, float]) -> tuple[float, float, float]:
    size = a[2] + b[2]
    return ((a[0] * a[2] + b[0] * b[2]) / size, (a[1] * a[2] + b[1] * b[2]) / size, size)
