"""A contextual bandit over models with a budget: LinUCB, warm-started from the calibration sample.

It learns from the feedback of what it chose, so it needs some: gold labels, a judge, the strong model.
Sources: Li et al., arXiv 1003.0146 (LinUCB); PILOT, arXiv 2508.21141 (prior and budget).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cupel.errors import InputError, SettingError
from cupel.routing.rows import FloatArray, IntArray


@dataclass(kw_only=True)
class LinUCB:
    """One linear model of quality per arm; the budget enters as a price that rises when too much is spent.

    A_a = l·I and b_a = 0 at first; score_a = θ_a·x + α·√(xᵀA_a⁻¹x); the arm with the largest
    score − λ·cost is played; A += xxᵀ, b += r·x; λ ← max(0, λ + η·(c − budget per step)). With nothing known
    all scores tie and the first arm wins for ever: call `warm_start`.
    """

    arms: int
    dimensions: int
    budget: float
    """Mean cost per document that may be spent, in the unit of the costs."""
    alpha: float = 0.1
    """How much uncertainty is worth trying, in units of its standard deviation."""
    ridge: float = 1.0
    rate: float = 0.05
    """η in units of budget⁻²: how fast the price follows the spending."""
    price: float = 0.0
    """λ: quality that one unit of cost has to buy."""
    inverse: FloatArray = field(init=False)
    """A⁻¹ per arm, shape (arms, d, d), kept up to date by rank-one steps."""
    weighted: FloatArray = field(init=False)
    """b per arm, shape (arms, d)."""

    def __post_init__(self) -> None:
        if self.arms < 2 or self.dimensions < 1 or not self.budget > 0:
            raise SettingError(
                f"{self.arms} arms, {self.dimensions} dimensions, budget {self.budget}; give two arms or more, "
                "one dimension or more and a budget above 0"
            )
        self.inverse = np.tile(np.eye(self.dimensions) / self.ridge, (self.arms, 1, 1))
        self.weighted = np.zeros((self.arms, self.dimensions))

    def warm_start(self, features: FloatArray, rewards: FloatArray, costs: FloatArray) -> None:
        """Learn from a sample on which every arm was tried, as `cupel calibrate` draws it.

        Args:
            features: Shape (n, d).
            rewards: Quality of each arm on each document, shape (n, arms).
            costs: What each arm cost, shape (n, arms); the first price is the one that would have met the budget.
        """
        # every arm was tried on every document, so all have seen the same features
        for arm in range(self.arms):
            gram = self.ridge * np.eye(self.dimensions) + features.T @ features
            self.inverse[arm] = np.linalg.inv(gram)
            self.weighted[arm] = features.T @ rewards[:, arm]
        self.price = self._price_for_budget(features, costs.mean(axis=0))

    def _price_for_budget(self, features: FloatArray, costs: FloatArray) -> float:
        means = np.column_stack([features @ self.inverse[a] @ self.weighted[a] for a in range(self.arms)])
        # spending falls as the price rises; at the upper price the cheapest arm costs a whole unit of quality
        low, high = 0.0, 1.0 / max(costs.min(), 1e-12)
        for _ in range(60):
            middle = (low + high) / 2
            spent = costs[np.argmax(means - middle * costs, axis=1)].mean()
            low, high = (middle, high) if spent > self.budget else (low, middle)
        return float(high)

    def choose(self, features: FloatArray, costs: FloatArray) -> int:
        """The arm for one document.

        Args:
            features: Shape (d,).
            costs: Expected cost of each arm, shape (arms,).
        """
        # xᵀA⁻¹x per arm: large where few such documents were played with it
        uncertainty = np.einsum("i,aij,j->a", features, self.inverse, features)
        mean = np.einsum("aij,aj,i->a", self.inverse, self.weighted, features)
        return int(np.argmax(mean + self.alpha * np.sqrt(np.maximum(uncertainty, 0)) - self.price * costs))

    def update(self, features: FloatArray, arm: int, reward: float, cost: float) -> None:
        """Learn from the arm that was played and what it cost."""
        if not (np.isfinite(reward) and np.isfinite(cost)):
            raise InputError(
                f"reward {reward}, cost {cost}; leave documents without feedback out of `update`"
            )
        # Sherman-Morrison: A⁻¹ after A += xxᵀ without inverting anew for every document
        step = self.inverse[arm] @ features
        self.inverse[arm] -= np.outer(step, step) / (1 + features @ step)
        self.weighted[arm] += reward * features
        # dual ascent: a price too low overspends and so rises, until spending meets the budget on average
        self.price = max(0.0, self.price + self.rate * (cost - self.budget) / self.budget**2)


@dataclass(frozen=True, kw_only=True)
class BanditRun:
    """What a bandit earned and spent over one stream of documents."""

    quality: float
    cost: float
    arms: IntArray
    """The arm of each document, in the order played."""


def replay_bandit(
    bandit: LinUCB,
    features: FloatArray,
    rewards: FloatArray,
    costs: FloatArray,
    *,
    order: Sequence[int],
    expected: FloatArray,
) -> BanditRun:
    """Play a bandit on logged outcomes of every arm; it sees only the outcome of the arm it chose.

    It stays within budget × documents: where an arm would leave too little to serve the rest with the cheapest
    arm, the cheapest is played.

    Args:
        bandit: Warm-started, and changed by playing.
        features: Shape (n, d).
        rewards: Quality of every arm, shape (n, arms).
        costs: Cost of every arm, shape (n, arms).
        order: The rows to play, in order.
        expected: What each arm is expected to cost, shape (arms,): the means of the warm-start sample.
    """
    cheapest, left = int(np.argmin(expected)), bandit.budget * len(order)
    played = np.empty(len(order), dtype=np.int64)
    quality = spent = 0.0
    for place, row in enumerate(order):
        arm = bandit.choose(features[row], expected)
        # what the rest costs with the cheapest arm stays untouched: no document goes without an answer
        reserved = expected[cheapest] * (len(order) - place - 1)
        if costs[row, arm] > left - spent - reserved:
            arm = cheapest
        bandit.update(features[row], arm, float(rewards[row, arm]), float(costs[row, arm]))
        played[place], quality, spent = arm, quality + rewards[row, arm], spent + costs[row, arm]
    return BanditRun(quality=quality / len(order), cost=spent / len(order), arms=played)


def best_fixed_mix(quality: FloatArray, cost: FloatArray, budget: float) -> float:
    """Best quality of any fixed random mix of arms that keeps the budget on average, known in hindsight.

    Args:
        quality: Mean per arm, shape (arms,).
        cost: Mean per arm, shape (arms,).
        budget: Mean cost allowed.

    >>> best_fixed_mix(np.array([0.5, 0.9]), np.array([0.0, 1.0]), 0.5)
    0.7
    """
    best = -np.inf
    for i in range(len(cost)):
        for j in range(len(cost)):
            if cost[i] > budget or cost[j] < cost[i]:
                continue
            share = 1.0 if cost[j] <= budget else (budget - cost[i]) / (cost[j] - cost[i])
            best = max(best, float(quality[i] + share * (quality[j] - quality[i])))
    return best
