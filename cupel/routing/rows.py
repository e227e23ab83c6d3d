"""Logged responses of a cheap and a strong model on the same documents, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cupel.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """One row per document that both models have answered; every array has shape (n,).

    Build it with `from_records` (a run log, a file) or `from_columns`; both check what they are given.
    """

    doc_id: tuple[str, ...]
    """Rows with one id always share a fold."""
    weak: FloatArray
    """Quality of the cheap record, in [0, 1]; 1 is right."""
    strong: FloatArray
    """Quality of the strong record, in [0, 1]."""
    weak_cost: FloatArray
    """US dollars (or any unit) of the cheap call alone."""
    strong_cost: FloatArray
    """The strong call alone."""
    text: tuple[str, ...] = ()
    """The documents, for routers that read them; may be empty."""
    signals: Mapping[str, FloatArray] = field(default_factory=dict)
    """Name to values; NaN where a signal is missing."""
    signal_costs: Mapping[str, FloatArray] = field(default_factory=dict)
    """What each signal's own calls cost, per row; absent means free."""
    shared_calls: Mapping[str, str] = field(default_factory=dict)
    """Signal to the signal whose calls it uses too: billed for them, but together only once."""
    name: str = "rows"

    def __len__(self) -> int:
        return len(self.doc_id)

    @classmethod
    def from_columns(  # one argument per column
        cls,
        *,
        weak: ArrayLike,
        strong: ArrayLike,
        weak_cost: ArrayLike = 0.0,
        strong_cost: ArrayLike = 0.0,
        doc_id: Sequence[str] | None = None,
        text: Sequence[str] = (),
        signals: Mapping[str, ArrayLike] | None = None,
        signal_costs: Mapping[str, ArrayLike] | None = None,
        shared_calls: Mapping[str, str] | None = None,
        name: str = "rows",
    ) -> RunRows:
        """Check and convert columns; a single number stands for a whole column.

        Raises:
            InputError: Unequal lengths, a quality that is missing or outside [0, 1], a negative cost.
        """
        weak_array = np.atleast_1d(np.asarray(weak, dtype=np.float64))
        size = len(weak_array)
        ids = tuple(str(i) for i in (doc_id if doc_id is not None else range(size)))
        rows = cls(
            doc_id=ids,
            weak=weak_array,
            strong=_column(strong, size, "strong"),
            weak_cost=_column(weak_cost, size, "weak_cost"),
            strong_cost=_column(strong_cost, size, "strong_cost"),
            text=tuple(str(t) for t in text),
            signals={k: _column(v, size, f"signal {k!r}") for k, v in (signals or {}).items()},
            signal_costs={k: _column(v, size, f"cost of {k!r}") for k, v in (signal_costs or {}).items()},
            shared_calls=dict(shared_calls or {}),
            name=name,
        )
        _check(rows)
        return rows

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]], *, name: str = "rows") -> RunRows:
        """Rows from dicts such as a run log gives.

        Each has `weak_correct` and `strong_correct` (bool or [0, 1]), and may have `doc_id`, `text`,
        `weak_cost_usd`, `strong_cost_usd`, `signals` (name → number or None) and `signal_costs`.

        Raises:
            InputError: No rows, a row without an outcome, or anything `from_columns` refuses.

        >>> rows = RunRows.from_records(
        ...     [{"doc_id": "a", "weak_correct": True, "strong_correct": True, "signals": {"agreement": 0.9}}])
        >>> len(rows), float(rows.signals["agreement"][0])
        (1, 0.9)
        """
        table = list(records)
        if not table:
            raise InputError(f"{name}: no rows; a replay needs documents that both models have answered")
        signals = sorted({key for row in table for key in (row.get("signals") or {})})
        costs = sorted({key for row in table for key in (row.get("signal_costs") or {})})
        return cls.from_columns(
            doc_id=[str(row.get("doc_id", i)) for i, row in enumerate(table)],
            weak=[_quality(row, "weak_correct", i, name) for i, row in enumerate(table)],
            strong=[_quality(row, "strong_correct", i, name) for i, row in enumerate(table)],
            weak_cost=[_number(row.get("weak_cost_usd"), 0.0) for row in table],
            strong_cost=[_number(row.get("strong_cost_usd"), 0.0) for row in table],
            text=[str(row.get("text") or "") for row in table]
            if any(row.get("text") for row in table)
            else (),
            signals={k: [_number((r.get("signals") or {}).get(k), np.nan) for r in table] for k in signals},
            signal_costs={
                k: [_number((r.get("signal_costs") or {}).get(k), 0.0) for r in table] for k in costs
            },
            name=name,
        )

    def take(self, index: ArrayLike) -> RunRows:
        """The chosen rows, in the order given (a boolean mask works too)."""
        chosen = np.arange(len(self))[np.asarray(index)]
        return replace(
            self,
            doc_id=tuple(self.doc_id[i] for i in chosen),
            weak=self.weak[chosen],
            strong=self.strong[chosen],
            weak_cost=self.weak_cost[chosen],
            strong_cost=self.strong_cost[chosen],
            text=tuple(self.text[i] for i in chosen) if self.text else (),
            signals={k: v[chosen] for k, v in self.signals.items()},
            signal_costs={k: v[chosen] for k, v in self.signal_costs.items()},
        )

    def billed(self, signals: Iterable[str]) -> FloatArray:
        """What the named signals cost on each row, shape (n,)."""
        total = np.zeros(len(self))
        # a set: two signals of one call have one key, and the call is billed once
        for key in {self.shared_calls.get(signal, signal) for signal in signals}:
            if key in self.signal_costs:
                total = total + self.signal_costs[key]
        return total

    def with_mean_costs(self) -> RunRows:
        """Every cost replaced by its mean, as published routing figures count it."""
        return replace(
            self,
            weak_cost=np.full(len(self), self.weak_cost.mean()),
            strong_cost=np.full(len(self), self.strong_cost.mean()),
            signal_costs={k: np.full(len(self), v.mean()) for k, v in self.signal_costs.items()},
        )

    @property
    def has_gap(self) -> bool:
        """Whether the strong model is better on average; without it nothing can be recovered."""
        return bool(self.strong.mean() > self.weak.mean() + 1e-12)


def _column(values: ArrayLike, size: int, what: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return np.full(size, float(array))
    if array.shape != (size,):
        raise InputError(f"{what} has {array.size} values for {size} rows; give one value per row")
    return array


def _number(value: Any, default: float) -> float:
    return default if value is None else float(value)


def _quality(row: Mapping[str, Any], key: str, index: int, name: str) -> float:
    value = row.get(key)
    if value is None:
        raise InputError(
            f"{name}: row {index} ({row.get('doc_id', 'no doc_id')!r}) has no {key!r}; leave unlabelled rows out"
        )
    return float(value)


def _check(rows: RunRows) -> None:
    if not len(rows):
        raise InputError(f"{rows.name}: no rows; a replay needs documents that both models have answered")
    for column, values in (("weak", rows.weak), ("strong", rows.strong)):
        bad = np.flatnonzero(~((values >= 0) & (values <= 1)))
        if len(bad):
            raise InputError(
                f"{rows.name}: {column} quality of row {bad[0]} ({rows.doc_id[bad[0]]!r}) is "
                f"{values[bad[0]]}; it must be a number in [0, 1]"
            )
    _check_costs(rows)
    if rows.text and len(rows.text) != len(rows):
        raise InputError(f"{rows.name}: {len(rows.text)} texts for {len(rows)} rows; give one per row")


def _check_costs(rows: RunRows) -> None:
    named = {"weak_cost": rows.weak_cost, "strong_cost": rows.strong_cost, **rows.signal_costs}
    for column, values in named.items():
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            raise InputError(f"{rows.name}: {column} of row {bad[0]} is {values[bad[0]]}; give 0 or more")
