"""Was it better? McNemar's test on paired right-or-wrong outcomes, its power, and the documents it needs."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import numpy as np

from cupel.stats.intervals import Floats, binomial_pmf, binomial_tail


def mcnemar(fixes: int, breaks: int) -> float:
    """One-sided exact McNemar test: the chance of so many fixes among the changes if neither is likelier.

    Args:
        fixes: Documents wrong before and right after.
        breaks: Documents right before and wrong after.

    Returns:
        The p-value in (0, 1]; 1 when nothing changed.

    Source: McNemar, Psychometrika 1947; the exact form is a sign test on the discordant pairs.

    >>> round(mcnemar(9, 1), 10)
    0.0107421875
    """
    return binomial_tail(fixes, fixes + breaks)


@functools.lru_cache(maxsize=4096)
def mcnemar_unconditional(fixes: int, breaks: int, n: int) -> float:
    """One-sided exact unconditional McNemar test: as `mcnemar`, without its waste.

    `mcnemar` fixes the number of changed documents and is then too careful: at a level of .05 it errs in .03.
    Here the outcomes are ordered by mid-p and the p-value is the highest probability, over every rate of
    change, of an outcome as extreme: never more errors than the level says, and more power.

    Args:
        fixes: Documents wrong before and right after.
        breaks: Documents right before and wrong after.
        n: Documents compared, changed or not.

    Returns:
        The p-value in (0, 1]. Above 2,000 documents the mid-p itself, which differs by less than its rounding.

    Source: Suissa & Shuster, Biometrics 1991; mid-p for pairs: Fagerland, Lydersen & Laake, BMC MRM 2013.

    >>> round(mcnemar(26, 11), 4), round(mcnemar_unconditional(26, 11, 200), 4)
    (0.01, 0.0071)
    """
    if fixes + breaks > n:
        raise ValueError(f"{fixes} fixes and {breaks} breaks among only {n} documents")
    seen = float(_mid_p(fixes + breaks)[fixes])
    if n > _LARGE or fixes + breaks == 0:
        return seen if fixes + breaks else 1.0
    extreme = np.array([_tail_at_mid_p(m, seen) for m in range(n + 1)])
    return float(min(1.0, (_change_probabilities(n) @ extreme).max()))


_LARGE = 2_000

_NEAR = 300
"""Documents beyond which the test's own critical value is within a percent of the level: planning takes the level."""


@functools.lru_cache(maxsize=_LARGE + 1)
def _mid_p(m: int) -> Floats:
    """One-sided mid-p of 0 … m fixes among m changes; falls with the number of fixes."""
    chances = binomial_pmf(m, 0.5)
    return np.asarray(np.cumsum(chances[::-1])[::-1] - chances / 2, dtype=np.float64)


def _fewest_fixes(m: int, level: float) -> int:
    """Fewest fixes among `m` changes whose mid-p is at most `level`; m + 1 when there is no such number."""
    return m + 1 - int(np.searchsorted(_mid_p(m)[::-1], level * (1 + 1e-9), side="right"))


def _tail_at_mid_p(m: int, level: float) -> float:
    """Probability, if neither is likelier, that `m` changes have a mid-p of at most `level`."""
    fewest = _fewest_fixes(m, level)
    if fewest > m:
        return 0.0
    mid_p = _mid_p(m)
    return float(mid_p[fewest] + binomial_pmf(m, 0.5)[fewest] / 2)


@functools.lru_cache(maxsize=8)
def _change_probabilities(n: int) -> Floats:
    """Row by row, the distribution of the number of changes for rates of change from 0.1 % to 100 %."""
    rates = np.concatenate((np.geomspace(0.001, 0.1, 80), np.linspace(0.105, 1.0, 120)))
    return np.stack([binomial_pmf(n, float(rate)) for rate in rates])


@functools.lru_cache(maxsize=512)
def critical_mid_p(n: int, alpha: float) -> float:
    """The greatest mid-p at which the unconditional test of `n` documents still passes at `alpha`; 0 for none.

    What it lets through is what `mcnemar_unconditional` puts at `alpha` or below: power is counted by the very test
    that decides.
    """
    if n > _NEAR:
        return alpha
    rates = _change_probabilities(n)

    def size(level: float) -> float:
        return float((rates @ np.array([_tail_at_mid_p(m, level) for m in range(n + 1)])).max())

    low, high = 0.0, min(1.0, 2 * alpha)
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if size(middle) <= alpha else (low, middle)
    return low


def mcnemar_power(n: int, *, fix_rate: float, break_rate: float, alpha: float) -> float:
    """Probability that the unconditional test finds a true gain at `alpha`, summed exactly.

    Args:
        n: Documents compared.
        fix_rate: Share of all documents that the new version fixes, in [0, 1].
        break_rate: Share that it breaks; the gain is the difference.
        alpha: Level of the one-sided test.

    >>> round(mcnemar_power(200, fix_rate=0.13, break_rate=0.05, alpha=0.05), 2)
    0.85
    """
    changed = fix_rate + break_rate
    if changed <= 0:
        return 0.0
    level = critical_mid_p(n, alpha)
    chance_of_m = binomial_pmf(n, min(1.0, changed))
    likely = np.flatnonzero(chance_of_m > 1e-9)
    return min(1.0, sum(float(chance_of_m[m]) * _hit(int(m), fix_rate / changed, level) for m in likely))


def _hit(m: int, fix_share: float, level: float) -> float:
    """Probability that `m` changes, `fix_share` of them fixes, have a mid-p of at most `level`."""
    return float(binomial_pmf(m, fix_share)[_fewest_fixes(m, level) :].sum())


def documents_needed(
    *, fix_rate: float, break_rate: float, alpha: float, power: float = 0.8, most: int = 20_000
) -> int | None:
    """Return how many documents let the paired test find this gain with the wanted power.

    Returns:
        The number, to within 2 %, or None where there is no gain or more than `most` would be needed.

    >>> documents_needed(fix_rate=0.13, break_rate=0.05, alpha=0.05)
    173
    """
    if fix_rate <= break_rate:
        return None
    # whatever the test lets through beside the mid-p, the two differ by a document or two here and there
    low = max(5, int(_normal_size(fix_rate, break_rate, alpha, power) * 0.8))
    if low > most:
        return None

    def is_enough(n: int) -> bool:
        return mcnemar_power(n, fix_rate=fix_rate, break_rate=break_rate, alpha=alpha) >= power

    if is_enough(low):
        return low
    high = low
    while not is_enough(high):
        if high >= most:
            return None
        low, high = high, min(most, high + max(8, high // 8))
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _normal_size(fix_rate: float, break_rate: float, alpha: float, power: float) -> float:
    """Sample size by the normal approximation (Connor, Biometrics 1987)."""
    changed, gain = fix_rate + break_rate, fix_rate - break_rate
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha), NormalDist().inv_cdf(power)
    return float(
        (z_alpha * math.sqrt(changed) + z_power * math.sqrt(max(0.0, changed - gain**2))) ** 2 / gain**2
    )


@functools.lru_cache(maxsize=1024)
def detectable_gain(n: int, *, alpha: float, break_rate: float = 0.05, power: float = 0.8) -> float | None:
    """Smallest true gain, as a share of documents, that `n` documents find with the wanted power.

    Args:
        n: Documents compared.
        alpha: Level of the one-sided test.
        break_rate: Share assumed to break; every real edit breaks some.
        power: Probability of finding the gain.

    Returns:
        The gain to within 0.001, or None where `n` documents could not even find a perfect one.

    >>> detectable_gain(200, alpha=0.05)
    0.073
    """
    low, high = 0.0, 1.0 - break_rate
    if _power_of_gain(n, high, break_rate, alpha) < power:
        return None
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (low, middle) if _power_of_gain(n, middle, break_rate, alpha) >= power else (middle, high)
    return round(high, 3)


def _power_of_gain(n: int, gain: float, break_rate: float, alpha: float) -> float:
    return mcnemar_power(n, fix_rate=break_rate + gain, break_rate=break_rate, alpha=alpha)
