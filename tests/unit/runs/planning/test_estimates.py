"""Expectations and intervals: what is seen, what is assumed, and how they are weighed."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.runs.planning.estimates import (
    PRIOR_DOCUMENTS,
    Drawn,
    Guess,
    Population,
    blend,
    certain,
    draw,
    draw_fates,
    draw_luck,
    draw_to,
    mean_of,
    ratio_of,
)


@pytest.fixture
def rng():
    """Seeded draws."""
    return np.random.default_rng(7)


def test_the_interval_of_a_mean_holds_the_mean_of_the_documents_to_come():
    """Of 200 files of 50 documents, judged by 50 earlier ones, at least 90 % end inside the 95 % interval."""
    world = np.random.default_rng(1)
    inside = 0
    for trial in range(200):
        seen = world.binomial(1, 0.3, 50)
        to_come = world.binomial(1, 0.3, 50).mean()
        found = mean_of(seen, 50, np.random.default_rng(trial)).estimate()
        inside += found.low <= to_come <= found.high

    assert inside >= 180


def test_few_documents_to_come_make_a_wider_interval_than_many(rng):
    """The fate of ten documents is less sure than the mean over ten thousand."""
    seen = [0.0, 1.0] * 50
    few, many = mean_of(seen, 10, rng).estimate(), mean_of(seen, 10_000, rng).estimate()

    assert few.high - few.low > 1.5 * (many.high - many.low)


def test_a_sample_that_is_the_whole_file_leaves_no_doubt(rng):
    """Every row was looked at, so the total is known."""
    total = Population(3, 3, rng).total([10.0, 20.0, 30.0]).estimate()

    assert (total.low, total.expected, total.high) == (60.0, 60.0, 60.0)


def test_a_sample_is_scaled_up_with_an_interval(rng):
    """Two of a thousand rows say little, and the interval says so."""
    total = Population(2, 1000, rng).total([10.0, 30.0]).estimate()

    assert total.expected == 20_000
    assert total.low <= 10_000
    assert total.high >= 30_000


def test_the_interval_of_a_sampled_total_holds_the_true_total():
    """Of 200 samples of 100 rows, at least 90 % hold the true total in the 95 % interval."""
    world = np.random.default_rng(2)
    sizes = world.lognormal(5, 0.8, 5000)
    inside = 0
    for trial in range(200):
        sample = world.choice(sizes, 100, replace=False)
        found = Population(100, 5000, np.random.default_rng(trial)).total(sample).estimate()
        inside += found.low <= sizes.sum() <= found.high

    assert inside >= 180


def test_what_was_seen_outweighs_the_default_as_it_grows(rng):
    """At as many documents as the default is worth, both count half."""
    seen, default = certain(1.0), certain(0.0)

    assert blend(seen, default, PRIOR_DOCUMENTS, rng).point == pytest.approx(0.5)
    assert blend(seen, default, 97 * PRIOR_DOCUMENTS, rng).point == pytest.approx(97 / 98)


def test_without_anything_seen_the_ratio_is_the_default_with_its_range(rng):
    """A guess is not told more surely than it is."""
    found = ratio_of([], [], Guess(0.4, 1.0, 2.5), rng).estimate()

    assert found.expected == 1.0
    assert found.low < 0.6
    assert found.high > 2.0


def test_a_single_value_outside_its_draws_widens_the_interval():
    """An interval never leaves out the figure it stands beside."""
    found = Drawn(5.0, np.linspace(1.0, 2.0, 400)).estimate()

    assert found.low <= 5.0 <= found.high


def test_the_interval_holds_what_was_seen_as_well_as_what_is_expected(rng):
    """Nothing seen in 40 documents may stay next to nothing, whatever the default says."""
    found = (blend(certain(0.0), certain(0.5), 40, rng) * 1000.0).estimate().outwards()

    assert found.low < 5
    assert found.expected > 10


def test_a_guess_without_a_range_is_certain(rng):
    """Nothing is drawn where low and high are one."""
    assert set(draw(Guess(1.0, 1.0, 1.0), rng).draws) == {1.0}


def test_a_documents_steps_are_drawn_together():
    """What is refined is judged again: of 200 files at least 90 % end inside the interval of all steps together."""
    world, inside = np.random.default_rng(5), 0
    for trial in range(200):
        refined = world.binomial(1, 0.3, 90)
        seen, to_come = refined[:40], refined[40:]
        fates = draw_fates(1 + 5.0 * seen, 50, np.random.default_rng(trial), unlike=0.0)
        total = Drawn(1 + 5 * float(seen.mean()), fates @ (1 + 2.0 * seen) + fates @ (3.0 * seen)).estimate()
        inside += total.low <= (1 + 5.0 * to_come).mean() <= total.high

    assert inside >= 180


def test_a_run_nothing_is_known_of_may_be_the_easiest_or_the_hardest(rng):
    """All steps reach their ends in the same draws."""
    luck = draw_luck(rng)
    one, other = (draw_to(Guess(0.0, 0.3, 0.6), most, luck, rng) for most in (1.0, 4.0))
    both = (one + other).estimate()

    assert both.low < 0.05
    assert both.high == pytest.approx(5.0)
    assert both.expected == pytest.approx(0.6)
