"""From a sample and a history to expectations with intervals.

Every unknown (steps per document, tokens against the guess, waiting time) is drawn many times over: from
the history by a Bayesian bootstrap, from the defaults by a triangular distribution, the two weighed as if
the defaults had been seen on `PRIOR_DOCUMENTS` documents. Rows are resampled where they are a sample, and
the fate of the documents still to come is drawn too, so that an interval holds for one run, not for the
mean of many. A document's steps hang together (what is refined is judged again), so they are drawn together.

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
HARD = 0.2
"""Chance that a run nothing is known of is a hard one: beyond the defaults, towards the worst case."""

EASY = 0.2
"""Chance that it is an easy one."""

EXTREME = 0.25
"""Weight of the worst case itself, and the best, beside all that is on the way to it."""

UNLIKE = 0.25
"""How unlike the documents to come are to the earlier ones; see `draw_fates`."""

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
    least: float = 0.0
    """What it cannot be below; where that is likely, `low` is lower still."""


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
    drawn = rng.triangular(guess.low, guess.likely, guess.high, size=DRAWS)
    return Drawn(guess.likely, np.maximum(drawn, guess.least))


def draw_luck(rng: np.random.Generator) -> Floats:
    """How far each draw is into the worst case (up to 1) or the best (down to -1), mostly neither; shape (DRAWS,).

    A judge that rejects everything, a cheap model that cannot do the task at all, or a file without any difficulty is
    rare but no surprise, and then all steps are many, or few, at once.
    """
    into = np.minimum(rng.uniform(0, 1 + EXTREME, size=DRAWS), 1.0)
    kind = rng.uniform(size=DRAWS)
    return np.where(kind < HARD, into, np.where(kind > 1 - EASY, -into, 0.0))


def draw_to(guess: Guess, most: float, luck: Floats, rng: np.random.Generator) -> Drawn:
    """A default whose draws reach `most`, or its low end, as far as `luck` says."""
    usual = draw(guess, rng)
    above = guess.high + (max(most, guess.high) - guess.high) * luck
    below = guess.low + (usual.draws - guess.low) * (1 + luck)
    return Drawn(usual.point, np.where(luck > 0, above, below))


def worth_of(n: int, rng: np.random.Generator) -> Drawn:
    """What `n` documents that were seen count for beside the default, from 0 to 1.

    What the default is worth is itself a guess, so in the draws it is anything from nothing to twice that.
    """
    drawn = rng.uniform(0, 2 * PRIOR_DOCUMENTS, size=DRAWS)
    return Drawn(n / (n + PRIOR_DOCUMENTS), n / (n + drawn))


def blend(seen: Drawn, default: Drawn, n: int, rng: np.random.Generator) -> Drawn:
    """What was seen on `n` documents, pulled towards the default as if that were `PRIOR_DOCUMENTS` more."""
    return weigh(seen, default, worth_of(n, rng))


def weigh(seen: Drawn, default: Drawn, worth: Drawn) -> Drawn:
    """What was seen and the default, by what the former is worth."""
    weight, weights = worth.point, worth.draws
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


def draw_fates(
    effort: Sequence[float], documents: int, rng: np.random.Generator, *, unlike: float = UNLIKE
) -> Floats:
    """Shares of the documents to come that go the way of each earlier one, shape (DRAWS, n): rows sum to 1.

    The documents to come may be harder or easier than the earlier ones: in every draw the way of those that took
    more is somewhat more, or less, common.

    Args:
        effort: What each earlier document took, such as its number of calls.
        documents: How many are to come; 0 for a share without chance.
        rng: Source of the draws.
        unlike: Standard deviation of that: by how much the odds of a document that took one standard deviation more
            than the mean are multiplied, as a logarithm.
    """
    took = np.asarray(effort, dtype=np.float64)
    spread = took.std()
    beyond = (took - took.mean()) / spread if spread else np.zeros(len(took))
    tilt = np.exp(np.outer(rng.normal(0, unlike, size=DRAWS), beyond))
    weights = rng.dirichlet(np.ones(len(took)), size=DRAWS) * tilt
    weights /= weights.sum(axis=1, keepdims=True)
    if documents == 0:
        return weights
    return np.array([rng.multinomial(documents, share) for share in weights], dtype=np.float64) / documents


class Population:
    """Totals over all documents, from the sizes of a uniform sample of them.

    Args:
        sampled: How many rows were looked at, unusable ones included.
        documents: How many rows there are.
        rng: Source of the draws.
    """

    def __init__(self, sampled: int, documents: int, rng: np.random.Generator) -> None:
        self._scale = documents / sampled if sampled else 0.0
        whole = sampled in (documents, 0)
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
