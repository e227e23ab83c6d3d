"""Was it better, where documents hang together? Whole groups' signs flipped: the exact test, its power, what it needs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cupel.stats.intervals import Floats, group_sums

_TIE = 1e-9
_ENUMERATED = 14
"""So many groups' signs are gone through one by one where sums are no whole numbers."""

_HITS = 100
_MOST_DRAWS = 400_000
_AT_ONCE = 2_000


def flip_gain(
    differences: npt.ArrayLike, groups: Sequence[Hashable], *, alpha: float = 0.05, seed: int = 7
) -> float:
    """One-sided p-value of a mean gain, the two versions swapped for whole groups; never too small.

    If the two versions are alike, a group's sum is as likely with the other sign, however its documents hang
    together. The p-value is the share of all sign patterns whose total is at least the one seen. Ties count in full:
    a mid-p, which counts them half, exceeds its level by up to half as much again (thirteen equal changes).

    Sums of right-or-wrong outcomes are whole numbers, and all patterns are counted; up to 14 groups of other sums are
    gone through; beyond that patterns are drawn, until 100 are as great or 40 / `alpha` are drawn, at most 400,000.
    A p-value so drawn is still never too small.

    Args:
        differences: After minus before, one per document.
        groups: The group of each document.
        alpha: The level the p-value will be held against; only says how many patterns are drawn.
        seed: Seed of the drawing.

    Source: Fisher, "The Design of Experiments", 1935; Winkler et al., NeuroImage 2014, for whole-block flips;
    Besag & Clifford, Biometrika 1991, for drawing until enough are as great.

    >>> flip_gain([1, 1, 1, 1, 1], range(5)), round(flip_gain([1, 1, 1, 1, -1], range(5)), 4)
    (0.03125, 0.1875)
    """
    sums, _ = group_sums(differences, groups)
    sums = sums[np.abs(sums) > _TIE]
    if not len(sums):
        return 1.0
    whole = np.rint(sums)
    if np.abs(sums - whole).max() < _TIE:
        return _count_whole(whole.astype(np.int64))
    if len(sums) <= _ENUMERATED:
        return _enumerate(sums)
    return _draw(sums, alpha, seed)


def _count_whole(sums: npt.NDArray[np.int64]) -> float:
    """Every pattern, by adding one group after the other to the distribution of what is positive."""
    sizes = np.abs(sums)
    chances = np.zeros(int(sizes.sum()) + 1)
    chances[0] = 1.0
    for size in sizes:
        moved = np.zeros_like(chances)
        moved[size:] = chances[: len(chances) - size]
        chances = (chances + moved) / 2
    return float(min(1.0, chances[int(sums[sums > 0].sum()) :].sum()))


def _enumerate(sums: Floats) -> float:
    patterns = (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1
    return float(np.mean((2 * patterns - 1) @ sums >= sums.sum() - _TIE))


def _draw(sums: Floats, alpha: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    enough = int(min(_MOST_DRAWS, max(4_000, 40 / alpha)))
    hits, drawn = 0, 0
    while drawn < enough:
        signs = rng.integers(0, 2, size=(_AT_ONCE, len(sums)), dtype=np.int8) * 2 - 1
        great = np.cumsum(signs @ sums >= sums.sum() - _TIE)
        if hits + great[-1] >= _HITS:
            return _HITS / (drawn + 1 + int(np.searchsorted(great, _HITS - hits)))
        hits, drawn = hits + int(great[-1]), drawn + _AT_ONCE
    return (hits + 1) / (drawn + 1)


def fewest_groups(alpha: float) -> int:
    """Fewest groups with which the flips of signs could pass at all, were every one of them better.

    >>> fewest_groups(0.05), fewest_groups(0.0304)
    (5, 6)
    """
    return math.ceil(-math.log2(alpha) - _TIE)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a candidate is taken to do, for planning.

    Attributes:
        fixes: Share of all documents it fixes, in [0, 1].
        breaks: Share it breaks.
        alike: How far documents of one group change together, in [0, 1]: the share of documents that do what was drawn
            once for their group; their changes have its square as correlation.
    """

    fixes: float
    breaks: float
    alike: float = 0.0


@functools.lru_cache(maxsize=256)
def flip_power(
    sizes: tuple[int, ...], rates: Rates, *, alpha: float, draws: int = 2_000, seed: int = 7
) -> float:
    """Probability that the flips of signs find a true gain at `alpha`: right-or-wrong outcomes, drawn and tested.

    Args:
        sizes: Documents of each group.
        rates: What the candidate does.
        alpha: Level of the one-sided test.
        draws: Data sets drawn; 2,000 leave an error of one point.
        seed: Seed of the drawing.

    >>> 0.70 < flip_power((5,) * 40, Rates(0.13, 0.05), alpha=0.03) < 0.82
    True
    """
    sums = draw_sums(sizes, rates, draws, seed)
    return float(np.mean(whole_tails(sums) <= alpha * (1 + 1e-9)))


def draw_sums(sizes: Sequence[int], rates: Rates, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """Group sums of fixes minus breaks in simulated data sets, shape (draws, groups)."""
    rng = np.random.default_rng(seed)
    many = np.asarray(sizes)
    chances = [rates.fixes, rates.breaks, max(0.0, 1.0 - rates.fixes - rates.breaks)]
    together = rng.binomial(np.broadcast_to(many, (draws, len(many))), rates.alike)
    common = rng.choice([1, -1, 0], size=together.shape, p=chances)
    own = rng.multinomial((many - together), chances)
    drawn: npt.NDArray[np.int64] = own[..., 0] - own[..., 1] + together * common
    return drawn


def whole_tails(sums: npt.NDArray[np.int64]) -> Floats:
    """P-values of many data sets at once, shape (draws,); `sums` are whole, shape (draws, groups).

    The distribution of a sum of independent signs has the product of cosines as its characteristic function.
    """
    sizes = np.abs(sums)
    most = int(sizes.sum(axis=1).max(initial=0))
    if most == 0:
        return np.ones(len(sums))
    # totals run from -most to most in steps of one: so many points hold the whole distribution
    points = 2 * most + 1
    angles = 2 * np.pi * np.arange(most + 1) / points
    waves = np.ones((len(sums), most + 1))
    for size in range(1, int(sizes.max()) + 1):
        times = (sizes == size).sum(axis=1)
        if times.any():
            waves *= np.cos(angles * size)[None, :] ** times[:, None]
    chances = np.fft.irfft(waves, n=points, axis=1)
    totals = sums.sum(axis=1)
    # entry t of the inverse is the total t, negative ones counted from the end
    upper = np.cumsum(chances[:, : most + 1][:, ::-1], axis=1)[:, ::-1]
    at_least = upper[np.arange(len(sums)), np.clip(totals, 0, most)]
    return np.where(totals > 0, np.clip(at_least, 0.0, 1.0), 1.0)


def flip_detectable(
    sizes: tuple[int, ...], *, alpha: float, break_rate: float = 0.05, alike: float = 0.0, power: float = 0.8
) -> float | None:
    """Smallest true gain that groups of these sizes find with the wanted power, to within half a point; None for none.

    >>> flip_detectable((6, 6, 6), alpha=0.03) is None
    True
    """
    sizes = tuple(sorted(sizes))

    def power_of(gain: float) -> float:
        rates = Rates(break_rate + gain, break_rate, alike)
        return flip_power(sizes, rates, alpha=alpha, draws=600)

    low, high = 0.0, 1.0 - 2 * break_rate
    if len(sizes) < fewest_groups(alpha) or power_of(high) < power:
        return None
    while high - low > 0.005:
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high


def flip_groups_needed(
    differences: npt.ArrayLike,
    groups: Sequence[Hashable],
    *,
    gain: float,
    alpha: float,
    power: float = 0.8,
    most: int = 4_000,
) -> int | None:
    """How many new groups such as these would find a gain with the wanted power.

    Groups are drawn anew from those seen, their gain set to `gain`, and tested. The flips of signs of so many groups
    are judged by the normal law of their total, which they follow from some dozens of groups on.

    Args:
        differences: After minus before, one per document.
        groups: The group of each document.
        gain: The gain to plan for, per document.
        alpha: Level of the one-sided test.
        power: Probability of finding it.
        most: More groups than that are not to be had.

    Returns:
        The number, or None where `most` would not do.
    """
    sums, sizes = group_sums(differences, groups)
    if len(sums) < 2 or gain <= 0:
        return None
    shifted = sums - (sums.sum() / sizes.sum() - gain) * sizes
    bar = NormalDist().inv_cdf(1 - alpha)

    def is_enough(count: int) -> bool:
        drawn = shifted[np.random.default_rng(7).integers(0, len(shifted), size=(400, count))]
        spread = np.sqrt((drawn**2).sum(axis=1))
        return bool(np.mean(drawn.sum(axis=1) >= bar * np.maximum(spread, _TIE)) >= power)

    return first_enough(is_enough, fewest_groups(alpha), most)


def first_enough(is_enough: Callable[[int], bool], low: int, most: int) -> int | None:
    """The first number from `low` on that is enough, by doubling and halving; None where `most` is not."""
    if is_enough(low):
        return low
    high = low
    while not is_enough(high):
        low, high = high, high * 2
        if low >= most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high if high <= most else None
