"""Intervals of shares and means, whole groups of documents resampled."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A confidence interval; `low <= high`."""

    low: float
    high: float


def z_of(confidence: float = CONFIDENCE) -> float:
    """Two-sided normal quantile of a confidence level in (0, 1).

    >>> round(z_of(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(successes: float, n: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson score interval of a share.

    Args:
        successes: Number of successes, 0 to `n`; may be fractional (an effective count).
        n: Number of trials; with 0 nothing is known and the interval is (0, 1).
        confidence: Level in (0, 1).

    Source: Wilson, "Probable Inference …", JASA 1927; Brown, Cai & DasGupta, Statistical Science 2001.

    >>> [round(x, 4) for x in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if n <= 0:
        return Interval(0.0, 1.0)
    z = z_of(confidence)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def clopper_pearson(successes: int, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Exact interval of a share: holds the true one at least as often as it says, also near 0 and 1.

    Args:
        successes: Number of successes, 0 to `n`.
        n: Number of trials; with 0 nothing is known and the interval is (0, 1).
        confidence: Level in (0, 1).

    Source: Clopper & Pearson, Biometrika 1934; the bounds are found by bisection.

    >>> [round(x, 4) for x in clopper_pearson(8, 10)]
    [0.4439, 0.9748]
    """
    if n <= 0:
        return Interval(0.0, 1.0)
    each_side = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _share_at(lambda p: binomial_tail(successes, n, p) < each_side)
    high = 1.0 if successes == n else _share_at(lambda p: 1 - binomial_tail(successes + 1, n, p) > each_side)
    return Interval(low, high)


def _share_at(below: Callable[[float], bool]) -> float:
    """The share at which `below` turns from true to false."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def binomial_tail(at_least: int, n: int, share: float = 0.5) -> float:
    """Probability of `at_least` or more successes in `n` trials, exactly.

    >>> round(binomial_tail(9, 10), 10)
    0.0107421875
    """
    if at_least <= 0:
        return 1.0
    return float(min(1.0, binomial_pmf(n, share)[at_least:].sum())) if at_least <= n else 0.0


def binomial_pmf(n: int, share: float) -> Floats:
    """Probabilities of 0 … n successes in `n` trials, shape (n + 1,).

    >>> binomial_pmf(2, 0.5).round(6).tolist()
    [0.25, 0.5, 0.25]
    """
    if share <= 0 or share >= 1:
        certain = np.zeros(n + 1)
        certain[n if share >= 1 else 0] = 1.0
        return certain
    factorials = _log_factorials(n)
    k = np.arange(n + 1)
    logs = (
        factorials[n] - factorials[k] - factorials[n - k] + k * math.log(share) + (n - k) * math.log1p(-share)
    )
    return np.asarray(np.exp(logs), dtype=np.float64)


@functools.lru_cache(maxsize=2_048)
def _log_factorials(n: int) -> Floats:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1, dtype=np.float64)))))


_BOLDEST = 0.9
"""The most of the capital that one bet may lose."""


def mean_lower_bound(values: Sequence[float], *, confidence: float = CONFIDENCE) -> float:
    """One-sided lower bound of a mean, whatever the distribution: holds at least as often as it says.

    Someone who thinks the mean is higher bets on every value in turn. The bound is the highest mean against
    which the capital would at some time have grown to 1 / (1 - confidence): a chance below that, were it the mean.

    Args:
        values: Independent draws in [0, 1], in an order that does not depend on them.
        confidence: Level in (0, 1).

    Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024,
    the predictable plug-in bets of its section 4.

    >>> round(mean_lower_bound([1.0] * 100), 3), mean_lower_bound([])
    (0.967, 0.0)
    """
    drawn = np.asarray(values, dtype=np.float64)
    if not drawn.size:
        return 0.0
    stakes = _stakes(drawn, confidence)
    target = -math.log1p(-confidence)

    def refutes(mean: float) -> bool:
        bets = np.minimum(stakes, _BOLDEST / mean)
        return bool(np.cumsum(np.log1p(bets * (drawn - mean))).max() >= target)

    return _share_at(refutes) if refutes(1e-9) else 0.0


def _stakes(drawn: Floats, confidence: float) -> Floats:
    """How much to bet on each value, judged by the ones before it."""
    seen = np.arange(1, drawn.size + 1)
    means = (0.5 + np.cumsum(drawn)) / (seen + 1)
    variances = (0.25 + np.cumsum((drawn - means) ** 2)) / (seen + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    stakes: Floats = np.sqrt(-2 * math.log1p(-confidence) / (drawn.size * before))
    return stakes


def group_sums(values: npt.ArrayLike, groups: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Sum of values and number of documents per group, groups in order of first appearance.

    >>> [x.tolist() for x in group_sums([1, 0, 1], ["a", "b", "a"])]
    [[2.0, 0.0], [2.0, 1.0]]
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    codes = np.array([numbers[group] for group in groups], dtype=np.intp)
    weights = np.asarray(values, dtype=np.float64)
    sums = np.bincount(codes, weights=weights, minlength=len(numbers)).astype(np.float64)
    return sums, np.bincount(codes, minlength=len(numbers)).astype(np.float64)


def bounded_mean(
    values: npt.ArrayLike,
    groups: Sequence[Hashable],
    *,
    low: float = 0.0,
    high: float = 1.0,
    draws: int = 2_000,
    seed: int = 7,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of a mean of values that cannot leave `[low, high]`; never without width, however alike they are.

    Independent values that are all `low` or `high` are a share, and get its exact interval. All others get a
    Bayesian bootstrap of whole groups, to which half a group at either end is added: five ties are then not
    certain to be ties for ever. For a share that would be Jeffreys' interval.

    Args:
        values: One number per document, shape (n,); with none nothing is known.
        groups: The group of each document; give each its own for independent ones.
        low: The least a value can be.
        high: The most.
        draws: Number of resamples.
        seed: Seed of the resampling; the same call gives the same interval.
        confidence: Level in (0, 1).

    Source: Rubin, "The Bayesian Bootstrap", Annals of Statistics 1981; Brown, Cai & DasGupta, Statistical
    Science 2001, section 4.1, for the half added at either end.

    >>> [round(x, 3) for x in bounded_mean([1.0] * 12, range(12))]
    [0.735, 1.0]
    >>> [round(x, 2) for x in bounded_mean([0.5] * 5, range(5))]
    [0.33, 0.66]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return Interval(low, high)
    independent = len(set(groups)) == numbers.size
    if independent and np.all((numbers == low) | (numbers == high)):
        share = clopper_pearson(int((numbers == high).sum()), numbers.size, confidence=confidence)
        return Interval(low + share.low * (high - low), low + share.high * (high - low))
    sums, sizes = group_sums(numbers, groups)
    ends = sizes.mean() * np.array([low, high])
    means = _weigh_means(np.append(sums, ends), np.append(sizes, [sizes.mean()] * 2), draws, seed)
    drawn, mean = percentile_interval(means, confidence=confidence), float(numbers.mean())
    return Interval(min(drawn.low, mean), max(drawn.high, mean))


def _weigh_means(sums: Floats, sizes: Floats, draws: int, seed: int) -> Floats:
    """Means under random weights of the groups, the last two of which count half."""
    rng, count = np.random.default_rng(seed), len(sums)
    shapes = np.ones(count)
    shapes[-2:] = 0.5
    at_once = max(1, _CELLS // count)
    means = []
    for start in range(0, draws, at_once):
        weights = rng.standard_gamma(shapes, size=(min(at_once, draws - start), count))
        means.append((weights @ sums) / (weights @ sizes))
    return np.concatenate(means)


_CELLS = 1_000_000
"""Groups drawn at once: some megabytes of memory."""


def percentile_interval(draws: npt.ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """Central interval of resampled values; NaN draws are left out.

    >>> percentile_interval([0.0, 1.0, 2.0, 3.0, 4.0], confidence=0.5)
    Interval(low=1.0, high=3.0)
    """
    low, high = np.nanquantile(
        np.asarray(draws, dtype=np.float64), [0.5 - confidence / 2, 0.5 + confidence / 2]
    )
    return Interval(float(low), float(high))
