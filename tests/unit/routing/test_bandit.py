"""A bandit learns which model to pay for, and never spends more than it may."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.errors import InputError, SettingError
from cupel.routing.bandit import LinUCB, best_fixed_mix, replay_bandit


def stream(n: int = 1500, seed: int = 0):
    """Two kinds of document: the cheap arm manages one of them, the dear arm both."""
    rng = np.random.default_rng(seed)
    kind = rng.random(n) < 0.5
    features = np.column_stack([np.ones(n), kind])
    quality = np.column_stack([(rng.random(n) < np.where(kind, 0.9, 0.2)), rng.random(n) < 0.95]).astype(
        float
    )
    return features, quality, np.column_stack([np.full(n, 0.1), np.full(n, 1.0)])


def played(budget: float, *, warm: int = 100):
    """A warm-started run over the rest of the stream."""
    features, quality, costs = stream()
    bandit = LinUCB(arms=2, dimensions=2, budget=budget)
    if warm:
        bandit.warm_start(features[:warm], quality[:warm], costs[:warm])
    order = list(range(100, len(features)))
    return (
        replay_bandit(bandit, features, quality, costs, order=order, expected=costs[:100].mean(axis=0)),
        quality,
        costs,
    )


def test_at_half_the_cost_it_beats_the_best_fixed_mix():
    """Knowing the document is worth more than knowing the averages."""
    run, quality, costs = played(0.5)

    assert run.quality > best_fixed_mix(quality[100:].mean(axis=0), costs[100:].mean(axis=0), 0.5) + 0.05


@pytest.mark.parametrize("budget", [0.11, 0.3, 0.6, 2.0])
def test_it_never_spends_more_than_its_budget(budget):
    """Whatever the budget, it is kept; a generous one is not spent for nothing."""
    run, _, _ = played(budget)

    assert run.cost <= budget + 1e-9


def test_without_a_warm_start_the_first_arm_wins_at_first():
    """All scores tie when nothing is known, which is why `warm_start` exists."""
    bandit = LinUCB(arms=3, dimensions=2, budget=1.0, alpha=0.0)

    assert bandit.choose(np.array([1.0, 0.5]), np.array([0.1, 0.1, 0.1])) == 0


def test_rank_one_updates_are_the_ridge_regression():
    """The inverse kept up to date equals the one computed afresh."""
    features, quality, _ = stream(50)
    bandit = LinUCB(arms=2, dimensions=2, budget=1.0)
    for x, q in zip(features, quality, strict=True):
        bandit.update(x, 1, q[1], 0.5)

    assert np.allclose(bandit.inverse[1], np.linalg.inv(np.eye(2) + features.T @ features))


def test_the_price_rises_with_overspending_and_falls_after():
    """It is never negative."""
    bandit = LinUCB(arms=2, dimensions=1, budget=0.5)
    bandit.update(np.ones(1), 1, 1.0, 1.0)
    raised = bandit.price
    for _ in range(5):
        bandit.update(np.ones(1), 0, 1.0, 0.1)

    assert raised > 0
    assert bandit.price == 0.0


@pytest.mark.parametrize(
    "setting",
    [{"arms": 1}, {"dimensions": 0}, {"budget": 0.0}, {"budget": float("nan")}],
    ids=["one arm", "no features", "no budget", "NaN budget"],
)
def test_impossible_settings_are_refused(setting):
    """The error says what would be possible."""
    with pytest.raises(SettingError, match="two arms or more"):
        LinUCB(**({"arms": 2, "dimensions": 2, "budget": 1.0} | setting))


def test_feedback_that_is_missing_is_not_learnt_as_zero():
    """A judgement that could not be had is left out."""
    with pytest.raises(InputError, match="without feedback"):
        LinUCB(arms=2, dimensions=1, budget=1.0).update(np.ones(1), 0, float("nan"), 0.1)
