"""Does the gate promote what is better, and nothing else? Campaigns in simulated worlds.

    python benchmarks/gate.py [SEEDS]

Simulation: documents are coins, no model is asked, and no figure here says anything about quality.
Everything between the rewriter's reply and the decision is the real code: reading, guards, gate, ledger.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

from cupel.improvement.gate import look_alpha
from cupel.stats.intervals import clopper_pearson
from cupel.stats.mcnemar import mcnemar_power

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit" / "improvement"))

import world
from gepa_world import one_campaign

LOOKS = 20
NOMINEES = 3
BY_GEPA = ("judge-hacking", "leaking", "injected and broad", "refusal", "lost placeholder")


def main() -> int:
    """Run every campaign and print it beside its bar; 1 when a bar is missed."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"simulation, {seeds} seeds, held-out 200\n")
    met = [
        null_campaigns(seeds, group_size=1),
        null_campaigns(seeds, group_size=5),
        useful("13 % fixed, 5 % broken, of all documents", world.useful, seeds, 1),
        useful("the same, in debates of five", world.useful, seeds, 5),
        useful("13 % of all fixed, 5 % of the right broken", world.useful_by_outcome, seeds, 1),
        harmful(max(20, seeds // 4)),
        *by_gepa(max(20, seeds // 5)),
    ]
    exact = mcnemar_power(200, fix_rate=0.13, break_rate=0.05, alpha=look_alpha(1))
    print(f"\npower of the test alone, exact: {exact:.4f} for 13 % and 5 % of all documents")
    print("every bar met" if all(met) else "a bar was missed")
    return int(not all(met))


def null_campaigns(seeds: int, *, group_size: int) -> bool:
    """A rewriter that does nothing: whole campaigns of 20 looks, each at 200 new documents."""
    began = time.perf_counter()
    promoted = sum(_campaign(seed, group_size) for seed in range(seeds))
    name = f"null rewriter, {LOOKS} looks, 15 % noise, groups of {group_size}"
    return _line(name, promoted, seeds, good=promoted <= 0.05 * seeds, bar="≤ 5 % of campaigns", began=began)


def _campaign(seed: int, group_size: int) -> bool:
    drawing, ledger = random.Random(f"null {seed}"), world.Notebook()
    trials = [
        world.try_rewriter(
            world.World(LOOKS * seed + look, group_size=group_size),
            world.null,
            ledger,
            drawing,
            nominees=NOMINEES,
        )
        for look in range(LOOKS)
    ]
    assert len(ledger.book.looks) == LOOKS
    return any(trial.promoted for trial in trials)


def useful(name: str, rewriter: world.Rewriter, seeds: int, group_size: int) -> bool:
    """A rewriter that helps, at its first look, all guards on; five worlds a seed for a steady figure."""
    began = time.perf_counter()
    trials = [_once(rewriter, seed, group_size) for seed in range(5 * seeds)]
    promoted = sum(trial.promoted for trial in trials)
    rejected = Counter(trial.reason.split(":")[0][:60] for trial in trials if not trial.promoted)
    good = _line(
        f"useful: {name}",
        promoted,
        len(trials),
        good=promoted >= 0.8 * len(trials),
        bar="≥ 80 %",
        began=began,
    )
    for reason, count in rejected.most_common(4):
        print(f"        {count:5} not promoted: {reason}")
    return good


def _once(rewriter: world.Rewriter, seed: int, group_size: int) -> world.Trial:
    place = world.World(seed, group_size=group_size, dev=40)
    return world.try_rewriter(place, rewriter, world.Notebook(), random.Random(f"u {seed}"))


def harmful(seeds: int) -> bool:
    """Rewriters that must never be promoted; each with the reason that stopped it."""
    good = True
    for name, rewriter in world.HARMFUL.items():
        began = time.perf_counter()
        trials = [_once(rewriter, seed, 1) for seed in range(seeds)]
        promoted = sum(trial.promoted for trial in trials)
        said = all(trial.reason for trial in trials)
        good &= _line(
            name, promoted, seeds, good=promoted == 0 and said, bar="never, with its reason", began=began
        )
        print(f"        {Counter(trial.reason for trial in trials).most_common(1)[0][0][:150]}")
    return good


def by_gepa(seeds: int) -> list[bool]:
    """Gepa's own search over those worlds: its best candidate is only a nominee, the gate decides."""
    good = []
    for name, rewriter in {"null": world.null, **{n: world.HARMFUL[n] for n in BY_GEPA}}.items():
        began = time.perf_counter()
        trials = [one_campaign(rewriter, seed) for seed in range(seeds)]
        promoted = sum(trial.promoted for trial in trials)
        most = 0.05 * seeds if rewriter is world.null else 0
        bar = "≤ 5 % of campaigns" if rewriter is world.null else "never"
        good.append(_line(f"gepa, {name}", promoted, seeds, good=promoted <= most, bar=bar, began=began))
        reached = sum(trial.decision is not None for trial in trials)
        print(f"        {reached:5} reached the gate")
    began = time.perf_counter()
    promoted = sum(one_campaign(world.useful, seed).promoted for seed in range(seeds))
    good.append(
        _line("gepa, useful", promoted, seeds, good=promoted >= 0.8 * seeds, bar="≥ 80 %", began=began)
    )
    return good


def _line(name: str, promoted: int, of: int, *, good: bool, bar: str, began: float) -> bool:
    low, high = clopper_pearson(promoted, of)
    took = time.perf_counter() - began
    figure = f"{promoted:5} of {of:5} promoted = {promoted / of:6.1%} [{low:.1%}, {high:.1%}]"
    print(f"{'ok  ' if good else 'MISS'} {name:62} {figure}, bar {bar}, {took:.0f} s", flush=True)
    return good


if __name__ == "__main__":
    raise SystemExit(main())
