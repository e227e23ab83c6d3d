"""Signals and the text together in one logistic regression; worth it above a few thousand labels only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupel.errors import NotEnoughDataError
from cupel.routing.confidence.maps import logit
from cupel.routing.curves import Kind
from cupel.routing.features import Vectors, fit_vectors
from cupel.routing.policy import signal_matrix
from cupel.routing.rows import BoolArray, FloatArray, RunRows


@dataclass(frozen=True, kw_only=True)
class SignalsAndTextPolicy:
    """Escalate where signals and words together say the cheap record is probably wrong."""

    model: Any
    vectors: Vectors
    fill: FloatArray
    scale: FloatArray
    signals: tuple[str, ...]
    name: str
    kind: Kind = "cascade"

    def confidences(self, rows: RunRows) -> FloatArray:
        """P(cheap record right), shape (n,)."""
        return np.asarray(self.model.predict_proba(_design(self, rows))[:, 1], dtype=np.float64)

    def scores(self, rows: RunRows) -> FloatArray:
        """P(cheap record wrong)."""
        return 1 - self.confidences(rows)

    def escalates(self, rows: RunRows) -> BoolArray:
        """More probably wrong than right."""
        return np.asarray(self.confidences(rows) < 0.5, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class SignalsAndText:
    """Learns `SignalsAndTextPolicy`."""

    signals: tuple[str, ...]
    name: str = "cascade: signals + text, logistic"
    kind: Kind = "cascade"

    def fit(self, rows: RunRows) -> SignalsAndTextPolicy:
        """One regression on all columns."""
        from sklearn.linear_model import LogisticRegression

        right = rows.weak > 0.5
        if right.all() or not right.any():
            raise NotEnoughDataError(
                f"{rows.name}: every cheap record is {'right' if right.all() else 'wrong'}"
            )
        table = _columns(rows, self.signals)
        spread = np.nanstd(table, axis=0)
        untrained = SignalsAndTextPolicy(
            model=None,
            vectors=fit_vectors(rows.text),
            fill=np.nan_to_num(np.nanmean(table, axis=0)),
            scale=np.where(spread > 0, spread, 1.0),
            signals=self.signals,
            name=self.name,
        )
        model = LogisticRegression(C=1.0, max_iter=500).fit(_design(untrained, rows), right)
        return replace(untrained, model=model)


def _design(policy: SignalsAndTextPolicy, rows: RunRows) -> Any:
    from scipy import sparse

    table = _columns(rows, policy.signals)
    # a missing signal counts as an average one, which after scaling adds nothing
    filled = np.where(np.isnan(table), policy.fill, table)
    return sparse.hstack([(filled - policy.fill) / policy.scale, policy.vectors(rows.text)]).tocsr()


def _columns(rows: RunRows, names: tuple[str, ...]) -> FloatArray:
    """Every signal as it is and as its log odds, shape (n, 2k); what is outside [0, 1] counts as its end."""
    table = signal_matrix(rows, names)
    return np.column_stack([table, logit(table)])
