"""Published measures by hand, ties averaged, and no number where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cupel.errors import InputError
from cupel.routing.curves import curve, random_curve
from cupel.routing.measures import (
    average_gap_recovered,
    benefit_lift,
    call_share_for,
    decile_gap_recovered,
    improvement_in_quality,
    incremental_benefit,
    saving_at,
)
from cupel.routing.policy import Oracle
from cupel.routing.rows import RunRows

FOUR = RunRows.from_columns(
    weak=[1, 1, 0, 0], strong=[1, 1, 1, 1], weak_cost=1, strong_cost=10, signals={"s": [0.9, 0.8, 0.2, 0.1]}
)


def test_a_perfect_cascade_by_hand():
    """Two of four documents need the strong model: half the calls recover the gap, at 1 + 2 · 10 / 4 a document."""
    line = curve(FOUR, -FOUR.signals["s"], kind="cascade")

    assert line.quality.tolist() == [0.5, 0.75, 1.0, 1.0, 1.0]
    assert line.cost.tolist() == [1.0, 3.5, 6.0, 8.5, 11.0]
    assert average_gap_recovered(line) == 0.75
    assert call_share_for(line, 0.5) == 0.25
    assert saving_at(line, 0.95) == pytest.approx(0.4)
    assert incremental_benefit(1.0, 6.0, line) == pytest.approx(0.1)
    assert benefit_lift(1.0, 6.0, line) == pytest.approx(0.1 / (0.5 / 9) - 1)


def test_a_router_does_not_pay_the_cheap_call_it_skipped():
    """At full share a router costs the strong model, a cascade both."""
    scores = Oracle("router").scores(FOUR)

    assert curve(FOUR, scores, kind="router").cost[-1] == 10.0
    assert curve(FOUR, scores, kind="cascade").cost[-1] == 11.0


def test_random_mixing_has_half_the_gap():
    """It does so by the exact line, and by a score that knows nothing."""
    for line in (random_curve(FOUR), curve(FOUR, np.zeros(4), kind="router")):
        assert average_gap_recovered(line) == pytest.approx(0.5)
        assert improvement_in_quality(line) == pytest.approx(0.75)


@given(st.permutations(range(6)))
def test_tied_scores_do_not_depend_on_the_order_of_rows(order):
    """A yes/no signal has one curve, however the rows are sorted."""
    rows = RunRows.from_columns(
        weak=[1, 1, 0, 1, 0, 0], strong=[1, 0, 1, 1, 1, 0], weak_cost=1, strong_cost=[9, 8, 7, 6, 5, 4]
    )
    scores = np.array([0, 1, 1, 0, 1, 0], dtype=float)
    mixed = rows.take(list(order))

    assert np.allclose(curve(rows, scores).quality, curve(mixed, scores[list(order)]).quality)
    assert np.allclose(curve(rows, scores).cost, curve(mixed, scores[list(order)]).cost)


def test_without_a_gap_there_is_no_number(no_gap):
    """A strong model that is not better gives None everywhere it would be divided by."""
    line = curve(no_gap, -no_gap.signals["good"])

    assert not line.has_gap
    assert average_gap_recovered(line) is None
    assert call_share_for(line, 0.5) is None
    assert benefit_lift(0.5, 5.0, line) is None
    assert decile_gap_recovered(line, no_gap.signals["good"]) is None


def test_equal_models_have_no_gap_either():
    """Equal models have no gap to recover, and nothing is divided by zero."""
    rows = RunRows.from_columns(weak=[1, 0], strong=[0, 1])

    assert average_gap_recovered(curve(rows, np.array([0.1, 0.9]))) is None


def test_without_costs_there_is_no_saving():
    """A free strong model saves nothing that could be named."""
    rows = RunRows.from_columns(weak=[0, 0], strong=[1, 1])

    assert saving_at(random_curve(rows)) is None
    assert improvement_in_quality(random_curve(rows)) is None


def test_a_level_that_is_never_reached_has_no_saving():
    """A mix cannot exceed both models here."""
    assert saving_at(curve(FOUR, np.zeros(4)), level=1.2) is None


def test_signal_costs_are_in_every_point():
    """A second call on every document is paid at every share."""
    rows = RunRows.from_columns(
        weak=[1, 0], strong=[1, 1], weak_cost=1, strong_cost=10, signals={"s": [1, 0]}, signal_costs={"s": 2}
    )
    paid = curve(rows, np.array([0.0, 1.0]), signals=("s",)).cost - curve(rows, np.array([0.0, 1.0])).cost

    assert paid.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("scores", "text"), [([0.1], "1 scores for 4 rows"), ([0.1, np.nan, 0.2, 0.3], "score of row 1 is NaN")]
)
def test_scores_are_checked(scores, text):
    """A score must be one number per row."""
    with pytest.raises(InputError, match=text):
        curve(FOUR, np.array(scores))
