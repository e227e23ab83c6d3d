"""Documents as vectors for routers: TF-IDF, a few surface counts, or embeddings of one's own.

scikit-learn is needed to fit TF-IDF; embeddings are any function from texts to vectors, such as the
`embed_documents` method of a LangChain embedding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.routing.rows import FloatArray

Embed = Callable[[list[str]], ArrayLike]
"""Texts to vectors, shape (n, d)."""

FEWEST_TEXTS = 10


class Vectors(Protocol):
    """A fitted map from texts to a matrix, dense or sparse, shape (n, d)."""

    def __call__(self, texts: Sequence[str]) -> Any:
        """One row per text."""
        ...


def needs_sklearn() -> Any:
    """scikit-learn's text module, or an error that says how to get it."""
    try:
        from sklearn.feature_extraction import text
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise SettingError('text routers need scikit-learn: pip install "cupel[calibrate]"') from error
    return text


@dataclass(frozen=True)
class TfidfVectors:
    """TF-IDF of words and word pairs, optionally with scaled surface counts beside it."""

    vectoriser: Any
    surface: SurfaceScale | None

    def __call__(self, texts: Sequence[str]) -> Any:
        """Sparse, shape (n, vocabulary)."""
        from scipy import sparse

        words = self.vectoriser.transform(texts)
        return words if self.surface is None else sparse.hstack([words, self.surface(texts)]).tocsr()


@dataclass(frozen=True)
class SurfaceScale:
    """Surface counts in units of their spread over the fitted texts, times a weight beside TF-IDF's unit length."""

    mean: FloatArray
    spread: FloatArray
    weight: float

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Shape (n, number of counts)."""
        return np.asarray(self.weight * (surface_counts(texts) - self.mean) / self.spread, dtype=np.float64)


@dataclass(frozen=True)
class DenseVectors:
    """Embeddings, each scaled to unit length."""

    embed: Embed

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Shape (n, d)."""
        matrix = np.asarray(self.embed(list(texts)), dtype=np.float64)
        if matrix.ndim != 2 or len(matrix) != len(texts):
            raise InputError(
                f"the embedding gave shape {matrix.shape} for {len(texts)} texts; one vector each, please"
            )
        return unit_rows(matrix)


def fit_vectors(texts: Sequence[str], *, embed: Embed | None = None, surface_weight: float = 0.0) -> Vectors:
    """Vectors fitted on these texts.

    Raises:
        NotEnoughDataError: No texts in the rows, or fewer than ten.
        SettingError: scikit-learn is missing.
    """
    if len(texts) < FEWEST_TEXTS:
        raise NotEnoughDataError(
            f"{len(texts)} texts; a text router needs {FEWEST_TEXTS} or more, in column `text`"
        )
    if embed is not None:
        return DenseVectors(embed)
    vectoriser = needs_sklearn().TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), min_df=_min_df(len(texts))
    )
    vectoriser.fit(texts)
    return TfidfVectors(vectoriser, _surface_scale(texts, surface_weight) if surface_weight else None)


def _min_df(n: int) -> int:
    # a word of a single text helps with no other, but in a small log nearly every word is such a word
    return 2 if n >= 5 * FEWEST_TEXTS else 1


def _surface_scale(texts: Sequence[str], weight: float) -> SurfaceScale:
    counts = surface_counts(texts)
    spread = counts.std(axis=0)
    return SurfaceScale(counts.mean(axis=0), np.where(spread > 0, spread, 1.0), weight)


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"[.?!…。]+")


def surface_counts(texts: Sequence[str]) -> FloatArray:
    """Length, words, numbers and sentences (log1p), numbers per word, words per sentence; shape (n, 6).

    Language-independent. How much a document asks for often shows in its size before it shows in its words.
    """
    return np.array([_surface(text) for text in texts], dtype=np.float64)


def _surface(text: str) -> tuple[float, ...]:
    words, numbers = len(text.split()), len(_NUMBER.findall(text))
    sentences = max(1, len(_SENTENCE.findall(text)))
    return (
        np.log1p(len(text)), np.log1p(words), np.log1p(numbers), np.log1p(sentences),
        numbers / max(1, words), np.log1p(words / sentences),
    )  # fmt: skip


def reduce(matrix: Any, dimensions: int, *, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Latent semantic axes of a sparse or dense matrix.

    Returns:
        Unit-length rows, shape (n, d), and the axes, shape (vocabulary, d), d at most `dimensions`.
    """
    from sklearn.utils.extmath import randomized_svd

    # a matrix has no more axes than its shorter side
    d = max(1, min(dimensions, min(matrix.shape) - 1))
    axes = randomized_svd(matrix, d, random_state=seed)[2].T
    return unit_rows(matrix @ axes), np.asarray(axes, dtype=np.float64)


def unit_rows(matrix: ArrayLike) -> FloatArray:
    """Rows scaled to length 1; zero rows stay zero."""
    dense = np.asarray(matrix, dtype=np.float64)
    length = np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12)
    return np.asarray(dense / length, dtype=np.float64)
