"""Cuts of a text against those it has: Pk, WindowDiff and F1."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cupel.metrics.evaluation import evaluate
from cupel.metrics.segments import half_segment, pk, starting_words, window_diff

UNITS = 40
cuts = st.lists(st.integers(1, UNITS - 1), max_size=8)


def naive(gold, given, reach, differ):
    """The definitions word for word: every pair of units `reach` apart, and the cuts between them."""
    pairs = [(at, at + reach) for at in range(UNITS - reach)]
    between = [[sum(low < cut <= high for cut in set(side)) for low, high in pairs] for side in (gold, given)]
    return sum(differ(right, said) for right, said in zip(*between, strict=True)) / len(pairs)


@given(cuts, cuts)
def test_both_errors_are_what_their_papers_define(gold, said):
    """Counted pair by pair."""
    reach = half_segment(gold, UNITS)

    assert pk(gold, said, UNITS) == pytest.approx(naive(gold, said, reach, lambda a, b: (a > 0) != (b > 0)))
    assert window_diff(gold, said, UNITS) == pytest.approx(naive(gold, said, reach, lambda a, b: a != b))


@given(cuts, cuts)
def test_a_cut_too_many_is_never_better_by_window_diff_than_by_pk(gold, said):
    """Where Pk sees a difference, WindowDiff sees one too; both are nought for the gold itself."""
    assert window_diff(gold, said, UNITS) >= pk(gold, said, UNITS)
    assert pk(gold, gold, UNITS) == window_diff(gold, gold, UNITS) == 0


def test_a_near_miss_costs_less_than_a_far_one():
    """What F1 of cuts does not see."""
    near, far = (pk([20], [said], UNITS) for said in (21, 35))

    assert 0 < near < far


def test_a_boundary_in_the_space_before_a_word_begins_at_that_word():
    """Offsets of different cutters differ by white space, and by nothing else."""
    text = "One two.\n\nThree four."

    assert starting_words(text, [8]) == starting_words(text, [10]) == [2]
    assert starting_words(text, [0, len(text)]) == []


def test_cuts_of_a_data_set_are_scored_with_an_interval():
    """One text is cut where it should be, one is not cut at all."""
    text = "a b c d e f g h"
    gold = [{"id": n, "text": text, "meta": {}, "gold": {"boundaries": [8]}} for n in range(2)]
    found = evaluate(gold, [{"id": 0, "boundaries": [0, 8]}], kinds=["boundaries"], headline="boundaries.pk")

    assert found.value == pytest.approx(1 / 6)
    assert found.interval is not None
    assert found.figures["boundaries"]["micro_r"] == 0.5
    assert found.figures["boundaries"]["cuts_given"] == 1
