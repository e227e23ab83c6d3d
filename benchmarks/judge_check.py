"""Do the intervals of a judge's agreement hold the truth? Simulated judges of known rates.

    python benchmarks/judge_check.py [SEEDS]

Simulation: the judge is a coin of known sensitivity and specificity, no model is asked. For each world and
seed: labels are drawn, `measure_agreement` measures the judge on them, `correct_pass_rate` corrects what it passes
on 400 other cases; counted is how often each 95 % interval holds the true figure.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np

from cupel.judging.agreement import cohen_kappa, correct_pass_rate, measure_agreement

BAR = 0.92
UNLABELLED = 400


@dataclass(frozen=True)
class World:
    """A judge and what it judges; `together` is how many cases of a group share their luck."""

    tpr: float
    tnr: float
    labels: int
    share_right: float
    together: int = 1

    def draw(self, rng: np.random.Generator, n: int, share_right: float) -> tuple[np.ndarray, np.ndarray]:
        """Draw people's labels and the judge's, groups of cases alike with chance one half."""
        right = rng.random(n) < share_right
        luck, shared = rng.random(n), np.repeat(rng.random(n // self.together + 1), self.together)[:n]
        if self.together > 1:
            luck = np.where(rng.random(n) < 0.5, shared, luck)
        return right, np.where(right, luck < self.tpr, luck >= self.tnr)

    def kappa(self) -> float:
        """Compute the kappa of endless labels."""
        right = self.share_right
        table = [
            right * self.tpr,
            (1 - right) * (1 - self.tnr),
            right * (1 - self.tpr),
            (1 - right) * self.tnr,
        ]
        return float(cohen_kappa(np.array(table)))


WORLDS = (
    World(tpr=0.85, tnr=0.95, labels=200, share_right=0.7),
    World(tpr=0.85, tnr=0.95, labels=100, share_right=0.7),
    World(tpr=0.7, tnr=0.8, labels=150, share_right=0.6),
    World(tpr=0.98, tnr=0.9, labels=120, share_right=0.8),
    World(tpr=0.9, tnr=0.6, labels=60, share_right=0.5),
    World(tpr=0.85, tnr=0.9, labels=200, share_right=0.6, together=5),
)


def main() -> int:
    """Print how often each interval holds; 1 when TPR or TNR miss the bar in any world."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(
        f"{'tpr':>5} {'tnr':>5} {'labels':>7} {'right':>6} {'group':>6} | {'tpr':>6} {'tnr':>6} {'kappa':>6} {'share':>6} | advisory  s"
    )
    missed = False
    for world in WORLDS:
        began = time.perf_counter()
        held = np.array([_held(world, seed) for seed in range(seeds)])
        tpr, tnr, kappa, share, advisory = np.nanmean(held, axis=0)
        missed |= min(tpr, tnr) < BAR
        print(
            f"{world.tpr:5} {world.tnr:5} {world.labels:7} {world.share_right:6} {world.together:6} | "
            f"{tpr:6.3f} {tnr:6.3f} {kappa:6.3f} {share:6.3f} | {advisory:8.3f}  {time.perf_counter() - began:.0f}"
        )
    print(f"bar {BAR}: {'missed' if missed else 'met'} by TPR and TNR in every world, {seeds} seeds")
    return int(missed)


def _held(world: World, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    people, judge = world.draw(rng, world.labels, world.share_right)
    groups = (np.arange(world.labels) // world.together).tolist()
    measured = measure_agreement(["pass" if said else "fail" for said in judge], people.tolist(), groups)
    share_elsewhere = rng.uniform(0.3, 0.9)
    _, passed = world.draw(rng, UNLABELLED, share_elsewhere)
    share = correct_pass_rate(int(passed.sum()), UNLABELLED, measured)
    known = [
        (measured.tpr.interval, world.tpr),
        (measured.tnr.interval, world.tnr),
        (measured.kappa.interval, world.kappa()),
        (share.interval, share_elsewhere),
    ]
    return [float(low <= true <= high) for (low, high), true in known] + [float(measured.advisory)]


if __name__ == "__main__":
    raise SystemExit(main())
