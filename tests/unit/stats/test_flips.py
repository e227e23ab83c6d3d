"""Whole groups flipped: the level is exact, the power is what a simulation finds."""

import itertools

import numpy as np
import pytest

from cupel.stats.flips import (
    Rates,
    draw_sums,
    fewest_groups,
    flip_detectable,
    flip_gain,
    flip_groups_needed,
    flip_power,
    whole_tails,
)

LEVELS = (0.2, 0.1, 0.05, 0.0304, 0.0076, 0.0012)


def every_pattern(sizes):
    """The p-value of every pattern of signs, each as likely as any other where the two versions are alike."""
    return [
        flip_gain([sign * size for sign, size in zip(signs, sizes, strict=True)], range(len(sizes)))
        for signs in itertools.product((1, -1), repeat=len(sizes))
    ]


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([1] * 10, id="ten equal changes"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8], id="whole and unequal"),
        pytest.param([5, 1, 1, 1, 1, 1, 1, 1], id="one large group"),
        pytest.param([0.25, 0.5, 0.125, 1.75, 0.3, 0.71, 0.2, 0.11], id="graded"),
        pytest.param([0.5] * 9, id="graded and equal"),
        pytest.param([3], id="one group"),
    ],
)
def test_no_level_is_ever_exceeded(sizes):
    """Counted over every pattern of signs: a p-value of `level` or less comes up in `level` of cases at most."""
    found = np.array(every_pattern(sizes))

    for level in (*LEVELS, *np.unique(found)):
        assert np.mean(found <= level * (1 + 1e-12)) <= level * (1 + 1e-9), level


def test_thirteen_equal_changes_would_exceed_the_level_by_a_mid_p():
    """Ten of thirteen fixed: at a level of .0305 a mid-p errs in .0461 of cases, half as often again; this does not."""
    p = flip_gain([1] * 10 + [-1] * 3, range(13))

    assert p == pytest.approx(378 / 8192)
    assert p - 286 / 8192 / 2 < 0.0304 < p


def test_drawn_patterns_err_no_more_than_all_of_them():
    """With thirty groups of uneven grades and no gain, .05 is reached in no more than about 5 % of 400 trials."""
    rng = np.random.default_rng(3)
    hits = [flip_gain(rng.normal(0, 0.3, 30), range(30), seed=n) <= 0.05 for n in range(400)]

    assert 0.02 <= np.mean(hits) <= 0.08


def test_a_clear_gain_is_found_and_a_loss_is_none():
    """The test is one-sided."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(30), 5).tolist()
    shift = np.repeat(rng.normal(0, 0.3, 30), 5) + rng.normal(0, 0.3, 150)

    assert flip_gain(shift + 0.4, groups, alpha=0.001) < 0.001
    assert flip_gain(shift - 0.4, groups) > 0.99


def test_no_difference_is_no_gain():
    """Where nothing changed, nothing is shown; nor where a group's changes cancel out."""
    assert flip_gain([0.0, 0.0], ["a", "b"]) == 1.0
    assert flip_gain([1, -1, 0], ["a", "a", "b"]) == 1.0


def test_the_same_call_gives_the_same_answer():
    """Drawing is seeded."""
    values = np.random.default_rng(5).normal(0.1, 0.3, 60)

    assert flip_gain(values, range(60)) == flip_gain(values, range(60))


def test_many_data_sets_at_once_have_the_p_values_of_each():
    """The way by cosines and the way by counting agree."""
    sums = draw_sums((3, 1, 4, 2, 5, 5, 1, 1), Rates(0.3, 0.1, 0.4), 40, 1)
    each = [flip_gain(row, range(len(row))) for row in sums.tolist()]

    assert np.where(sums.sum(axis=1) > 0, each, 1.0).tolist() == pytest.approx(
        whole_tails(sums).tolist(), abs=1e-9
    )


@pytest.mark.parametrize("alpha", LEVELS)
def test_fewer_groups_than_the_fewest_can_pass_nothing(alpha):
    """All of them better is the most there is."""
    fewest = fewest_groups(alpha)

    assert flip_gain([1] * fewest, range(fewest)) <= alpha
    assert flip_gain([1] * (fewest - 1), range(fewest - 1)) > alpha


def test_documents_that_change_together_show_less():
    """Forty groups of five are worth less the more they are alike."""
    powers = [flip_power((5,) * 40, Rates(0.13, 0.05, alike), alpha=0.03) for alike in (0.0, 0.4, 0.9)]

    assert powers == sorted(powers, reverse=True)
    assert powers[0] > powers[2] + 0.2


def test_the_smallest_gain_found_is_found_in_four_cases_of_five():
    """Too few groups find none, whatever their size."""
    gain = flip_detectable((5,) * 30, alpha=0.03)

    assert flip_power((5,) * 30, Rates(0.05 + gain, 0.05), alpha=0.03) == pytest.approx(0.8, abs=0.05)
    assert flip_detectable((50,) * 5, alpha=0.03) is None


def test_the_groups_needed_have_the_power():
    """New groups such as those seen find the gain in four cases of five, and no number finds none."""
    values = np.random.default_rng(6).permutation([1.0] * 26 + [-1.0] * 10 + [0.0] * 164)
    groups = np.repeat(np.arange(40), 5).tolist()
    needed = flip_groups_needed(values, groups, gain=0.08, alpha=0.0076)

    assert flip_power((5,) * needed, Rates(0.13, 0.05), alpha=0.0076) == pytest.approx(0.8, abs=0.08)
    assert flip_groups_needed(values, groups, gain=0.0, alpha=0.0076) is None
    assert flip_groups_needed(values, groups, gain=0.0001, alpha=0.0076) is None
