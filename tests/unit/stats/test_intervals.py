"""Intervals and tests hold what their level promises."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cupel.stats.intervals import (
    binomial_tail,
    bounded_mean,
    clopper_pearson,
    percentile_interval,
    wilson,
)


def coverage(interval, share, n=100):
    """How often the interval of `n` trials holds the true share, summed over every outcome."""
    held = 0.0
    for k in range(n + 1):
        low, high = interval(k, n)
        if low <= share <= high:
            held += binomial_tail(k, n, share) - binomial_tail(k + 1, n, share)
    return held


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
def test_intervals_hold_the_true_share_as_often_as_they_say(share):
    """Wilson's interval holds the true share about as often as 95 %, the exact one never less."""
    assert 0.92 <= coverage(wilson, share) <= 0.985
    assert coverage(clopper_pearson, share) >= 0.95


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_nothing_is_known_from_no_trials(interval):
    """The interval of an empty sample is everything."""
    assert interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 7, 300])
def test_all_or_none_reach_the_end_of_the_scale(n):
    """No success leaves 0 possible, no failure leaves 1 possible."""
    assert clopper_pearson(0, n).low == 0.0
    assert clopper_pearson(n, n).high == 1.0


def test_the_tail_of_a_coin_is_exact():
    """The tail of a fair coin is known by counting."""
    assert binomial_tail(0, 5) == 1
    assert binomial_tail(6, 5) == 0
    assert binomial_tail(5, 5) == pytest.approx(1 / 32)
    assert binomial_tail(2, 3, 0.25) == pytest.approx(10 / 64)


@given(
    values=st.lists(st.sampled_from([0.0, 0.5, 1.0, 0.3]), min_size=1, max_size=40),
    size=st.integers(1, 5),
    low=st.sampled_from([0.0, -1.0]),
)
def test_no_interval_of_a_mean_claims_certainty(values, size, low):
    """However alike the values are, the interval has width, holds the mean and stays within what is possible."""
    interval = bounded_mean(values, [n // size for n in range(len(values))], low=low, draws=400)

    assert low <= interval.low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= interval.high <= 1.0
    assert interval.high - interval.low > 0.5 / len(values)


@pytest.mark.parametrize(
    ("chances", "n"), [((0.9, 0.05, 0.05), 20), ((0.2, 0.6, 0.2), 12), ((0.0, 0.8, 0.2), 30)]
)
def test_the_interval_of_a_win_rate_holds_the_true_one(chances, n):
    """Wins, ties and losses: of many samples the interval holds the true rate about as often as it says."""
    rng, true = np.random.default_rng(3), chances[0] + 0.5 * chances[1]
    held = 0
    for _ in range(300):
        values = rng.choice([1.0, 0.5, 0.0], size=n, p=chances)
        low, high = bounded_mean(values, range(n), draws=300)
        held += low <= true <= high

    assert held / 300 >= 0.92


def clustered_differences(rng, groups=30, size=5, gain=0.0):
    """Differences in which the documents of a group move together."""
    shift = np.repeat(rng.normal(0, 0.3, groups), size)
    return gain + shift + rng.normal(0, 0.3, groups * size), np.repeat(np.arange(groups), size).tolist()


def test_an_interval_by_group_is_wider_than_one_that_ignores_groups():
    """Documents of one debate say less than as many unrelated ones."""
    values, groups = clustered_differences(np.random.default_rng(2))
    by_group = bounded_mean(values, groups, low=-3.0, high=3.0)
    by_document = bounded_mean(values, list(range(len(values))), low=-3.0, high=3.0)

    assert by_group.high - by_group.low > 1.3 * (by_document.high - by_document.low)


def test_the_same_call_gives_the_same_answer():
    """Resampling is seeded."""
    values, groups = clustered_differences(np.random.default_rng(5))

    assert bounded_mean(values, groups, low=-3.0, high=3.0) == bounded_mean(
        values, groups, low=-3.0, high=3.0
    )


def test_draws_without_a_value_are_left_out():
    """A resample in which a figure is undefined says nothing about it."""
    assert percentile_interval([float("nan"), 1.0, 1.0]) == (1.0, 1.0)
