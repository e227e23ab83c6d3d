"""Does the gate find what is better, say beforehand how often, and give advice that decides? Simulated comparisons.

    python benchmarks/gate_power.py [SEEDS]

Simulation: documents are coins, no model is asked, and no figure here says anything about quality. What decides, what
is printed beforehand and what is advised is the real code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from cupel.improvement.gate import GateSettings, gate, group_sizes, look_alpha, power_of, weigh_pairs
from cupel.metrics import Pair, Scored
from cupel.stats import Rates, clopper_pearson

SINGLE = 1
USEFUL = Rates(0.13, 0.05)

SETTINGS: Sequence[tuple[tuple[int, ...], Rates, int]] = (
    ((SINGLE,) * 67, Rates(0.30, 0.05), 1),
    ((SINGLE,) * 100, Rates(0.15, 0.03), 1),
    ((SINGLE,) * 200, USEFUL, 1),
    ((SINGLE,) * 200, Rates(0.10, 0.03), 2),
    ((SINGLE,) * 400, USEFUL, 5),
    ((SINGLE,) * 400, Rates(0.08, 0.03), 3),
    ((5,) * 40, USEFUL, 1),
    ((5,) * 40, Rates(0.13, 0.05, 0.4), 1),
    ((10,) * 20, Rates(0.20, 0.05, 0.3), 1),
    ((1, 2, 3, 4, 5, 6, 8, 10, 12, 15) * 3, Rates(0.16, 0.05, 0.2), 1),
    ((3,) * 30, Rates(0.25, 0.05), 2),
    ((4,) * 100, Rates(0.13, 0.05, 0.3), 5),
)
"""Sizes of the held-out groups, what the candidate does, and the look."""

FOLLOWED: Sequence[tuple[str, int, int, Rates]] = (
    ("fixes 13 %, breaks 5 %, 200 documents", 200, SINGLE, USEFUL),
    ("fixes 13 %, breaks 5 %, 100 documents", 100, SINGLE, USEFUL),
    ("fixes 10 %, breaks 5 %, 200 documents", 200, SINGLE, Rates(0.10, 0.05)),
    ("fixes 25 %, breaks 10 %, 60 documents", 60, SINGLE, Rates(0.25, 0.10)),
    ("fixes 13 %, breaks 5 %, 40 groups of five", 40, 5, USEFUL),
    ("the same, alike by .4", 40, 5, Rates(0.13, 0.05, 0.4)),
    ("fixes 20 %, breaks 8 %, 30 groups of three, alike by .3", 30, 3, Rates(0.20, 0.08, 0.3)),
)
"""In words, groups at the first look, their size, what the candidate does."""


def compare(sizes: Sequence[int], rates: Rates, rng: np.random.Generator) -> list[Pair]:
    """Documents in groups under both prompts; those that do not change are right or wrong under both."""
    chances = [rates.fixes, rates.breaks, 1 - rates.fixes - rates.breaks]
    pairs = []
    for number, size in enumerate(sizes):
        common = int(rng.choice([1, -1, 0], p=chances))
        for at, own in enumerate(rng.choice([1, -1, 0], p=chances, size=size).tolist()):
            change = common if rng.random() < rates.alike else own
            before = float(change < 0) if change else float(rng.random() < 0.7)
            pairs.append(
                Pair(
                    doc_id=f"d{number}-{at}", group=f"g{number}", old=Scored(score=before, tokens=1000),
                    new=Scored(score=before + change, tokens=1000),
                    slices=(f"length={'long' if rng.random() < 0.5 else 'short'}",),
                )
            )  # fmt: skip
    return pairs


def share_promoted(sizes: Sequence[int], rates: Rates, look: int, seeds: int) -> tuple[float, int]:
    """How many simulated comparisons the whole gate promotes."""
    rng = np.random.default_rng(sum(sizes) + look)
    alpha = look_alpha(look)
    promoted = sum(
        weigh_pairs(compare(sizes, rates, rng), alpha, GateSettings()).decision == "promote"
        for _ in range(seeds)
    )
    return promoted / seeds, promoted


def useful(seeds: int) -> bool:
    """The bars on power: the first look at 200 documents, the fifth at 400 new ones."""
    met = True
    for sizes, look, bar in (((SINGLE,) * 200, 1, 0.72), ((SINGLE,) * 400, 5, 0.70)):
        share, promoted = share_promoted(sizes, USEFUL, look, seeds)
        low, high = clopper_pearson(promoted, seeds)
        met &= share >= bar
        print(
            f"{'ok  ' if share >= bar else 'MISS'} fixes 13 %, breaks 5 %: look {look} at {len(sizes)} documents promotes "
            f"{share:.1%} [{low:.1%}, {high:.1%}], bar ≥ {bar:.0%}",
            flush=True,
        )
    return met


def printed(seeds: int) -> bool:
    """Power printed beforehand against power simulated."""
    met = True
    for sizes, rates, look in SETTINGS:
        told = power_of(
            group_sizes([f"g{n}" for n, size in enumerate(sizes) for _ in range(size)]),
            rates,
            look_alpha(look),
        )
        share, _ = share_promoted(sizes, rates, look, seeds)
        good = abs(told - share) <= 0.03
        met &= good
        print(
            f"{'ok  ' if good else 'MISS'} look {look}, {sum(sizes):4} documents in {len(sizes):3} groups, fixes {rates.fixes:.0%} "
            f"breaks {rates.breaks:.0%} alike {rates.alike:.1f}: printed {told:.1%}, simulated {share:.1%}, bar 3 points",
            flush=True,
        )
    return met


def advice(seeds: int) -> bool:
    """How often who follows `n new documents would decide` has a decision at the next look."""
    decided, asked = 0, 0
    for words, groups, size, rates in FOLLOWED:
        rng = np.random.default_rng(groups * size)
        followed = settled = silent = 0
        for _ in range(seeds):
            first = gate(compare((size,) * groups, rates, rng), look=1)
            if first.decision != "inconclusive":
                continue
            if first.documents_needed is None:
                silent += 1
                continue
            many = first.groups_needed if first.groups_needed is not None else first.documents_needed
            second = weigh_pairs(compare((size,) * many, rates, rng), look_alpha(2), GateSettings())
            followed += 1
            settled += second.decision != "inconclusive"
        decided, asked = decided + settled, asked + followed
        print(
            f"     {words}: {followed} were advised, {settled} decided ({settled / max(1, followed):.1%}); {silent} were told that "
            "no number would surely do",
            flush=True,
        )
    good = decided >= 0.75 * asked
    print(
        f"{'ok  ' if good else 'MISS'} advice followed decides in {decided / max(1, asked):.1%} of {asked}, bar ≥ 75 %"
    )
    return good


def main() -> int:
    """Every bar; 1 when one is missed."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"simulation, {seeds} seeds\n", flush=True)
    met = [useful(seeds), printed(seeds), advice(max(50, seeds // 4))]
    print("every bar met" if all(met) else "a bar was missed")
    return int(not all(met))


if __name__ == "__main__":
    raise SystemExit(main())
