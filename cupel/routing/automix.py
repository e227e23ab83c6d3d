"""AutoMix: the cheap model checks itself, a meta-verifier decides whether the check is to be believed.

Source: Aggarwal et al., "AutoMix", arXiv 2310.12963; automix-llm/automix at 531af3e. Unlike there, every
verification sample is billed: the signal's cost in the rows is what was paid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupel.errors import NotEnoughDataError
from cupel.routing.curves import Curve, curve
from cupel.routing.measures import benefit_lift
from cupel.routing.policy import OneSignal, signal_matrix
from cupel.routing.rows import BoolArray, FloatArray, IntArray, RunRows

BINS = 8
FEWEST_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class BinnedPolicy(OneSignal):
    """Escalates by the bin of one signal in [0, 1]; a missing value is the lowest bin."""

    escalate_bins: tuple[bool, ...]
    """Per bin, lowest first."""
    wish: tuple[float, ...]
    """Per bin, how much the strong model is expected to add."""
    name: str

    def scores(self, rows: RunRows) -> FloatArray:
        """The wish of each row's bin."""
        return np.array(self.wish)[_bins(rows, self.signal)]

    def escalates(self, rows: RunRows) -> BoolArray:
        """The decision of each row's bin."""
        return np.array(self.escalate_bins, dtype=np.bool_)[_bins(rows, self.signal)]


@dataclass(frozen=True, kw_only=True)
class AutoMixThreshold(OneSignal):
    """Escalate iff P(true) is in one of the lowest bins; the number of bins has the best IBC on the rows."""

    @property
    def name(self) -> str:
        """As in published tables."""
        return f"AutoMix-Threshold: {self.signal}"

    def fit(self, rows: RunRows) -> BinnedPolicy:
        """Try every threshold."""
        _enough(rows)
        wish = tuple(float(-k) for k in range(BINS + 1))
        return _best(rows, self.signal, _cuts(), wish, self.name)


@dataclass(frozen=True, kw_only=True)
class AutoMixPOMDP(OneSignal):
    """The meta-verifier as a belief over three states: cheap is right, only strong is right, neither is.

    The self-verification is the observation; a bin's belief is Bayes' rule with smoothed counts, the expected
    reward of escalating is P(only strong right) − P(only cheap right) against its price. The price per unit
    of quality is chosen for the best IBC on the rows, the threshold policies being among the choices.
    """

    smoothing: float = 2.0

    @property
    def name(self) -> str:
        """As in published tables."""
        return f"AutoMix-POMDP: {self.signal}"

    def fit(self, rows: RunRows) -> BinnedPolicy:
        """Beliefs from counts, then the best price."""
        _enough(rows)
        gain = expected_gains(rows, self.signal, self.smoothing)
        # between two bins' gains every price decides alike, so these and 0 are all there is to try
        limits = np.unique(np.concatenate([gain, [0.0]]))
        choices = [tuple(bool(g >= limit) for g in gain) for limit in limits] + _cuts()
        return _best(rows, self.signal, choices, tuple(float(g) for g in gain), self.name)


def expected_gains(rows: RunRows, signal: str, smoothing: float) -> FloatArray:
    """Expected strong − cheap quality given each bin, shrunk towards the mean over all, shape (BINS + 1,)."""
    which = _bins(rows, signal)
    gain = rows.strong - rows.weak
    count = np.bincount(which, minlength=BINS + 1)
    total = np.bincount(which, weights=gain, minlength=BINS + 1)
    # as if `smoothing` rows of average gain lay in every bin: a bin with few rows says little by itself
    return np.asarray((total + smoothing * gain.mean()) / (count + smoothing), dtype=np.float64)


def _cuts() -> list[tuple[bool, ...]]:
    """Every way to escalate the lowest bins alone."""
    return [tuple(k <= cut for k in range(BINS + 1)) for cut in range(BINS + 1)]


def _best(
    rows: RunRows, signal: str, choices: list[tuple[bool, ...]], wish: tuple[float, ...], name: str
) -> BinnedPolicy:
    # only the curve's two ends are read: any scores will do
    ends = curve(rows, np.zeros(len(rows)), signals=(signal,))
    policies = [
        BinnedPolicy(signal=signal, escalate_bins=choice, wish=wish, name=name)
        for choice in choices
        if any(choice)
    ]
    return max(policies, key=lambda policy: _lift(rows, policy, ends))


def _lift(rows: RunRows, policy: BinnedPolicy, ends: Curve) -> float:
    sent = policy.escalates(rows)
    quality = float(np.where(sent, rows.strong, rows.weak).mean())
    cost = float((rows.weak_cost + rows.billed(policy.signals) + sent * rows.strong_cost).mean())
    lift = benefit_lift(quality, cost, ends)
    return -np.inf if lift is None else lift


def _bins(rows: RunRows, signal: str) -> IntArray:
    """0 for the lowest values, BINS for exactly 1; missing counts as lowest."""
    values = np.nan_to_num(signal_matrix(rows, (signal,))[:, 0], nan=0.0)
    # less a trace: a share that rounding has put just above k / 8 is still in bin k
    return np.ceil(np.clip(values, 0, 1) * BINS - 1e-9).astype(np.int64)


def _enough(rows: RunRows) -> None:
    if len(rows) < FEWEST_ROWS:
        raise NotEnoughDataError(
            f"{rows.name}: {len(rows)} rows; AutoMix needs {FEWEST_ROWS} or more to choose a cut"
        )
