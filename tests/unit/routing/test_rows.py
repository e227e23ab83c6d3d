"""Logged rows are checked when they come in, so that nothing later has to guess."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.errors import InputError, NotEnoughDataError
from cupel.routing.folds import fold_of
from cupel.routing.rows import RunRows


def test_a_run_log_becomes_rows_and_missing_signals_stay_missing():
    """Absent, None and NaN are all NaN; ids and texts are kept."""
    rows = RunRows.from_records(
        [
            {
                "doc_id": "a",
                "text": "x",
                "weak_correct": True,
                "strong_correct": 1,
                "signals": {"s": 0.5, "t": None},
            },
            {"doc_id": "b", "text": "y", "weak_correct": 0.25, "strong_correct": False, "weak_cost_usd": 2},
        ]
    )

    assert rows.doc_id == ("a", "b")
    assert rows.weak.tolist() == [1.0, 0.25]
    assert np.isnan(rows.signals["t"]).all()
    assert np.isnan(rows.signals["s"]).tolist() == [False, True]
    assert rows.weak_cost.tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        pytest.param({"weak": [1, 0], "strong": [1]}, "strong has 1 values for 2 rows", id="unequal lengths"),
        pytest.param({"weak": [], "strong": []}, "no rows", id="nothing at all"),
        pytest.param({"weak": [1, np.nan], "strong": [1, 1]}, "weak quality of row 1", id="NaN outcome"),
        pytest.param(
            {"weak": [1, 2], "strong": [1, 1]}, "is 2.0; it must be a number in", id="outcome above 1"
        ),
        pytest.param(
            {"weak": [1], "strong": [1], "strong_cost": -1}, "strong_cost of row 0 is -1", id="negative cost"
        ),
        pytest.param(
            {"weak": [1], "strong": [1], "weak_cost": np.nan}, "weak_cost of row 0 is nan", id="NaN cost"
        ),
        pytest.param(
            {"weak": [1, 1], "strong": [1, 1], "text": ["a"]}, "1 texts for 2 rows", id="a text missing"
        ),
    ],
)
def test_malformed_columns_are_refused_with_the_row(columns, text):
    """Row, value and what would be valid."""
    with pytest.raises(InputError, match=text):
        RunRows.from_columns(**columns)


def test_a_row_without_an_outcome_is_named():
    """Unlabelled rows are to be left out, not guessed."""
    with pytest.raises(InputError, match=r"row 0 \('a'\) has no 'strong_correct'"):
        RunRows.from_records([{"doc_id": "a", "weak_correct": True}])


def test_signals_that_share_calls_are_billed_once():
    """Two signals of one second call cost that call, each alone costs it too."""
    rows = RunRows.from_columns(
        weak=[1, 0],
        strong=[1, 1],
        signals={"agreement": [1, 0], "second valid": [1, 1]},
        signal_costs={"agreement": [0.5, 0.7]},
        shared_calls={"second valid": "agreement"},
    )

    assert rows.billed(["agreement", "second valid"]).tolist() == [0.5, 0.7]
    assert rows.billed(["second valid"]).tolist() == [0.5, 0.7]
    assert rows.take([1]).billed(["second valid"]).tolist() == [0.7]


def test_rows_of_one_document_share_a_fold():
    """Nothing is judged on what it was trained on; a seed decides the folds."""
    ids = [f"d{i % 40}" for i in range(200)]
    folds = fold_of(ids, seed=1)

    assert all(len({folds[i] for i in range(200) if ids[i] == name}) == 1 for name in set(ids))
    assert np.bincount(folds).tolist() == [40] * 5
    assert (folds == fold_of(ids, seed=1)).all()
    assert (folds != fold_of(ids, seed=2)).any()
    with pytest.raises(NotEnoughDataError, match="3 different documents"):
        fold_of(["a", "b", "c"], folds=5)
