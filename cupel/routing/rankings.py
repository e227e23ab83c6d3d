"""RouteLLM's two learnt rankings, trained on logged outcomes instead of preferences.

Source: Ong et al., "RouteLLM", arXiv 2406.18665, sections 3 and 4; lm-sys/RouteLLM at 0b64fda.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupel.routing.features import Embed, Vectors, fit_vectors, reduce, unit_rows
from cupel.routing.rows import FloatArray, RunRows
from cupel.routing.text_routers import TextLearner

DIMENSIONS = 64


@dataclass(frozen=True)
class LatentVectors:
    """TF-IDF projected on a few latent axes, unit length."""

    vectors: Vectors
    axes: FloatArray

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Shape (n, d)."""
        return unit_rows(self.vectors(texts) @ self.axes)


def fit_latent(
    texts: Sequence[str], embed: Embed | None, dimensions: int = DIMENSIONS
) -> tuple[Any, FloatArray]:
    """A map to dense unit vectors, and the vectors of these texts."""
    vectors = fit_vectors(texts, embed=embed)
    matrix = vectors(texts)
    if embed is not None:
        return vectors, np.asarray(matrix, dtype=np.float64)
    placed, axes = reduce(matrix, dimensions)
    return LatentVectors(vectors, axes), placed


class _RankingLearner(TextLearner):
    needed_by = "a ranking by similarity"


@dataclass(frozen=True)
class WeightedRanking:
    """A Bradley-Terry duel of the two models in which similar logged texts weigh more."""

    vectors: Any
    logged: FloatArray
    """Vectors of the logged texts, shape (m, d)."""
    wins: FloatArray
    """1 where the strong model was better, 0 where the cheap one was, 0.5 for a tie."""
    base: float

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """P(strong wins) in [0, 1]: the maximum of the weighted likelihood, which two models have in closed form."""
        # below 0 embeddings say "unlike": such texts weigh least, and alike, however unlike they are
        near = np.maximum(self.vectors(texts) @ self.logged.T, 0)
        weight = self.base ** (1 + near / np.maximum(near.max(axis=1, keepdims=True), 1e-12))
        return np.asarray((weight @ self.wins) / weight.sum(axis=1), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class SimilarityRanking(_RankingLearner):
    """Learns `WeightedRanking`; ω = γ^(1 + similarity / largest similarity)."""

    base: float = 1000.0
    """γ; the paper's 10 was meant for large embeddings, TF-IDF needs a steeper weight."""
    threshold: float = 0.5
    name: str = "similarity-weighted ranking"

    def learn(self, rows: RunRows) -> WeightedRanking:
        """Keep these rows' duels."""
        vectors, logged = fit_latent(rows.text, self.embed, dimensions=128)
        wins = np.asarray(0.5 + 0.5 * np.sign(rows.strong - rows.weak), dtype=np.float64)
        return WeightedRanking(vectors, logged, wins, self.base)


@dataclass(frozen=True)
class FactorGain:
    """δ(strong, text) − δ(weak, text), δ(M, q) = Σ (v_M ⊙ (W q)) + b_M."""

    vectors: Any
    projection: FloatArray
    """W, shape (d, k)."""
    models: FloatArray
    """v, one row per model: weak, strong; shape (2, k)."""
    offsets: FloatArray

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Log odds that the strong model does better."""
        projected = self.vectors(texts) @ self.projection
        return np.asarray(
            projected @ (self.models[1] - self.models[0]) + self.offsets[1] - self.offsets[0],
            dtype=np.float64,
        )


@dataclass(frozen=True, kw_only=True)
class MatrixFactorisation(_RankingLearner):
    """Learns `FactorGain` from each model's right and wrong answers by gradient descent (Adam)."""

    factors: int = 16
    steps: int = 300
    rate: float = 0.02
    penalty: float = 0.01
    seed: int = 0
    name: str = "matrix factorisation"

    def learn(self, rows: RunRows) -> FactorGain:
        """Two models and all texts in one space."""
        vectors, placed = fit_latent(rows.text, self.embed)
        outcome = np.column_stack([rows.weak, rows.strong])
        return FactorGain(vectors, *self._descend(placed, outcome))

    def _descend(self, placed: FloatArray, outcome: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        rng = np.random.default_rng(self.seed)
        # the models' base rates are the start, so that only what the texts tell is left to learn
        means = np.clip(outcome.mean(axis=0), 0.01, 0.99)
        values = [
            rng.normal(0, 1 / np.sqrt(placed.shape[1]), (placed.shape[1], self.factors)),
            rng.normal(0, 0.5, (2, self.factors)),
            np.log(means / (1 - means)),
        ]
        # Adam: mean and spread of each slope so far; both start at 0, which the divisions below make up for
        first, second = ([np.zeros_like(v) for v in values] for _ in range(2))
        for step in range(1, self.steps + 1):
            for k, slope in enumerate(self._slopes(placed, outcome, values)):
                first[k] = 0.9 * first[k] + 0.1 * slope
                second[k] = 0.999 * second[k] + 0.001 * slope**2
                move = first[k] / (1 - 0.9**step) / (np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8)
                values[k] = values[k] - self.rate * move
        return values[0], values[1], values[2]

    def _slopes(self, placed: FloatArray, outcome: FloatArray, values: list[FloatArray]) -> list[FloatArray]:
        projection, models, offsets = values
        projected = placed @ projection
        # of the logistic loss: predicted less seen, carried back to each of the three
        error = (1 / (1 + np.exp(-(projected @ models.T + offsets))) - outcome) / len(placed)
        return [
            placed.T @ (error @ models) + self.penalty * projection / len(projection),
            error.T @ projected + self.penalty * models / models.shape[1],
            error.sum(axis=0),
        ]
