"""Several signals as one score: each as it is or as its log odds, weighted by a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cupel.errors import SettingError
from cupel.routing.confidence.maps import logit, logit_of
from cupel.routing.rows import FloatArray


@dataclass(frozen=True, kw_only=True)
class Feature:
    """How one signal enters the score; a missing value takes `fill` and, where learnt, its own weight."""

    name: str
    fill: float
    weight: float
    missing_weight: float = 0.0
    as_logit: bool = False

    def part(self, value: float) -> float:
        """What a value that is there adds to the score."""
        return self.weight * (logit_of(value) if self.as_logit else value)

    @property
    def absent_part(self) -> float:
        """What a missing value adds."""
        return self.missing_weight + self.part(self.fill)


def single_feature(table: FloatArray, names: Sequence[str]) -> tuple[Feature, ...]:
    """The one signal itself; a missing value counts as the lowest seen, which never overstates it."""
    seen = table[~np.isnan(table[:, 0]), 0]
    return (Feature(name=names[0], fill=float(seen.min()), weight=1.0, as_logit=_is_share(seen)),)


def combined_features(table: FloatArray, right: FloatArray, names: Sequence[str]) -> tuple[Feature, ...]:
    """Weights for every signal and for its absence, by a ridge-penalised logistic regression.

    Args:
        table: Shape (n, k), NaN where missing.
        right: Outcomes, 0 or 1, shape (n,).
        names: The k names.

    Raises:
        SettingError: scikit-learn is missing.
    """
    bare = tuple(_bare_feature(name, table[:, k], right) for k, name in enumerate(names))
    # that something could not be observed may tell as much as its value, so absence has a weight of its own
    values, absent = _transform(table, bare), np.isnan(table).astype(np.float64)
    design = np.column_stack([values, absent])
    # in units of their spread, so that the ridge holds every column back alike
    scale = np.where(design.std(axis=0) > 0, design.std(axis=0), 1.0)
    weights = _logistic_weights(design / scale, right) / scale
    return tuple(
        replace(feature, weight=float(weights[k]), missing_weight=float(weights[len(names) + k]))
        for k, feature in enumerate(bare)
    )


def _logistic_weights(design: FloatArray, right: FloatArray) -> FloatArray:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise SettingError('combining signals needs scikit-learn: pip install "cupel[calibrate]"') from error
    model = LogisticRegression(C=1.0, max_iter=1000).fit(design, right > 0.5)
    return np.asarray(model.coef_[0], dtype=np.float64)


def _bare_feature(name: str, column: FloatArray, right: FloatArray) -> Feature:
    """A share enters as it is or as its log odds, whichever goes more nearly straight with the outcome."""
    is_there = ~np.isnan(column)
    seen = column[is_there]
    if not len(seen):
        return Feature(name=name, fill=0.0, weight=1.0)
    straighter = _is_share(seen) and _linear(logit(seen), right[is_there]) > _linear(seen, right[is_there])
    return Feature(name=name, fill=float(seen.mean()), weight=1.0, as_logit=straighter)


def _linear(values: FloatArray, right: FloatArray) -> float:
    """Size of the correlation with the outcome; 0 where either never varies."""
    spread = values.std() * right.std()
    return (
        float(abs(((values - values.mean()) * (right - right.mean())).mean()) / spread) if spread > 0 else 0.0
    )


def _transform(table: FloatArray, features: Sequence[Feature]) -> FloatArray:
    columns = []
    for k, feature in enumerate(features):
        filled = np.where(np.isnan(table[:, k]), feature.fill, table[:, k])
        columns.append(logit(filled) if feature.as_logit else filled)
    return np.column_stack(columns)


def raw_scores(table: FloatArray, features: Sequence[Feature]) -> FloatArray:
    """The weighted sum per record, shape (n,); any real number, higher is more trustworthy."""
    weights = np.array([feature.weight for feature in features])
    absent = np.array([feature.missing_weight for feature in features])
    return np.asarray(_transform(table, features) @ weights + np.isnan(table) @ absent, dtype=np.float64)


def _is_share(values: FloatArray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())
