"""What the routing tests share."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.routing.confidence.calibration import Binding, fit_calibration
from cupel.routing.rows import RunRows


def make_log(n: int = 300, *, seed: int = 0, gap: bool = True) -> RunRows:
    """A cheap model that fails on one kind of text, a signal that half knows, and one that knows nothing."""
    rng = np.random.default_rng(seed)
    hard = rng.random(n) < 0.4
    weak = (rng.random(n) < np.where(hard, 0.3, 0.9)).astype(float)
    strong = (rng.random(n) < 0.95).astype(float) if gap else weak * 0
    words = np.where(hard, "integral theorem proof", "capital city river")
    return RunRows.from_columns(
        name="log",
        doc_id=[f"d{i}" for i in range(n)],
        text=[
            f"{word} {i % 17} {'because ' * int(8 * h)}"
            for i, (word, h) in enumerate(zip(words, hard, strict=True))
        ],
        weak=weak,
        strong=strong,
        weak_cost=1.0,
        strong_cost=10.0,
        signals={"good": np.clip(0.5 * weak + 0.5 * rng.random(n), 0, 1), "useless": rng.random(n)},
        signal_costs={"good": 1.0},
    )


@pytest.fixture
def log() -> RunRows:
    """300 documents with a gap between the models."""
    return make_log()


@pytest.fixture
def no_gap() -> RunRows:
    """The strong model is worse."""
    return make_log(gap=False)


@pytest.fixture
def fit_score():
    """A calibrated score, as `cupel calibrate` fits it."""

    def fit(rows: RunRows, signals: tuple[str, ...]):
        matrix = np.column_stack([rows.signals[name] for name in signals])
        binding = Binding(task="t", prompt_version="p", model="m")
        return fit_calibration(matrix, rows.weak, names=signals, binding=binding, folds=0)

    return fit
