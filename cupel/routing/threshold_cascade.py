"""Cascades: keep the cheap record where it is probably right, else ask the strong model."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cupel.errors import NotEnoughDataError, SettingError
from cupel.routing.curves import Kind, curve
from cupel.routing.policy import OneSignal, Scorer, signal_matrix
from cupel.routing.rows import BoolArray, FloatArray, RunRows
from cupel.routing.threshold import Certificate

FitScore = Callable[[RunRows, tuple[str, ...]], Scorer]
"""Fits a calibrated score for the named signals of these rows; `cupel.routing.confidence.fit_calibration` wrapped."""

_FORMAT = 1
_ROUNDING = 1e-9
"""One record and a whole table are computed by different code; their last digits may differ."""


class Decision(NamedTuple):
    """What a cascade says about one record."""

    confidence: float | None
    """Calibrated probability that the record is right; None where no signal could be observed."""
    accept: bool
    """False sends the document to the strong model."""


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A cascade by a calibrated score."""

    score: Scorer
    kind: Kind = "cascade"

    @property
    def signals(self) -> tuple[str, ...]:
        """What the score reads."""
        return self.score.signals

    def confidences(self, rows: RunRows) -> FloatArray:
        """Calibrated probability per row that the cheap record is right."""
        return self.score.predict(signal_matrix(rows, self.signals))


@dataclass(frozen=True, kw_only=True)
class ThresholdCascade(_Scored):
    """Accept at or above a threshold; the policy `cupel calibrate` stores and the verify node loads."""

    threshold: float
    """Infinity accepts nothing."""
    certificate: Certificate | None = None
    name: str = "threshold cascade"

    def decide(self, signals: Mapping[str, float | None]) -> Decision:
        """For one record: its confidence, and whether it is accepted. Nothing observed is never accepted."""
        confidence = self.score.probability(signals)
        return Decision(confidence, confidence is not None and confidence >= self.threshold - _ROUNDING)

    def scores(self, rows: RunRows) -> FloatArray:
        """Probability that the cheap record is wrong."""
        return 1 - self.confidences(rows)

    def escalates(self, rows: RunRows) -> BoolArray:
        """Below the threshold."""
        return np.asarray(self.confidences(rows) < self.threshold - _ROUNDING, dtype=np.bool_)

    def to_json(self) -> str:
        """A JSON text with calibration and certificate inside."""
        return json.dumps(
            {
                "format": _FORMAT,
                "policy": "threshold",
                "name": self.name,
                "threshold": self.threshold if math.isfinite(self.threshold) else None,
                "score": self.score.to_dict(),
                "certificate": self.certificate.to_dict() if self.certificate else None,
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str, *, read_score: Callable[[Mapping[str, Any]], Scorer]) -> ThresholdCascade:
        """Read what `to_json` wrote.

        Args:
            text: The JSON.
            read_score: Makes the score from its data: `cupel.routing.confidence.Calibration.from_dict`.

        Raises:
            SettingError: Not such a policy, of another format, or incomplete.
        """
        try:
            data = json.loads(text)
            if (data["policy"], data["format"]) != ("threshold", _FORMAT):
                raise SettingError(
                    f"policy {data['policy']!r} of format {data['format']} cannot be read here"
                )
            certificate = data["certificate"]
            return cls(
                name=data["name"],
                threshold=math.inf if data["threshold"] is None else float(data["threshold"]),
                score=read_score(data["score"]),
                certificate=Certificate.from_dict(certificate) if certificate else None,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SettingError(
                f"the policy file is incomplete ({error}); run `cupel calibrate` again"
            ) from error


@dataclass(frozen=True, kw_only=True)
class SignalCascade(OneSignal):
    """Escalate where one raw signal is low; missing counts as lowest. No learning, no probability."""

    threshold: float = 0.5

    @property
    def name(self) -> str:
        """As in published tables."""
        return f"cascade: {self.signal}"

    def scores(self, rows: RunRows) -> FloatArray:
        """Minus the signal."""
        values = signal_matrix(rows, self.signals)[:, 0]
        observed = values[~np.isnan(values)]
        if not len(observed):
            raise NotEnoughDataError(
                f"{rows.name}: signal {self.signal!r} is missing on every row; leave it out"
            )
        return np.asarray(-np.where(np.isnan(values), observed.min(), values), dtype=np.float64)

    def escalates(self, rows: RunRows) -> BoolArray:
        """Below the threshold, or missing."""
        values = signal_matrix(rows, self.signals)[:, 0]
        return np.asarray(~(values >= self.threshold), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class CascadeLearner:
    """Fits a calibrated score, and the threshold that keeps `keep` of strong quality at the least cost."""

    signals: tuple[str, ...]
    fit_score: FitScore
    keep: float = 0.95
    name: str = "cascade: all signals, logistic"
    kind: Kind = "cascade"

    def fit(self, rows: RunRows) -> ThresholdCascade:
        """Score and threshold from these rows."""
        score = self.fit_score(rows, self.signals)
        confidences = score.predict(signal_matrix(rows, score.signals))
        threshold = cheapest_threshold(rows, confidences, keep=self.keep)
        return ThresholdCascade(score=score, threshold=threshold, name=self.name)


def cheapest_threshold(rows: RunRows, confidence: FloatArray, *, keep: float = 0.95) -> float:
    """The lowest threshold at which the mix still has `keep` of the strong model's quality on these rows.

    Infinity (escalate everything) where no threshold reaches it.
    """
    line = curve(rows, 1 - confidence)
    reached = np.flatnonzero(line.quality >= keep * line.strong_quality - 1e-12)
    if not len(reached):
        return math.inf
    ordered = np.sort(confidence)
    first = int(reached[0])
    return float(ordered[first]) if first < len(ordered) else math.inf


@dataclass(frozen=True, kw_only=True)
class CostOptimalCascade(_Scored):
    """Escalate iff V · (p_strong − p_weak) > c_strong: Bayes-optimal where the probabilities are calibrated.

    This is cascade routing with two models and λ = 1 / V (Dekoninck et al., 2024).
    """

    value: float
    """What a right record is worth, in the unit of the costs."""
    strong_right: float
    """Probability that the strong record is right."""
    strong_cost: float
    name: str = "cost-optimal cascade"

    @property
    def threshold(self) -> float:
        """Escalate below p_strong − c_strong / V."""
        return self.strong_right - self.strong_cost / self.value

    def decide(self, signals: Mapping[str, float | None]) -> Decision:
        """For one record; nothing observed is never accepted."""
        confidence = self.score.probability(signals)
        return Decision(confidence, confidence is not None and confidence >= self.threshold)

    def scores(self, rows: RunRows) -> FloatArray:
        """Expected gain in value minus cost."""
        gain = self.value * (self.strong_right - self.confidences(rows))
        return np.asarray(gain - self.strong_cost, dtype=np.float64)

    def escalates(self, rows: RunRows) -> BoolArray:
        """Where that is positive."""
        return np.asarray(self.scores(rows) > 0, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class CostOptimalLearner:
    """Fits the score and the strong model's accuracy and cost from logged rows."""

    signals: tuple[str, ...]
    fit_score: FitScore
    value: float
    name: str = "cost-optimal cascade"
    kind: Kind = "cascade"

    def fit(self, rows: RunRows) -> CostOptimalCascade:
        """The policy for these prices."""
        if not self.value > 0:
            raise SettingError(f"the value of a right record is {self.value}; give more than 0")
        return CostOptimalCascade(
            score=self.fit_score(rows, self.signals),
            value=self.value,
            strong_right=float(rows.strong.mean()),
            strong_cost=float(rows.strong_cost.mean()),
            name=self.name,
        )
