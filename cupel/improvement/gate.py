"""The gate: is the new prompt better on documents it was not tuned on, and worse at nothing?

guards that fail           → reject, each with its reason
a gain at this look's level → promote
no gain at all             → reject
else                       → inconclusive, and how many more documents would decide
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cupel.improvement.safeguards import ALPHA, GateSettings, SliceChange, safeguards, slice_changes
from cupel.metrics import Pair
from cupel.stats import (
    Interval,
    bootstrap_gain,
    bounded_mean,
    detectable_gain,
    documents_needed,
    group_sums,
    mcnemar_unconditional,
    permutation_gain,
    z_of,
)

__all__ = ["ALPHA", "Decision", "GateDecision", "GateSettings", "detection", "gate", "look_alpha"]

Decision = Literal["promote", "reject", "inconclusive"]

STALE_AFTER = 10
"""Looks after which a held-out version should be replaced: its level is then below .0004."""

POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """The gate's decision and everything it rests on.

    Attributes:
        decision: `promote`, `reject` or `inconclusive`.
        reasons: Why, in words, the weightiest first.
        notes: What to know besides.
        n: Documents compared; `groups` of them hang together.
        before: Mean metric of the old prompt; `after` of the new one.
        gain: Their difference, with its 95 % interval by group.
        fixes: Documents that got better; `breaks` those that got worse.
        p: One-sided p-value, by `test`, held against `alpha`, what this `look` may spend.
        documents_needed: More documents that would decide, at the rates seen; None where that cannot be said
            or is not the question.
        detectable: Smallest gain these documents would find in four cases of five.
        slices: What happened to each slice.
    """

    decision: Decision
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    n: int
    groups: int
    before: float
    after: float
    gain: float
    interval: Interval
    fixes: int
    breaks: int
    test: str
    p: float
    look: int
    alpha: float
    documents_needed: int | None
    detectable: float | None
    slices: tuple[SliceChange, ...]


def look_alpha(look: int, alpha: float = ALPHA) -> float:
    """Level of the `look`-th test on one held-out version; over endless looks they add up to `alpha`.

    >>> [round(look_alpha(k), 4) for k in (1, 2, 10)]
    [0.0304, 0.0076, 0.0003]
    """
    if look < 1:
        raise ValueError(f"looks are counted from 1, not {look}")
    # 1 + 1/4 + 1/9 + … = π²/6: however many candidates look, their levels never add up to more than alpha
    return alpha * 6 / (math.pi**2 * look**2)


def gate(pairs: Sequence[Pair], *, look: int, settings: GateSettings | None = None) -> GateDecision:
    """Decide on one candidate, the nominee of this look.

    Args:
        pairs: Both prompts on the same held-out documents, from `pair_up`.
        look: The how-many-eth candidate this held-out version sees, from the ledger, counted from 1.
        settings: What is asked for.

    Returns:
        The decision. Groups of several documents, and graded metrics, are tested by whole groups (the more
        careful of permutation and bootstrap), independent right-or-wrong outcomes by McNemar's exact
        unconditional test.

    Raises:
        ValueError: For no documents, or a look before the first.
    """
    if not pairs:
        raise ValueError("no documents to compare")
    asked = settings or GateSettings()
    alpha = look_alpha(look, asked.alpha)
    seen = _compare(pairs, alpha)
    slices = slice_changes(pairs, asked.least_slice)
    guards = safeguards(pairs, slices, asked)
    decision, reasons = _decide(seen, alpha, guards.broken, guards.unproven)
    needed = _more_documents(seen, look_alpha(look + 1, asked.alpha)) if decision == "inconclusive" else None
    said = f"look {look} at these held-out documents: hold out others, their level is nearly spent"
    stale = (said,) if look > STALE_AFTER else ()
    return GateDecision(
        decision=decision, reasons=(*reasons, *_outlook(decision, seen, needed, alpha)),
        notes=(*guards.notes, *stale), n=len(pairs), groups=len(set(seen.groups)),
        before=float(np.mean([pair.before for pair in pairs])), after=float(np.mean([pair.after for pair in pairs])),
        gain=seen.gain, interval=bounded_mean(seen.differences, seen.groups, low=-1.0), fixes=seen.fixes, breaks=seen.breaks,
        test=seen.test, p=seen.p, look=look, alpha=alpha, documents_needed=needed,
        detectable=detectable_gain(len(pairs), alpha=alpha), slices=slices,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Comparison:
    differences: list[float]
    groups: list[str]
    gain: float
    fixes: int
    breaks: int
    test: str
    p: float


def _compare(pairs: Sequence[Pair], alpha: float) -> _Comparison:
    differences = [pair.after - pair.before for pair in pairs]
    groups = [pair.group for pair in pairs]
    fixes, breaks = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    binary = all(value in {0.0, 1.0} for pair in pairs for value in (pair.before, pair.after))
    if binary and len(set(groups)) == len(groups):
        test, p = "McNemar, exact unconditional", mcnemar_unconditional(fixes, breaks, len(pairs))
    else:
        test = "permutation and bootstrap of groups"
        # with few or unequal groups either of the two is too bold, at times this one, at times that: the larger p counts.
        # The second is only asked where the first leaves a chance, since it cannot make a p smaller
        p = permutation_gain(differences, groups, alpha=alpha)
        if p <= 2 * alpha:
            p = max(p, bootstrap_gain(differences, groups, alpha=alpha))
    return _Comparison(differences, groups, float(np.mean(differences)), fixes, breaks, test, p)


def _decide(
    seen: _Comparison, alpha: float, broken: Sequence[str], unproven: Sequence[str]
) -> tuple[Decision, tuple[str, ...]]:
    figures = f"{seen.fixes} better, {seen.breaks} worse of {len(seen.differences)}"
    luck = f"p = {seen.p:.3g}, allowed is {alpha:.3g} ({figures})"
    if broken:
        return "reject", tuple(broken)
    if seen.gain <= 0:
        return "reject", (f"no gain on held-out documents ({figures})",)
    if seen.p > alpha:
        return "inconclusive", (f"the gain may be luck: {luck}",)
    if unproven:
        return "inconclusive", tuple(unproven)
    return "promote", (f"better beyond luck: {luck}",)


def _more_documents(seen: _Comparison, alpha: float) -> int | None:
    """How many more documents would find a gain such as this one, at the next look's level."""
    n = len(seen.differences)
    if seen.gain <= 0:
        return None
    if seen.test.startswith("McNemar"):
        fix_rate, break_rate = seen.fixes / n, seen.breaks / n
        total = documents_needed(fix_rate=fix_rate, break_rate=break_rate, alpha=alpha, power=POWER)
    else:
        total = _documents_by_spread(seen, alpha)
    return None if total is None else max(1, total - n)


def _documents_by_spread(seen: _Comparison, alpha: float, most: int = 20_000) -> int | None:
    """By the normal approximation: the spread of group means stands for that of new groups."""
    sums, sizes = group_sums(seen.differences, seen.groups)
    if len(sums) < 2:
        return None
    # a ratio of sums has the spread of its residuals by group; z_of is two-sided, the test and its power one-sided
    squares = float(((sums - seen.gain * sizes) ** 2).sum())
    spread = math.sqrt(squares * len(sums) / (len(sums) - 1)) / sizes.sum()
    quantiles = z_of(1 - 2 * alpha) + z_of(2 * POWER - 1)
    total = math.ceil(len(seen.differences) * (quantiles * spread / seen.gain) ** 2)
    return total if total <= most else None


def _outlook(decision: Decision, seen: _Comparison, needed: int | None, alpha: float) -> tuple[str, ...]:
    if decision != "inconclusive":
        return ()
    if needed is not None:
        return (f"about {needed} more documents would decide, if the rates stay as they are",)
    power = detection(len(seen.differences), alpha)
    return (f"no affordable number of documents would show so small a gain; {power}",)


def detection(n: int, alpha: float = ALPHA) -> str:
    """Say which gain so many held-out documents can show.

    >>> detection(200)
    '200 documents show a gain of 7.1 points or more in four cases of five'
    >>> detection(3)
    '3 documents can show no gain at all'
    """
    gain = detectable_gain(n, alpha=alpha, power=POWER)
    if gain is None:
        return f"{n} documents can show no gain at all"
    return f"{n} documents show a gain of {100 * gain:.1f} points or more in four cases of five"
