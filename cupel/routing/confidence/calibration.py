"""Signals of a record to the probability that it is right, for one task, prompt version and model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.routing.confidence.combination import Feature, combined_features, raw_scores, single_feature
from cupel.routing.confidence.maps import ScoreMap, fit_map
from cupel.routing.rows import FloatArray
from cupel.stats import auroc, brier, expected_calibration_error

FEWEST_LABELS = 20
"""Fewer labels than this do not calibrate anything."""
FEWEST_OF_A_KIND = 3
"""Right records, and wrong ones, that a fit needs at least."""
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a calibration is valid for; if one of these changes, so does the meaning of a score."""

    task: str
    prompt_version: str
    model: str
    field: str = ""
    """Name of one field, for a calibration of that field alone; empty for whole records."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What was seen when the calibration was fitted, out of fold; shown in reports."""

    labels: int
    right: int
    auroc: float | None
    ece: float
    brier: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted map from signals to a probability; plain data, made by `fit_calibration`."""

    binding: Binding
    features: tuple[Feature, ...]
    score_map: ScoreMap
    fit: Fit

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals it reads."""
        return tuple(feature.name for feature in self.features)

    def probability(self, signals: Mapping[str, float | None]) -> float | None:
        """Probability in [0, 1] that the record is right; None where every signal is missing.

        Values that are None, NaN or absent count as missing.
        """
        # asked for every document, and so without an array
        score, seen = 0.0, False
        for feature in self.features:
            value = signals.get(feature.name)
            if value is None or value != value:  # noqa: PLR0124 - NaN is not itself
                score += feature.absent_part
            else:
                score, seen = score + feature.part(value), True
        return self.score_map.at(score) if seen else None

    def predict(self, matrix: ArrayLike) -> FloatArray:
        """Probabilities for many records.

        Args:
            matrix: Signals in the order of `signals`, shape (n, number of signals), NaN where missing.

        Raises:
            InputError: Another number of columns.
        """
        table = _table(matrix, len(self.features))
        return self.score_map(raw_scores(table, self.features))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"format": _FORMAT, **asdict(self)}

    def to_json(self) -> str:
        """A JSON text; `from_json` gives an equal calibration back."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_dict` described.

        Raises:
            SettingError: Data of another format, or incomplete.
        """
        if data.get("format") != _FORMAT:
            raise SettingError(
                f"calibration format {data.get('format')!r} is unknown; this is format {_FORMAT}"
            )
        try:
            mapped = dict(data["score_map"])
            mapped["knots"] = tuple((float(a), float(b)) for a, b in mapped["knots"])
            return cls(
                binding=Binding(**data["binding"]),
                features=tuple(Feature(**feature) for feature in data["features"]),
                score_map=ScoreMap(**mapped),
                fit=Fit(**data["fit"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingError(
                f"the calibration is incomplete ({error}); run `cupel calibrate` again"
            ) from error

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what `to_json` wrote."""
        return cls.from_dict(json.loads(text))


def fit_calibration(
    matrix: ArrayLike, correct: ArrayLike, *, names: Sequence[str], binding: Binding, folds: int = 5
) -> Calibration:
    """Learn how likely a record with these signals is right.

    One signal is mapped directly, so its ranking cannot change. Several are first combined by a logistic
    regression (scikit-learn), then mapped. See `maps.fit_map` for how the number of labels decides the map.

    Args:
        matrix: Signals, higher is more trustworthy, shape (n, k), NaN where missing.
        correct: Whether each record was right, shape (n,).
        names: The k names.
        binding: What the calibration will be valid for.
        folds: Parts for the out-of-fold figures in `fit`; 0 skips them and reports in-sample figures.

    Raises:
        NotEnoughDataError: Too few labels, or (nearly) all of one kind.
        InputError: Wrong shapes, an outcome that is neither 0 nor 1, an infinite signal.
    """
    right = np.asarray(correct, dtype=np.float64)
    table = _table(matrix, len(names))
    _check_labels(table, right, names)
    features, score_map = _fit(table, right, names)
    predicted = score_map(raw_scores(table, features))
    if folds > 1:
        predicted = _out_of_fold(table, right, names, folds, fallback=predicted)
    fit = Fit(
        labels=len(right),
        right=int(right.sum()),
        auroc=auroc(predicted, right),
        ece=expected_calibration_error(predicted, right),
        brier=brier(predicted, right),
    )
    return Calibration(binding=binding, features=features, score_map=score_map, fit=fit)


def _fit(table: FloatArray, right: FloatArray, names: Sequence[str]) -> tuple[tuple[Feature, ...], ScoreMap]:
    features = single_feature(table, names) if len(names) == 1 else combined_features(table, right, names)
    return features, fit_map(raw_scores(table, features), right)


def _out_of_fold(
    table: FloatArray, right: FloatArray, names: Sequence[str], folds: int, *, fallback: FloatArray
) -> FloatArray:
    """Probabilities from parts that did not see the record; `fallback` where a part cannot be fitted."""
    # a seed of its own: the same labels give the same file
    part = np.random.default_rng(0).permutation(len(right)) % folds
    # where the other parts lack one kind, or a signal throughout, nothing can be fitted: these stay in-sample
    predicted = fallback.copy()
    for k in range(folds):
        rest = part != k
        if _usable(table[rest], right[rest]):
            features, score_map = _fit(table[rest], right[rest], names)
            predicted[~rest] = score_map(raw_scores(table[~rest], features))
    return predicted


def _usable(table: FloatArray, right: FloatArray) -> bool:
    several = min(right.sum(), len(right) - right.sum()) > 0
    return bool(several and not np.isnan(table).all(axis=0).any())


def _table(matrix: ArrayLike, width: int) -> FloatArray:
    table = np.asarray(matrix, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != width:
        raise InputError(f"signals of shape {table.shape}; one row per record and {width} columns are needed")
    if np.isinf(table).any():
        raise InputError(
            f"signal of record {int(np.argwhere(np.isinf(table))[0][0])} is infinite; leave it out"
        )
    return table


def _check_labels(table: FloatArray, right: FloatArray, names: Sequence[str]) -> None:
    if right.shape != (len(table),):
        raise InputError(f"{right.size} outcomes for {len(table)} records; give one per record")
    bad = np.flatnonzero(~np.isin(right, (0.0, 1.0)))
    if len(bad):
        raise InputError(f"outcome of record {bad[0]} is {right[bad[0]]}; it must be 0 (wrong) or 1 (right)")
    if len(right) < FEWEST_LABELS:
        raise NotEnoughDataError(f"{len(right)} labels; a calibration needs {FEWEST_LABELS} or more")
    wins = int(right.sum())
    for kind, count in (("right", wins), ("wrong", len(right) - wins)):
        if count < FEWEST_OF_A_KIND:
            raise NotEnoughDataError(
                f"only {count} of {len(right)} records are {kind}; a calibration needs {FEWEST_OF_A_KIND} of each "
                "kind: label more documents"
            )
    empty = [name for k, name in enumerate(names) if np.isnan(table[:, k]).all()]
    if empty:
        raise NotEnoughDataError(f"signal {empty[0]!r} is missing on every record; leave it out")
