"""Quality against cost as ever more documents go to the strong model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cupel.errors import InputError
from cupel.routing.rows import FloatArray, RunRows

Kind = Literal["router", "cascade"]
"""A router chooses before any call; a cascade has paid the cheap call and its signals already."""

RANDOM_STEPS = 200
"""Random mixing is drawn at 201 shares, so that its figures do not depend on the number of rows."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What each possible share of strong calls gives; arrays of one length, share ascending."""

    share: FloatArray
    """Documents sent to the strong model, in [0, 1]."""
    quality: FloatArray
    """Mean quality of the mix."""
    cost: FloatArray
    """Mean cost of a document, in the rows' unit, everything billed."""
    weak_quality: float
    strong_quality: float
    weak_cost: float
    strong_cost: float

    @property
    def has_gap(self) -> bool:
        """Whether the strong model is better on average."""
        # two means that differ by rounding alone are no gap
        return self.strong_quality > self.weak_quality + 1e-12


def curve(
    rows: RunRows, scores: FloatArray, *, kind: Kind = "cascade", signals: tuple[str, ...] = ()
) -> Curve:
    """Send the highest scores to the strong model first, one more document at each of n + 1 points.

    Rows with one score are one block: inside it every point is the mean over all orders, so a yes/no
    signal gives a straight line and not an accident of sorting.

    Args:
        rows: What both models answered and cost.
        scores: Wish for the strong model, higher first, shape (n,).
        kind: Whether the cheap call is always paid.
        signals: The signals the scores were made of; their costs are billed on every row.

    Raises:
        InputError: Scores of another length, or NaN among them.
    """
    _check_scores(rows, scores)
    order = np.argsort(-scores, kind="stable")
    _, block = np.unique(-scores[order], return_inverse=True)
    gain = _block_means((rows.strong - rows.weak)[order], block)
    # a cascade has paid the cheap call by then; a router never makes it
    extra = rows.strong_cost if kind == "cascade" else rows.strong_cost - rows.weak_cost
    spend = _block_means(extra[order], block)
    start = rows.weak_cost.mean() + rows.billed(signals).mean()
    size = len(rows)
    return Curve(
        share=np.arange(size + 1) / size,
        quality=rows.weak.mean() + np.concatenate([[0.0], np.cumsum(gain)]) / size,
        cost=start + np.concatenate([[0.0], np.cumsum(spend)]) / size,
        **_ends(rows),
    )


def random_curve(rows: RunRows) -> Curve:
    """Random mixing: the straight line every saving is to be read against."""
    share = np.linspace(0, 1, RANDOM_STEPS + 1)
    ends = _ends(rows)
    return Curve(
        share=share,
        quality=ends["weak_quality"] + share * (ends["strong_quality"] - ends["weak_quality"]),
        cost=ends["weak_cost"] + share * (ends["strong_cost"] - ends["weak_cost"]),
        **ends,
    )


def _ends(rows: RunRows) -> dict[str, float]:
    return {
        "weak_quality": float(rows.weak.mean()),
        "strong_quality": float(rows.strong.mean()),
        "weak_cost": float(rows.weak_cost.mean()),
        "strong_cost": float(rows.strong_cost.mean()),
    }


def _block_means(values: FloatArray, block: np.ndarray) -> FloatArray:
    # by the mean of its block a row stands for any row of the block, whatever the order within
    means: FloatArray = np.bincount(block, weights=values) / np.bincount(block)
    return np.asarray(means[block], dtype=np.float64)


def _check_scores(rows: RunRows, scores: FloatArray) -> None:
    if scores.shape != (len(rows),):
        raise InputError(f"{rows.name}: {scores.size} scores for {len(rows)} rows; give one per row")
    if np.isnan(scores).any():
        raise InputError(
            f"{rows.name}: the score of row {int(np.flatnonzero(np.isnan(scores))[0])} is NaN; "
            "fill missing signals first (a calibration does)"
        )
