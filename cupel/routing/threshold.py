"""A threshold with a promise: the user states a risk and a confidence, the labels say which threshold keeps it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.routing.rows import BoolArray, FloatArray, IntArray
from cupel.stats import binomial_tail

RiskKind = Literal["joint", "conditional"]
"""joint: P(accepted and wrong). conditional: P(wrong given accepted)."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was promised about records accepted straight from verify, and on what evidence."""

    kind: RiskKind
    risk: float
    """The promise: at most this risk …"""
    delta: float
    """… except with this probability over the draw of the sample."""
    threshold: float
    """Accept at or above; infinity accepts nothing."""
    n: int
    """Labels it was certified on; none of them were used to fit the score."""
    accepted: int
    """How many of the n would have been accepted."""
    wrong: int
    """How many of those were wrong."""
    bound: float
    """Upper confidence bound of the risk at this threshold; at most `risk` where anything is accepted."""
    would_need: int
    """Further labels after which something could be certified at the error rate seen; 0 where it is."""
    date: str = ""
    wrong_means: str = "gold"
    """`gold`: differs from a person's label. `strong`: differs from the strong model's record."""
    versions: dict[str, str] = field(default_factory=dict)
    """Task, prompt, model and package versions it holds for."""

    @property
    def certified(self) -> bool:
        """Whether anything may be accepted."""
        return math.isfinite(self.threshold)

    def sentence(self) -> str:
        """The promise, or what is missing for one, in words."""
        what = "accepted and wrong" if self.kind == "joint" else "wrong given accepted"
        if self.certified:
            return (
                f"P({what}) ≤ {self.risk:g} with confidence {1 - self.delta:g}: {self.wrong} of "
                f"{self.accepted} accepted were wrong among {self.n} labels (bound {self.bound:.3f})"
            )
        return (
            f"nothing can be certified at risk {self.risk:g} with {self.n} labels; about {self.would_need} more "
            "documents would do at the error rate seen, or allow a higher risk"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; an infinite threshold becomes None."""
        return asdict(self) | {"threshold": self.threshold if self.certified else None}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Certificate:
        """Read what `to_dict` wrote."""
        threshold = data.get("threshold")
        return cls(**{**data, "threshold": math.inf if threshold is None else float(threshold)})


@lru_cache(maxsize=65536)
def binomial_upper(failures: int, n: int, delta: float) -> float:
    """Clopper-Pearson upper bound: the largest rate at which so few failures have probability `delta` or more.

    Args:
        failures: Failures seen, 0 to n.
        n: Trials.
        delta: Probability of being wrong, in (0, 1).

    >>> round(binomial_upper(0, 45, 0.1), 4), round(binomial_upper(3, 100, 0.1), 4)
    (0.0499, 0.0656)
    """
    if failures >= n:
        return 1.0
    low, high = failures / n, 1.0
    # halving finds where the tail falls to delta; the upper end is returned, so rounding never flatters
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(failures, n, middle) > delta else (low, middle)
    return high


def _at_most(failures: int, n: int, rate: float) -> float:
    """P(Bin(n, rate) ≤ failures)."""
    return 1.0 - binomial_tail(failures + 1, n, rate) if rate < 1 else 0.0


@lru_cache(maxsize=4096)
def tolerate(n: int, risk: float, delta: float) -> int:
    """Most failures among n that still certify the risk; −1 where not even none do.

    >>> tolerate(300, 0.05, 0.1), tolerate(44, 0.05, 0.1)
    (9, -1)
    """
    failures = -1
    while binomial_upper(failures + 1, n, delta) <= risk:
        failures += 1
    return failures


def certify(
    confidence: ArrayLike,
    wrong: ArrayLike,
    *,
    risk: float = 0.05,
    delta: float = 0.1,
    kind: RiskKind = "joint",
    date: str = "",
    wrong_means: str = "gold",
    versions: dict[str, str] | None = None,
) -> Certificate:
    """The lowest threshold that keeps the promise, from a uniform sample the score was not fitted on.

    Joint risk only rises as the threshold falls, so every value seen is a candidate and no correction for
    many looks is due: walk down while the exact binomial bound is at most `risk` (RCPS, Bates et al.,
    arXiv 2101.02703). Conditional risk has no such order: see `_conditional`.

    Args:
        confidence: Score of each record, shape (n,); NaN means no score, never accepted.
        wrong: Whether that record is wrong, shape (n,).
        risk: The promised risk, in (0, 1).
        delta: Probability over the draw of the sample that the promise is broken, in (0, 1).
        kind: Which risk.
        date: When the sample was drawn.
        wrong_means: `gold` or `strong`.
        versions: What the certificate holds for.

    Raises:
        SettingError: A risk or delta outside (0, 1).
        InputError: Different lengths, or an outcome that is neither 0 nor 1.
        NotEnoughDataError: No labels.
    """
    score, bad = _check(confidence, wrong, risk, delta)
    find = _joint if kind == "joint" else _conditional
    threshold = find(score, bad, risk, delta)
    taken = score >= threshold
    failures, accepted, n = int(bad[taken].sum()), int(taken.sum()), len(score)
    # joint: of all labels, a number fixed beforehand. Conditional: of the accepted, as the promise is
    trials = n if kind == "joint" else max(accepted, 1)
    certified = math.isfinite(threshold)
    return Certificate(
        kind=kind,
        risk=risk,
        delta=delta,
        threshold=threshold,
        n=n,
        accepted=accepted,
        wrong=failures,
        bound=binomial_upper(failures, trials, delta) if certified else 1.0,
        would_need=0 if certified else _would_need(score, bad, risk, delta, kind),
        date=date,
        wrong_means=wrong_means,
        versions=dict(versions or {}),
    )


def _joint(score: FloatArray, bad: BoolArray, risk: float, delta: float) -> float:
    allowed = tolerate(len(score), risk, delta)
    values, failures, _ = _by_value(score, bad)
    # failures only add up on the way down: all places that pass stand before all that do not
    passing = np.flatnonzero(np.cumsum(failures) <= allowed)
    return float(values[passing[-1]]) if len(passing) else math.inf


def _by_value(score: FloatArray, bad: BoolArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Distinct scores from the highest down, with the failures and the records at each; no score comes nowhere."""
    seen = ~np.isnan(score)
    # records of one score are accepted together: no threshold could part them
    values, place = np.unique(-score[seen], return_inverse=True)
    failures = np.bincount(place, weights=bad[seen], minlength=len(values)).astype(np.int64)
    return -values, failures, np.bincount(place, minlength=len(values)).astype(np.int64)


STARTS = (0.3, 0.5)
"""Accepted shares at which a chain of tests begins, each with half of delta; fixed before any label is seen."""
_STEP = 0.025


def _conditional(score: FloatArray, bad: BoolArray, risk: float, delta: float) -> float:
    """Learn then test with two fixed sequences, the second inheriting the first one's level.

    A sequence begins at its share of accepted records and goes on to larger ones while the exact binomial
    p-value passes; one that reaches the next start hands its level on. Given the first score left out, the
    accepted ones are a sample of their own, so the binomial is exact at every step. Beginning at the
    strictest cut could never pass: too few records. Sources: Angelopoulos et al., "Learn then Test",
    arXiv 2110.01052; Bretz et al., "Graphical approach", Statistics in Medicine 2009.
    """
    values, failures, records = _by_value(score, bad)
    wrong, accepted = np.cumsum(failures), np.cumsum(records)
    best, inherited = -1, 0.0
    for start, end in zip(STARTS, (*STARTS[1:], 1.01), strict=True):
        # what a sequence passed through to its end did not spend goes to the next; a failed test has spent it
        level = delta / len(STARTS) + inherited
        inherited = level
        # ends at the first failure, so steps of some records: each further test is a chance to stop too early
        for at in _places(accepted, start * len(score), end * len(score), _STEP * len(score)):
            if not _passes(int(wrong[at]), int(accepted[at]), risk, level):
                inherited = 0.0
                break
            best = max(best, at)
    return float(values[best]) if best >= 0 else math.inf


def _places(accepted: IntArray, start: float, end: float, step: float) -> list[int]:
    """Indices whose accepted counts lie about `step` apart in [start, end)."""
    places = []
    at = int(np.searchsorted(accepted, start))
    while at < len(accepted) and accepted[at] < end:
        places.append(at)
        at = max(at + 1, int(np.searchsorted(accepted, accepted[at] + step)))
    return places


@lru_cache(maxsize=65536)
def _passes(failures: int, n: int, risk: float, level: float) -> bool:
    return _at_most(failures, n, risk) <= level


def _would_need(score: FloatArray, bad: BoolArray, risk: float, delta: float, kind: RiskKind) -> int:
    """Further labels at which the best-ranked part would pass, if its error rate stays as seen."""
    _, failures, records = _by_value(score, bad)
    n, level = len(score), delta if kind == "joint" else delta / len(STARTS)
    places = _places(np.cumsum(records), 0.02 * n, n + 1.0, n / 15)
    seen = [(int(np.cumsum(failures)[at]), int(np.cumsum(records)[at])) for at in places]
    # the same sample grown larger: rates stay as seen, and counts are rounded up, against the promise
    for grown in np.geomspace(1 + 1 / n, 200, 40):
        for wrong, taken in seen:
            trials = math.ceil(grown * (n if kind == "joint" else taken))
            if _passes(math.ceil(wrong * grown), trials, risk, level):
                return math.ceil(float(grown) * n) - n
    return 199 * n


def split_for_certificate(
    n: int, *, risk: float = 0.05, delta: float = 0.1, seed: int = 0, least_fit: int = 40
) -> tuple[IntArray, IntArray]:
    """Which of n uniformly drawn labels fit the score and which certify it; disjoint, together all n.

    The bound moves in steps: 300 labels tolerate nine failures at risk 0.05, and so do 286. So certify with
    the smallest number that tolerates as many failures per label as possible, and fit with the rest. At
    least `least_fit`, and at most half, go to fitting.

    Raises:
        NotEnoughDataError: Too few labels to fit and certify anything, with the number that would do.
    """
    # with no failure at all the bound is 1 - delta^(1/n): this many labels certify the risk at best
    zero = math.ceil(math.log(delta) / math.log1p(-risk))
    if n < zero + least_fit:
        raise NotEnoughDataError(
            f"{n} labels; a certificate of risk {risk:g} at delta {delta:g} needs {zero} to certify and "
            f"{least_fit} to fit: label {zero + least_fit - n} more"
        )
    sizes = range(max(zero, n // 2), n - least_fit + 1)
    # the rate tolerated rises with each failure allowed and falls until the next; of equal rates the larger
    best = max(sizes, key=lambda size: ((tolerate(size, risk, delta) + 1) / (size + 1), size), default=zero)
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[best:]), np.sort(order[:best])


def uniform_sample(n: int, size: int, *, seed: int = 0) -> IntArray:
    """Which rows of a file to label, ascending: drawn uniformly, never the first ones.

    A file's difficulty often drifts from top to bottom; a certificate from its head says nothing about its tail.
    """
    if size > n:
        raise NotEnoughDataError(f"{size} documents to label, but there are only {n}")
    return np.sort(np.random.default_rng(seed).choice(n, size, replace=False)).astype(np.int64)


def _check(
    confidence: ArrayLike, wrong: ArrayLike, risk: float, delta: float
) -> tuple[FloatArray, BoolArray]:
    for name, value in (("risk", risk), ("delta", delta)):
        if not 0 < value < 1:
            raise SettingError(f"{name} is {value}; give a number between 0 and 1, such as 0.05")
    score, outcome = np.asarray(confidence, dtype=np.float64), np.asarray(wrong, dtype=np.float64)
    if score.shape != outcome.shape or score.ndim != 1:
        raise InputError(f"{score.size} scores and {outcome.size} outcomes; give one of each per record")
    if not len(score):
        raise NotEnoughDataError("no labels; draw a sample with `cupel calibrate`")
    strange = np.flatnonzero(~np.isin(outcome, (0.0, 1.0)))
    if len(strange):
        raise InputError(f"outcome of record {strange[0]} is {outcome[strange[0]]}; it must be 0 or 1")
    return score, outcome > 0.5
