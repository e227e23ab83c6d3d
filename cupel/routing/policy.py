"""What every policy is: a wish for the strong model per row, and whether it is granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cupel.errors import SettingError
from cupel.routing.curves import Kind
from cupel.routing.rows import BoolArray, FloatArray, RunRows


class _Named(Protocol):
    """What a policy and its learner say of themselves."""

    @property
    def name(self) -> str:
        """As shown in tables."""
        ...

    @property
    def kind(self) -> Kind:
        """`router`: chooses before any call. `cascade`: the cheap record and its signals are there, and paid."""
        ...

    @property
    def signals(self) -> tuple[str, ...]:
        """Signals it reads, and is billed for."""
        ...


class Policy(_Named, Protocol):
    """Decides which rows go to the strong model. It never calls one: it is asked, nodes act."""

    def scores(self, rows: RunRows) -> FloatArray:
        """Wish for the strong model, higher first, shape (n,), never NaN."""
        ...

    def escalates(self, rows: RunRows) -> BoolArray:
        """Its own decision per row, shape (n,)."""
        ...


@runtime_checkable
class Learner(_Named, Protocol):
    """Makes a policy out of logged outcomes; a replay fits it on other folds than it is judged on."""

    def fit(self, rows: RunRows) -> Policy:
        """A policy learnt from these rows alone.

        Raises:
            NotEnoughDataError: Too few rows, or all of one kind.
        """
        ...


class Scorer(Protocol):
    """A calibrated score, as `cupel.routing.confidence.Calibration` is."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals it reads."""
        ...

    def probability(self, signals: Mapping[str, float | None]) -> float | None:
        """Probability that the record is right, or None where every signal is missing."""
        ...

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Probabilities for many records, shape (n, number of signals) to (n,), NaN where missing."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        ...


@dataclass(frozen=True, kw_only=True)
class OneSignal:
    """A cascade, or its learner, that reads one signal alone."""

    signal: str
    kind: Kind = "cascade"

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal."""
        return (self.signal,)


@dataclass(frozen=True, kw_only=True)
class _Indifferent:
    """Wishes the strong model for every row alike: every order is as good, and a curve averages over them."""

    kind: Kind = "router"
    signals: tuple[str, ...] = ()

    def scores(self, rows: RunRows) -> FloatArray:
        """All equal."""
        return np.zeros(len(rows))


@dataclass(frozen=True, kw_only=True)
class AlwaysWeak(_Indifferent):
    """Everything stays with the cheap model."""

    name: str = "always weak"

    def escalates(self, rows: RunRows) -> BoolArray:
        """Never."""
        return np.zeros(len(rows), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class AlwaysStrong(_Indifferent):
    """Everything goes to the strong model, without a cheap call."""

    name: str = "always strong"

    def escalates(self, rows: RunRows) -> BoolArray:
        """Always."""
        return np.ones(len(rows), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class RandomMix(_Indifferent):
    """A share of documents at random: the baseline any saving is to be read against."""

    share: float = 0.5
    seed: int = 0
    name: str = "random mix"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise SettingError(f"share of strong calls is {self.share}; give a number in [0, 1]")

    def escalates(self, rows: RunRows) -> BoolArray:
        """A fixed draw."""
        return np.asarray(np.random.default_rng(self.seed).random(len(rows)) < self.share, dtype=np.bool_)


@dataclass(frozen=True)
class Oracle:
    """Sees the outcomes: the ceiling of any router, or of any cascade. For reports only."""

    kind: Kind = "router"
    signals: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As in published tables."""
        return (
            "oracle (sees both answers)" if self.kind == "router" else "oracle escalation (sees weak error)"
        )

    def scores(self, rows: RunRows) -> FloatArray:
        """The gain itself, or the cheap record's error, whether or not the strong one is right."""
        return rows.strong - rows.weak if self.kind == "router" else -rows.weak

    def escalates(self, rows: RunRows) -> BoolArray:
        """Where that helps."""
        # -1 is the wish of a wholly right cheap record; above it, by more than rounding, is an error to mend
        limit = 0.0 if self.kind == "router" else -1.0 + 1e-12
        return np.asarray(self.scores(rows) > limit, dtype=np.bool_)


def signal_matrix(rows: RunRows, names: tuple[str, ...]) -> FloatArray:
    """The named signals side by side, shape (n, k), NaN where missing.

    Raises:
        SettingError: A signal the rows do not have.
    """
    missing = [name for name in names if name not in rows.signals]
    if missing:
        have = ", ".join(sorted(rows.signals)) or "none"
        raise SettingError(f"{rows.name} has no signal {missing[0]!r}; it has {have}")
    return np.column_stack([rows.signals[name] for name in names]) if names else np.empty((len(rows), 0))
