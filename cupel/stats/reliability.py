"""How good a confidence is: does it rank, and does it mean what it says."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cupel.errors import InputError
from cupel.stats.intervals import Floats, wilson


class ReliabilityBin(NamedTuple):
    """Records of about one stated confidence, and how many of them were right."""

    low: float
    high: float
    n: int
    confidence: float
    """Mean stated confidence in the bin."""
    accuracy: float
    """Share that was right."""
    interval: tuple[float, float]
    """95 % Wilson interval of `accuracy`."""


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 10) -> float:
    """Average gap between stated confidence and observed accuracy.

    Args:
        confidence: One probability in [0, 1] per document, shape (n,).
        correct: Whether that record was right, shape (n,); shares in [0, 1] work too.
        bins: Number of equal-width bins; 10 and 15 are usual.

    Returns:
        The error in [0, 1]; 0 is perfectly calibrated. On fewer than about 100 documents it is biased
        upwards: show the reliability bins with their intervals.

    Raises:
        InputError: Different lengths, nothing at all, NaN, or a confidence outside [0, 1].

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    >>> round(expected_calibration_error([0.9, 0.9, 0.6, 0.6], [True, True, True, False]), 6)
    0.1
    """
    filled = reliability_bins(confidence, correct, bins=bins)
    total = sum(each.n for each in filled)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in filled) / total


def brier(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Mean squared error of the confidence; 0 is perfect, always saying 0.5 gives 0.25.

    >>> brier([1.0, 0.5], [True, False])
    0.125
    """
    stated, right = _check(confidence, correct)
    return float(((stated - right) ** 2).mean())


def auroc(confidence: ArrayLike, correct: ArrayLike) -> float | None:
    """Chance that a right record is ranked above a wrong one, ties counting half; 0.5 is no skill.

    Any real-valued score will do. None where all records are right, or all wrong: nothing can be ranked.

    >>> auroc([0.9, 0.8, 0.8, 0.1], [True, True, False, False])
    0.875
    """
    stated, right = _check(confidence, correct, unit=False)
    positive = right > 0.5
    wins, losses = int(positive.sum()), int((~positive).sum())
    if not wins or not losses:
        return None
    _, place, count = np.unique(stated, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((mean_rank[positive].sum() - wins * (wins + 1) / 2) / (wins * losses))


def reliability_bins(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 10) -> list[ReliabilityBin]:
    """Equal-width bins of confidence with the accuracy in each; empty bins are left out."""
    stated, right = _check(confidence, correct)
    which = np.minimum((stated * bins).astype(int), bins - 1)
    return [_bin(stated[which == k], right[which == k], k, bins) for k in range(bins) if (which == k).any()]


def _bin(stated: Floats, right: Floats, k: int, bins: int) -> ReliabilityBin:
    n, accuracy = len(stated), float(right.mean())
    low, high = wilson(float(right.sum()), n)
    return ReliabilityBin(k / bins, (k + 1) / bins, n, float(stated.mean()), accuracy, (low, high))


def _check(confidence: ArrayLike, correct: ArrayLike, *, unit: bool = True) -> tuple[Floats, Floats]:
    stated, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if stated.shape != right.shape or stated.ndim != 1 or not stated.size:
        raise InputError(
            f"{stated.size} confidences and {right.size} outcomes; give one of each per record, at least one"
        )
    for what, values in (("confidence", stated), ("outcome", right)):
        bad = np.flatnonzero(
            np.isnan(values) if what == "confidence" and not unit else ~((values >= 0) & (values <= 1))
        )
        if len(bad):
            raise InputError(f"{what} of record {bad[0]} is {values[bad[0]]}; it must be a number in [0, 1]")
    return stated, right


def within_groups_auroc(confidence: ArrayLike, correct: ArrayLike, groups: ArrayLike) -> float | None:
    """Mean AUROC inside each group, weighted by size.

    For cross-fitted confidences: each fold has a calibration of its own, and comparing values across them
    measures the difference between calibrations, not the ranking.
    """
    stated, right = _check(confidence, correct, unit=False)
    labels = np.asarray(groups)
    parts = [
        (int((labels == g).sum()), auroc(stated[labels == g], right[labels == g])) for g in np.unique(labels)
    ]
    ranked = [(n, value) for n, value in parts if value is not None]
    return sum(n * value for n, value in ranked) / sum(n for n, _ in ranked) if ranked else None
