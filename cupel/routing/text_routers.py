"""Pre-routers: which model a document should go to, from its text alone, learnt from logged outcomes.

They look at the question only, so they add little where a cheap check of the answer is to be had; use them
to skip the cheap call on documents it will not manage.
"""

from __future__ import annotations

import base64
import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from cupel.errors import NotEnoughDataError, SettingError
from cupel.routing.curves import Kind, curve
from cupel.routing.features import Embed, SurfaceScale, TfidfVectors, Vectors, fit_vectors, needs_sklearn
from cupel.routing.rows import BoolArray, FloatArray, RunRows

Tier = Literal["cheap", "strong"]


class TextScorer(Protocol):
    """Expected gain of the strong model per text, any unit, higher first."""

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Shape (n,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Prerouter:
    """Sends a document to the strong model where the expected gain reaches a threshold."""

    gain: TextScorer
    threshold: float
    name: str
    kind: Kind = "router"
    signals: tuple[str, ...] = ()

    def choose(self, text: str) -> Tier:
        """The tier to ask first."""
        return "strong" if float(self.gain([text])[0]) >= self.threshold else "cheap"

    def scores(self, rows: RunRows) -> FloatArray:
        """Expected gain per row."""
        if not rows.text:
            raise NotEnoughDataError(f"{rows.name} has no texts; a text router needs them")
        return self.gain(rows.text)

    def escalates(self, rows: RunRows) -> BoolArray:
        """Where it reaches the threshold."""
        return np.asarray(self.scores(rows) >= self.threshold, dtype=np.bool_)

    def to_json(self) -> str:
        """A JSON text; `prerouter_from_json` reads it.

        Raises:
            SettingError: Not a logistic router on TF-IDF; the others keep their training texts.
        """
        if not isinstance(self.gain, LogisticGain) or not isinstance(self.gain.vectors, TfidfVectors):
            raise SettingError(f"{self.name} cannot be stored; store a logistic router on TF-IDF instead")
        return json.dumps(
            {"format": 1, "policy": "prerouter", "name": self.name, "threshold": self.threshold,
             "gain": _pack(self.gain)}
        )  # fmt: skip


def prerouter_from_json(text: str) -> Prerouter:
    """Read what `Prerouter.to_json` wrote; needs scikit-learn.

    Raises:
        SettingError: Not such a policy, or incomplete.
    """
    try:
        data = json.loads(text)
        if (data["policy"], data["format"]) != ("prerouter", 1):
            raise SettingError(f"policy {data['policy']!r} of format {data['format']} is no pre-router")
        return Prerouter(gain=_unpack(data["gain"]), threshold=float(data["threshold"]), name=data["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"the pre-router file is incomplete ({error}); run `cupel calibrate` again"
        ) from error


@dataclass(frozen=True)
class LogisticGain:
    """P(strong right | text) − P(weak right | text), one logistic regression each."""

    vectors: Vectors
    weights: FloatArray
    """Columns: weak, strong; shape (d, 2)."""
    offsets: FloatArray

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Expected gain, in [−1, 1]."""
        # beyond ±50 the share is 0 or 1 to the last digit, and further out exp overflows
        p = 1 / (1 + np.exp(-np.clip(self.vectors(texts) @ self.weights + self.offsets, -50, 50)))
        return np.asarray(p[:, 1] - p[:, 0], dtype=np.float64)


@dataclass(frozen=True)
class NeighbourGain:
    """Mean gain of the most similar logged texts."""

    vectors: Vectors
    logged: Any
    """Vectors of the logged texts, shape (m, d)."""
    gains: FloatArray
    neighbours: int

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Mean of strong − weak over the k nearest by cosine, in [−1, 1]."""
        means = []
        # some at a time: the similarities to all logged texts are a dense matrix
        for start in range(0, len(texts), 500):
            near = _dense(self.vectors(texts[start : start + 500]) @ self.logged.T)
            nearest = np.argpartition(-near, self.neighbours - 1, axis=1)[:, : self.neighbours]
            means.append(self.gains[nearest].mean(axis=1))
        return np.concatenate(means)


@dataclass(frozen=True, kw_only=True)
class TextLearner(ABC):
    """Makes a `Prerouter` from rows with texts; a subclass says how the gain is learnt."""

    name: str
    embed: Embed | None = None
    """Texts to vectors; TF-IDF where there is none."""
    threshold: float = 0.0
    kind: Kind = "router"
    signals: tuple[str, ...] = ()
    needed_by: ClassVar[str] = "a text router"

    def fit(self, rows: RunRows) -> Prerouter:
        """A router by the gain learnt from these rows."""
        if not rows.text:
            raise NotEnoughDataError(
                f"{rows.name} has no texts; {self.needed_by} needs them in column `text`"
            )
        return Prerouter(gain=self.learn(rows), threshold=self.threshold, name=self.name)

    @abstractmethod
    def learn(self, rows: RunRows) -> TextScorer:
        """The gain of the strong model by text."""


@dataclass(frozen=True, kw_only=True)
class LogisticRouter(TextLearner):
    """Learns `LogisticGain` on TF-IDF with surface counts, or on embeddings."""

    inverse_penalty: float = 0.3
    """C of the regression."""
    surface_weight: float = 0.3
    """0 leaves words alone; the counts tell most on small logs."""
    name: str = "text router"

    def learn(self, rows: RunRows) -> LogisticGain:
        """Two regressions on these rows."""
        vectors = fit_vectors(rows.text, embed=self.embed, surface_weight=self.surface_weight)
        matrix = vectors(rows.text)
        heads = [_head(matrix, quality, self.inverse_penalty) for quality in (rows.weak, rows.strong)]
        return LogisticGain(
            vectors, np.column_stack([w for w, _ in heads]), np.array([offset for _, offset in heads])
        )


@dataclass(frozen=True, kw_only=True)
class NeighbourRouter(TextLearner):
    """Learns `NeighbourGain`: k = 40 nearest by TF-IDF, or by embeddings."""

    neighbours: int = 40
    name: str = "tfidf-kNN router"

    def learn(self, rows: RunRows) -> NeighbourGain:
        """Keep these rows to look things up in."""
        vectors = fit_vectors(rows.text, embed=self.embed)
        k = min(self.neighbours, len(rows))
        return NeighbourGain(vectors, vectors(rows.text), rows.strong - rows.weak, k)


def best_threshold(rows: RunRows, scores: FloatArray, *, keep: float = 0.95) -> float:
    """The highest gain threshold whose mix keeps `keep` of strong quality on these rows."""
    line = curve(rows, scores, kind="router")
    reached = np.flatnonzero(line.quality >= keep * line.strong_quality - 1e-12)
    # the fewest strong calls that keep the quality: the curve has one more call at each point
    sent = int(reached[0]) if len(reached) else len(scores)
    return float(np.sort(scores)[::-1][sent - 1]) if sent else float("inf")


def _head(matrix: Any, quality: FloatArray, inverse_penalty: float) -> tuple[FloatArray, float]:
    """Weights and offset; where the outcome never varies, the smoothed base rate alone."""
    needs_sklearn()
    from sklearn.linear_model import LogisticRegression

    right = quality > 0.5
    if right.all() or not right.any():
        rate = (right.sum() + 1) / (len(right) + 2)
        return np.zeros(matrix.shape[1]), float(np.log(rate / (1 - rate)))
    model = LogisticRegression(C=inverse_penalty, max_iter=500).fit(matrix, right)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def _dense(matrix: Any) -> FloatArray:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)


def _pack(gain: LogisticGain) -> dict[str, Any]:
    vectors = gain.vectors
    assert isinstance(vectors, TfidfVectors)
    surface = vectors.surface
    return {
        "vocabulary": {word: int(place) for word, place in vectors.vectoriser.vocabulary_.items()},
        "idf": _to_text(vectors.vectoriser.idf_),
        "weights": _to_text(gain.weights.ravel()),
        "offsets": gain.offsets.tolist(),
        "surface": surface
        and {"mean": surface.mean.tolist(), "spread": surface.spread.tolist(), "weight": surface.weight},
    }


def _unpack(data: Mapping[str, Any]) -> LogisticGain:
    vectoriser = needs_sklearn().TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), vocabulary=data["vocabulary"]
    )
    vectoriser.idf_ = _from_text(data["idf"])
    stored = data["surface"]
    surface = stored and SurfaceScale(
        np.array(stored["mean"]), np.array(stored["spread"]), float(stored["weight"])
    )
    weights = _from_text(data["weights"]).reshape(-1, 2)
    return LogisticGain(TfidfVectors(vectoriser, surface), weights, np.array(data["offsets"]))


def _to_text(values: FloatArray) -> str:
    """Numbers at full precision as compressed base 64: a vocabulary has tens of thousands."""
    return base64.b64encode(zlib.compress(np.asarray(values, dtype="<f8").tobytes())).decode("ascii")


def _from_text(text: str) -> FloatArray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f8").astype(np.float64)
