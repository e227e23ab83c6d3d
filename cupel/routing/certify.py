"""From labelled records to a cascade with a certificate: what `cupel calibrate` does once the labels are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from cupel.errors import InputError, NotEnoughDataError
from cupel.routing.policy import Scorer
from cupel.routing.rows import FloatArray
from cupel.routing.threshold import RiskKind, certify, split_for_certificate
from cupel.routing.threshold_cascade import ThresholdCascade

FitMatrix = Callable[[FloatArray, FloatArray], Scorer]
"""Signals (n, k) and outcomes (n,), 1 for right, to a calibrated score."""

_FIT_SIZES = (40, 80, 120, 200, 400)
_ENOUGH_OF_A_KIND = 3


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What the user asks for, and what the certificate shall say about it."""

    risk: float = 0.05
    """At most this share …"""
    delta: float = 0.1
    """… except with this probability over the draw of the sample."""
    kind: RiskKind = "joint"
    date: str = ""
    wrong_means: str = "gold"
    """`gold`: differs from a person's label. `strong`: differs from the strong model's record."""
    versions: Mapping[str, str] = field(default_factory=dict)


def certify_cascade(
    signals: ArrayLike, right: ArrayLike, *, fit: FitMatrix, promise: Promise, seed: int = 0
) -> ThresholdCascade:
    """Fit the score on one part of the labels, certify its threshold on the rest.

    The fitting part begins small and grows while it holds too few records of one kind; which records it takes
    next is settled before, so the certifying part stays a sample that nothing has looked at.

    Args:
        signals: Signals of uniformly drawn records, shape (n, k), NaN where missing.
        right: Whether each record was right, 1 or 0, shape (n,).
        fit: Makes the calibrated score; `cupel.routing.confidence.fit_calibration` with names and binding filled in.
        promise: Risk, delta and what to write into the certificate.
        seed: Which records go to which part.

    Returns:
        The cascade to store. Where nothing could be certified it accepts nothing, and its certificate says
        how many more labels would do.

    Raises:
        NotEnoughDataError: Too few labels, or too few of one kind, even in half of them.
        InputError: Different lengths, or nothing that could be labels.
    """
    table, outcome = np.asarray(signals, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if table.ndim != 2 or outcome.shape != (len(table),):
        raise InputError(
            f"signals of shape {table.shape}, {outcome.size} outcomes; one row and one outcome a record"
        )
    score, held = _fit_on_a_part(table, outcome, fit, promise, seed)
    certificate = certify(
        score.predict(table[held]),
        1 - outcome[held],
        risk=promise.risk,
        delta=promise.delta,
        kind=promise.kind,
        date=promise.date,
        wrong_means=promise.wrong_means,
        versions=dict(promise.versions),
    )
    return ThresholdCascade(score=score, threshold=certificate.threshold, certificate=certificate)


def _fit_on_a_part(
    table: FloatArray, outcome: FloatArray, fit: FitMatrix, promise: Promise, seed: int
) -> tuple[Scorer, np.ndarray]:
    if len(table) < 2 * _FIT_SIZES[0]:
        raise NotEnoughDataError(
            f"{len(table)} labels; fitting and certifying need {2 * _FIT_SIZES[0]} or more: "
            f"label {2 * _FIT_SIZES[0] - len(table)} more"
        )
    # the seed orders the labels once, and the fitting part grows from one end of that order by its own outcomes
    # alone: the rest is still a uniform sample whose outcomes nobody has looked at
    for least in (size for size in _FIT_SIZES if 2 * size <= len(table)):
        part, held = split_for_certificate(
            len(table), risk=promise.risk, delta=promise.delta, seed=seed, least_fit=least
        )
        if _both_kinds(outcome[part]):
            break
    return fit(table[part], outcome[part]), held


def _both_kinds(outcome: FloatArray) -> bool:
    return bool(_ENOUGH_OF_A_KIND <= outcome.sum() <= len(outcome) - _ENOUGH_OF_A_KIND)
