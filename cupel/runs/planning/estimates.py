"""From a sample and a history to expectations with intervals.

Every unknown (steps per document, tokens against the guess, waiting time) is drawn many times over: from
the history by a Bayesian bootstrap, from the defaults by a triangular distribution, the two weighed as if
the defaults had been seen on `PRIOR_DOCUMENTS` documents. Rows are resampled where they are a sample, and
the fate of the documents still to come is drawn too, so that an interval holds for one run, not for the
mean of many.

Source: Rubin, "The Bayesian Bootstrap", Annals of Statistics 1981.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cupel.stats import percentile_interval

Floats = npt.NDArray[np.float64]

DRAWS = 400
PRIOR_DOCUMENTS = 3
"""Weight of the defaults, in documents: after 3 of one's own they count half, after 57 a twentieth."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expectation with its 95 % interval."""

    expected: float
    low: float
    high: float

    def outwards(self) -> Estimate:
        """For what comes in whole numbers: its interval ends at the nearest ones outside."""
        return Estimate(self.expected, math.floor(self.low), math.ceil(self.high))

    def to_json(self, digits: int) -> dict[str, float]:
        """Rounded for a reader."""
        return {name: round(getattr(self, name), digits) for name in ("expected", "low", "high")}


class Guess(NamedTuple):
    """A default: the likeliest value, and how far off it may be."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A quantity: its best single value, and one value for each draw, shape (DRAWS,)."""

    point: float
    draws: Floats

    def __mul__(self, other: Drawn | float) -> Drawn:
        if isinstance(other, Drawn):
            return Drawn(self.point * other.point, self.draws * other.draws)
        return Drawn(self.point * other, self.draws * other)

    def __add__(self, other: Drawn) -> Drawn:
        return Drawn(self.point + other.point, self.draws + other.draws)

    def estimate(self) -> Estimate:
        """With the central 95 % of the draws, widened to hold the single value."""
        low, high = percentile_interval(self.draws)
        return Estimate(self.point, min(low, self.point), max(high, self.point))


def certain(value: float) -> Drawn:
    """A quantity that is known."""
    return Drawn(value, np.full(DRAWS, value))


def draw(guess: Guess, rng: np.random.Generator) -> Drawn:
    """A default alone."""
    if guess.low == guess.high:
        return certain(guess.likely)
    return Drawn(guess.likely, rng.triangular(*guess, size=DRAWS))


def blend(seen: Drawn, default: Drawn, n: int, rng: np.random.Generator) -> Drawn:
    """What was seen on `n` documents, pulled towards the default as if that were `PRIOR_DOCUMENTS` more.

    What the default is worth is itself a guess, so in the draws it is anything from nothing to twice that.
    """
    weight = n / (n + PRIOR_DOCUMENTS)
    weights = n / (n + rng.uniform(0, 2 * PRIOR_DOCUMENTS, size=DRAWS))
    return Drawn(
        seen.point * weight + default.point * (1 - weight),
        seen.draws * weights + default.draws * (1 - weights),
    )


def mean_of(values: Sequence[float], documents: int, rng: np.random.Generator) -> Drawn:
    """The mean over `documents` documents to come, judged by the values of earlier ones.

    Args:
        values: One number per earlier document, at least one.
        documents: How many are to come.
        rng: Source of the draws.
    """
    seen = np.asarray(values, dtype=np.float64)
    weights = rng.dirichlet(np.ones(len(seen)), size=DRAWS)
    if documents == 0:
        return Drawn(float(seen.mean()), weights @ seen)
    fates = np.array([rng.multinomial(documents, share) for share in weights], dtype=np.float64)
    return Drawn(float(seen.mean()), fates @ seen / documents)


def ratio_of(
    actual: Sequence[float], guesses: Sequence[float], default: Guess, rng: np.random.Generator
) -> Drawn:
    """What was used against what had been guessed for it: sum over sum, pulled towards the default.

    >>> round(ratio_of([20.0] * 57, [10.0] * 57, Guess(1.0, 1.0, 1.0), np.random.default_rng(7)).point, 6)
    1.95
    """
    prior = draw(default, rng)
    if not sum(guesses):
        return prior
    weights = rng.dirichlet(np.ones(len(actual)), size=DRAWS)
    used, thought = np.asarray(actual, dtype=np.float64), np.asarray(guesses, dtype=np.float64)
    seen = Drawn(float(used.sum() / thought.sum()), (weights @ used) / (weights @ thought))
    return blend(seen, prior, len(actual), rng)


class Population:
    """Totals over all documents, from the sizes of a uniform sample of them.

    Args:
        sampled: How many rows were looked at, unusable ones included.
        documents: How many rows there are.
        rng: Source of the draws.
    """

    def __init__(self, sampled: int, documents: int, rng: np.random.Generator) -> None:
        self._scale = documents / sampled
        whole = sampled == documents
        self._picks = (
            np.ones((1, sampled))
            if whole
            else rng.multinomial(sampled, np.full(sampled, 1 / sampled), size=DRAWS).astype(np.float64)
        )

    def total(self, values: Sequence[float]) -> Drawn:
        """The sum over all documents of a quantity known for each of the sample."""
        numbers = np.asarray(values, dtype=np.float64)
        draws = np.broadcast_to(self._picks @ numbers * self._scale, (DRAWS,)).astype(np.float64)
        return Drawn(float(numbers.sum() * self._scale), draws)
