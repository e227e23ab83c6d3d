"""The paired test finds gains and does not invent them."""

import functools

import numpy as np
import pytest

from cupel.stats.intervals import binomial_pmf, binomial_tail
from cupel.stats.mcnemar import (
    detectable_gain,
    documents_needed,
    mcnemar,
    mcnemar_power,
    mcnemar_unconditional,
)

FIRST_LOOK = 0.05 * 6 / np.pi**2


def test_nothing_changed_proves_nothing():
    """Without a discordant pair there is no evidence."""
    assert mcnemar(0, 0) == 1
    assert mcnemar_unconditional(0, 0, 100) == 1


@functools.cache
def fewest_fixes(changes, n):
    """Fewest fixes among the changes that are promoted; one more than there are if none is."""
    low, high = 0, changes + 1
    while low < high:
        middle = (low + high) // 2
        promoted = mcnemar_unconditional(middle, changes - middle, n) <= FIRST_LOOK
        low, high = (low, middle) if promoted else (middle + 1, high)
    return low


@pytest.mark.parametrize("change", [0.02, 0.063, 0.18, 0.255, 0.6])
@pytest.mark.parametrize("n", [50, 200])
def test_the_unconditional_test_never_errs_more_than_its_level(n, change):
    """The error is summed exactly over every outcome of two alike versions, at whatever rate of change."""
    chances = binomial_pmf(n, change)
    likely = [m for m in range(n + 1) if chances[m] > 1e-9]
    wrong = sum(chances[m] * binomial_tail(fewest_fixes(m, n), m) for m in likely)

    assert wrong <= FIRST_LOOK * 1.001


def test_it_is_never_more_careful_than_the_conditional_test_where_that_matters():
    """What the conditional test promotes, this test promotes too."""
    for changes in range(5, 60):
        careful = next((k for k in range(changes + 1) if mcnemar(k, changes - k) <= FIRST_LOOK), changes + 1)

        assert fewest_fixes(changes, 200) <= careful


def test_more_changes_than_documents_is_a_mistake():
    """Counts that cannot be are refused."""
    with pytest.raises(ValueError, match="among only 10"):
        mcnemar_unconditional(8, 3, 10)


def test_power_is_what_a_simulation_finds():
    """20,000 simulated comparisons agree within two points."""
    draws = np.random.default_rng(1).multinomial(200, [0.13, 0.05, 0.82], size=20_000)
    found = sum(fixes >= fewest_fixes(fixes + breaks, 200) for fixes, breaks, _ in draws.tolist())

    assert found / 20_000 == pytest.approx(
        mcnemar_power(200, fix_rate=0.13, break_rate=0.05, alpha=FIRST_LOOK), abs=0.02
    )


def test_the_documents_needed_have_the_power_and_fewer_do_not():
    """The answer is neither too small nor much too large."""
    n = documents_needed(fix_rate=0.1, break_rate=0.04, alpha=0.05)

    assert mcnemar_power(n, fix_rate=0.1, break_rate=0.04, alpha=0.05) >= 0.8
    assert mcnemar_power(round(n * 0.93), fix_rate=0.1, break_rate=0.04, alpha=0.05) < 0.8


def test_no_number_of_documents_shows_what_is_not_there():
    """A gain that is none, or too small for any data set, needs no number of documents."""
    assert documents_needed(fix_rate=0.05, break_rate=0.05, alpha=0.05) is None
    assert documents_needed(fix_rate=0.0501, break_rate=0.05, alpha=0.05) is None


def test_more_documents_detect_smaller_gains():
    """More documents detect smaller gains, and a handful detects none."""
    gains = [detectable_gain(n, alpha=0.05) for n in (30, 60, 100, 200, 400)]

    assert gains == sorted(gains, reverse=True)
    assert detectable_gain(3, alpha=0.05) is None
