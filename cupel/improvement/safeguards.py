"""What a better prompt may not be worse at: valid replies, any slice of the data, tokens, honesty."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cupel.metrics import Pair
from cupel.stats import flip_gain, mcnemar, z_of

ALPHA = 0.05
"""Chance of any false promotion over all looks that a task ever spends."""

HARM = 0.1
"""Level at which a slice's loss leaves it open; shared among all slices, it counts as harm and rejects."""

SCHEMA_HARM = 0.05
"""Level at which a loss of valid replies counts as harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What the gate asks for.

    Attributes:
        alpha: Chance of a false promotion over all looks at the task's prompts, in (0, 1).
        slice_margin: A slice may lose this share, in [0, 1]; more is looked at closely.
        least_slice: Fewest documents of a slice that is looked at.
        schema_margin: The share of schema-valid replies may fall by less than this, in [0, 1].
        max_token_growth: Tokens per document may grow by this share.
        dev_metric: What the candidate was tuned by; a judge that tuned it cannot also pass it.
        metric: What is compared here.
    """

    alpha: float = ALPHA
    slice_margin: float = 0.05
    least_slice: int = 20
    schema_margin: float = 0.05
    max_token_growth: float = 0.2
    dev_metric: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class SliceChange:
    """What happened to one part of the data.

    Attributes:
        name: The slice.
        n: Its documents.
        change: Mean change of the metric.
        p_harm: One-sided p-value of a loss.
    """

    name: str
    n: int
    change: float
    p_harm: float


@dataclass(frozen=True, slots=True)
class Safeguards:
    """What the safeguards say: `broken` rejects, `unproven` leaves it open, `notes` are for the reader."""

    broken: tuple[str, ...]
    unproven: tuple[str, ...]
    notes: tuple[str, ...]


Finding = tuple[Literal["harm", "doubt", "luck"], str]
"""How heavily something weighs, and what it is."""


def safeguards(pairs: Sequence[Pair], slices: Sequence[SliceChange], limits: GateSettings) -> Safeguards:
    """Check everything besides the gain itself.

    Args:
        pairs: Both prompts on the same held-out documents.
        slices: What happened to the slices, from `slice_changes`.
        limits: What is asked for.
    """
    findings = [
        *_check_judge(limits),
        *_check_validity(pairs, limits.schema_margin),
        *_check_slices(slices, limits.slice_margin),
        *_check_tokens(pairs, limits.max_token_growth),
    ]
    return Safeguards(
        *(tuple(said for kind, said in findings if kind == wanted) for wanted in ("harm", "doubt", "luck"))
    )


def _check_judge(limits: GateSettings) -> Iterator[Finding]:
    if limits.metric.startswith("judge") and limits.metric == limits.dev_metric:
        yield "harm", f"it was tuned by {limits.metric!r}, which therefore cannot pass it"


def _check_validity(pairs: Sequence[Pair], margin: float) -> Iterator[Finding]:
    """Non-inferiority of valid replies, by the interval of a paired difference (Agresti & Min 2005)."""
    n = len(pairs)
    gained = sum(pair.new.valid and not pair.old.valid for pair in pairs)
    lost = sum(pair.old.valid and not pair.new.valid for pair in pairs)
    change = (gained - lost) / n
    # half a pair is added to each cell of the 2×2 table: without it, no loss in few documents would prove too much
    smoothed = (gained - lost) / (n + 2)
    spread = math.sqrt((gained + lost + 1) / (n + 2) - smoothed**2) / math.sqrt(n + 2)
    low = smoothed - z_of(0.9) * spread
    if change <= -margin or mcnemar(lost, gained) <= SCHEMA_HARM:
        yield "harm", f"fewer replies fit the schema: {lost} lost, {gained} gained of {n}"
    elif low <= -margin and lost:
        yield "doubt", f"valid replies may have fallen by {-low:.0%} ({lost} lost, {gained} gained of {n})"


def slice_changes(pairs: Sequence[Pair], least: int) -> tuple[SliceChange, ...]:
    """Change of the metric in every slice of at least `least` documents, sorted by name."""
    members: dict[str, list[Pair]] = {}
    for pair in pairs:
        for name in pair.slices:
            members.setdefault(name, []).append(pair)
    return tuple(_slice_change(name, part) for name, part in sorted(members.items()) if len(part) >= least)


def _slice_change(name: str, pairs: Sequence[Pair]) -> SliceChange:
    losses = [pair.before - pair.after for pair in pairs]
    change = -sum(losses) / len(losses)
    p_harm = flip_gain(losses, [pair.group for pair in pairs]) if change < 0 else 1.0
    return SliceChange(name, len(pairs), change, p_harm)


def _check_slices(changes: Sequence[SliceChange], margin: float) -> Iterator[Finding]:
    """Every slice that lost more than the margin, and whether its documents' luck explains it."""
    for change in changes:
        if change.change >= -margin:
            continue
        lost = f"slice {change.name!r} lost {-100 * change.change:.1f} points on {change.n} documents"
        # among many slices one looks harmed by luck alone, so what rejects must stand the level shared among all;
        # what would only stand it alone is left open
        if change.p_harm <= HARM / len(changes):
            yield "harm", f"{lost} (p = {change.p_harm:.2g})"
        elif change.p_harm <= HARM:
            yield "doubt", f"{lost}, which is hardly luck (p = {change.p_harm:.2g})"
        else:
            yield "luck", f"{lost}, which may be luck (p = {change.p_harm:.2g})"


def _check_tokens(pairs: Sequence[Pair], growth: float) -> Iterator[Finding]:
    old, new = sum(pair.old.tokens for pair in pairs), sum(pair.new.tokens for pair in pairs)
    if new > old * (1 + growth):
        grown = f"{new / old - 1:+.0%}" if old else "from nothing"
        yield "harm", f"{grown} tokens a document ({new / len(pairs):.0f}), allowed are {growth:+.0%}"
