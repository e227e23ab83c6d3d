"""The gate: is the new prompt better on documents that nobody saw, and worse at nothing?

guards that fail           → reject, each with its reason
a gain at this look's level → promote
no gain at all             → reject
else                       → inconclusive, and how many new documents or groups would decide

Why all looks together promote a prompt that is no better in 5 % of cases at most, whoever chose it however (decision
34): a look decides on documents of which nobody had seen an outcome when the candidate was chosen. Whatever led to the
candidate is then independent of them, so its test errs at most at the look's level; and the levels of all looks that a
task ever spends add up to less than .05. Sums of chances need no independence between the looks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cupel.improvement.safeguards import ALPHA, GateSettings, SliceChange, safeguards, slice_changes
from cupel.metrics import Pair
from cupel.stats import (
    Interval,
    Rates,
    bounded_mean,
    detectable_gain,
    documents_needed,
    fewest_groups,
    flip_detectable,
    flip_gain,
    flip_groups_needed,
    flip_power,
    group_sums,
    mcnemar_power,
    mcnemar_unconditional,
    z_of,
)

__all__ = ["ALPHA", "Decision", "GateDecision", "GateSettings", "detection", "gate", "look_alpha", "power_of"]

Decision = Literal["promote", "reject", "inconclusive"]

POWER = 0.8

CAUTION = 0.5
"""Confidence of the interval at whose lower end a gain is planned for: it is greater with odds of three to one."""


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
        documents_needed: New documents that would decide, if the gain is nearly what was seen; None where that cannot
            be said or is not the question.
        groups_needed: The same in groups, where documents come in groups.
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
    groups_needed: int | None
    detectable: float | None
    slices: tuple[SliceChange, ...]


def look_alpha(look: int, alpha: float = ALPHA) -> float:
    """Level of the `look`-th look at a task's prompts; over endless looks they add up to `alpha`.

    Source: alpha spending by a convergent series, as for a Bonferroni correction with unequal shares (Dunn, JASA 1961);
    Foster & Stine, JRSS B 2008, for tests that come one after the other. The first look has .0304, of .05 in all: the
    power for a prompt that fixes 13 % and breaks 5 % of 200 documents is then .80 (.85 at all of .05), and that of the
    fifth look at 400 documents .79.

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
        look: The how-many-eth look this is at the task's prompts, from the ledger, counted from 1.
        settings: What is asked for.

    Returns:
        The decision. Groups of several documents, and graded metrics, are tested by flipping the signs of whole
        groups, independent right-or-wrong outcomes by McNemar's exact unconditional test.

    Raises:
        ValueError: For no documents, or a look before the first.
    """
    asked = settings or GateSettings()
    alpha = look_alpha(look, asked.alpha)
    found = weigh_pairs(pairs, alpha, asked)
    seen, decision = found.seen, found.decision
    needed = _plan(seen, look_alpha(look + 1, asked.alpha)) if decision == "inconclusive" else _Needed()
    return GateDecision(
        decision=decision, reasons=(*found.reasons, *_outlook(decision, seen, needed, alpha)),
        notes=found.notes, n=len(pairs), groups=len(set(seen.groups)),
        before=float(np.mean([pair.before for pair in pairs])), after=float(np.mean([pair.after for pair in pairs])),
        gain=seen.gain, interval=bounded_mean(seen.differences, seen.groups, low=-1.0), fixes=seen.fixes, breaks=seen.breaks,
        test=seen.test, p=seen.p, look=look, alpha=alpha,
        documents_needed=needed.documents, groups_needed=needed.groups,
        detectable=smallest_gain(group_sizes(seen.groups), alpha), slices=found.slices,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weighed:
    """What decides, without what is told besides.

    Attributes:
        decision: `promote`, `reject` or `inconclusive`.
        reasons: Why, the weightiest first.
        notes: What to know besides.
        seen: The comparison it rests on.
        slices: What happened to each slice.
    """

    decision: Decision
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    seen: Comparison
    slices: tuple[SliceChange, ...]


def weigh_pairs(pairs: Sequence[Pair], alpha: float, settings: GateSettings) -> Weighed:
    """Decide at a level: the gain by the test, and everything besides by the safeguards.

    Raises:
        ValueError: For no documents.
    """
    if not pairs:
        raise ValueError("no documents to compare")
    seen = _compare(pairs, alpha)
    slices = slice_changes(pairs, settings.least_slice)
    guards = safeguards(pairs, slices, settings)
    decision, reasons = _decide(seen, alpha, guards.broken, guards.unproven)
    return Weighed(decision, reasons, guards.notes, seen, slices)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same documents under two prompts, compared.

    Attributes:
        differences: After minus before, one per document.
        groups: The group of each document.
        gain: The mean difference.
        fixes: Documents that got better; `breaks` those that got worse.
        test: The test, in words.
        p: Its one-sided p-value.
    """

    differences: list[float]
    groups: list[str]
    gain: float
    fixes: int
    breaks: int
    test: str
    p: float

    @property
    def is_grouped(self) -> bool:
        return len(set(self.groups)) < len(self.groups)


def _compare(pairs: Sequence[Pair], alpha: float) -> Comparison:
    differences = [pair.after - pair.before for pair in pairs]
    groups = [pair.group for pair in pairs]
    fixes, breaks = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    binary = all(value in {0.0, 1.0} for pair in pairs for value in (pair.before, pair.after))
    if binary and len(set(groups)) == len(groups):
        test, p = "McNemar, exact unconditional", mcnemar_unconditional(fixes, breaks, len(pairs))
    else:
        test, p = "signs of groups flipped", flip_gain(differences, groups, alpha=alpha)
    return Comparison(differences, groups, float(np.mean(differences)), fixes, breaks, test, p)


def _decide(
    seen: Comparison, alpha: float, broken: Sequence[str], unproven: Sequence[str]
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


@dataclass(frozen=True, slots=True)
class _Needed:
    """New documents, and groups where they come in groups, that would decide; None where that cannot be said."""

    documents: int | None = None
    groups: int | None = None


def _plan(seen: Comparison, alpha: float) -> _Needed:
    """How much new data would find a gain such as this one at the next look's level: these documents are spent.

    The gain that was seen is uncertain itself. It is planned for the lower end of its 50 % interval, or every second
    one who follows the advice would have been told too few.
    """
    n = len(seen.differences)
    gain = seen.gain - z_of(CAUTION) * _spread(seen)
    if gain <= 0:
        return _Needed()
    if seen.test.startswith("McNemar"):
        changed = (seen.fixes + seen.breaks) / n
        fixes, breaks = (changed + gain) / 2, (changed - gain) / 2
        return _Needed(documents_needed(fix_rate=fixes, break_rate=breaks, alpha=alpha, power=POWER))
    groups = flip_groups_needed(seen.differences, seen.groups, gain=gain, alpha=alpha, power=POWER)
    if groups is None:
        return _Needed()
    each = n / len(set(seen.groups))
    return _Needed(math.ceil(groups * each), groups if seen.is_grouped else None)


def _spread(seen: Comparison) -> float:
    """Standard error of the mean gain, by group: a ratio of sums has the spread of its residuals."""
    sums, sizes = group_sums(seen.differences, seen.groups)
    if len(sums) < 2:
        return math.inf
    squares = float(((sums - seen.gain * sizes) ** 2).sum())
    return math.sqrt(squares * len(sums) / (len(sums) - 1)) / float(sizes.sum())


def _outlook(decision: Decision, seen: Comparison, needed: _Needed, alpha: float) -> tuple[str, ...]:
    if decision != "inconclusive":
        return ()
    if needed.groups is not None:
        said = f"about {needed.groups} new groups ({needed.documents} documents) would decide"
        return (f"{said}, if the gain is nearly what was seen",)
    if needed.documents is not None:
        return (f"about {needed.documents} new documents would decide, if the gain is nearly what was seen",)
    sizes = group_sizes(seen.groups)
    return (
        f"no affordable number of documents would surely show so small a gain; {detection(sizes, alpha)}",
    )


def group_sizes(groups: Sequence[str]) -> tuple[int, ...]:
    """Documents of each group, the smallest first.

    >>> group_sizes(["a", "b", "a"])
    (1, 2)
    """
    return tuple(sorted(Counter(groups).values()))


def smallest_gain(sizes: tuple[int, ...], alpha: float) -> float | None:
    """Smallest gain that documents in groups of these sizes find in four cases of five; None where they find none."""
    if all(size == 1 for size in sizes):
        return detectable_gain(len(sizes), alpha=alpha, power=POWER)
    return flip_detectable(sizes, alpha=alpha, power=POWER)


def power_of(sizes: tuple[int, ...], rates: Rates, alpha: float) -> float:
    """Probability that the gate's test finds a right-or-wrong gain: by the very test that will decide.

    Args:
        sizes: Documents of each held-out group.
        rates: What the candidate is taken to do.
        alpha: The look's level.
    """
    if all(size == 1 for size in sizes):
        return mcnemar_power(len(sizes), fix_rate=rates.fixes, break_rate=rates.breaks, alpha=alpha)
    return flip_power(tuple(sorted(sizes)), rates, alpha=alpha)


def missing_groups(groups: int, alpha: float) -> int:
    """How many groups more it takes until the gate could pass at all, were every one of them better.

    >>> missing_groups(4, look_alpha(1)), missing_groups(6, look_alpha(1))
    (2, 0)
    """
    return max(0, fewest_groups(alpha) - groups)


def detection(sizes: Sequence[int], alpha: float = ALPHA) -> str:
    """Say which gain held-out documents in groups of these sizes can show.

    >>> detection([1] * 200)
    '200 documents show a gain of 7.3 points or more in four cases of five'
    >>> detection([1, 1, 1])
    '3 documents can show no gain at all'
    >>> detection([10] * 4)
    '40 documents in 4 groups can show no gain at all'
    """
    many = f"{sum(sizes)} documents"
    if any(size > 1 for size in sizes):
        many += f" in {len(sizes)} groups"
    gain = smallest_gain(tuple(sizes), alpha)
    if gain is None:
        return f"{many} can show no gain at all"
    return f"{many} show a gain of {100 * gain:.1f} points or more in four cases of five"
