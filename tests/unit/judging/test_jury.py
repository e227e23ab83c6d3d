"""Votes, preferences and audits."""

import pytest

from cupel.judging.jury import count_votes, false_pass_rate, pairwise_schema, preference, win_rate


@pytest.mark.parametrize(
    ("verdicts", "verdict", "agreed"),
    [
        (["accepted", "accepted"], "accepted", True),
        (["accepted", "accepted", "unknown"], "accepted", True),
        (["rejected", "rejected", "unknown", "unknown", "unknown"], "rejected", True),
        (["rejected", "rejected", "accepted"], "rejected", False),
        (["accepted", "rejected"], "unknown", False),
        (["accepted"], "accepted", False),
        (["unknown", "unknown"], "unknown", False),
        ([], "unknown", False),
    ],
)
def test_the_majority_of_those_who_know_decides(verdicts, verdict, agreed):
    """A tie decides nothing, and one judge alone is no agreement."""
    result = count_votes(verdicts)

    assert (result.verdict, result.agreed) == (verdict, agreed)


@pytest.mark.parametrize(
    ("a_first", "b_first", "expected"),
    [
        ("first", "second", "a"),
        ("second", "first", "b"),
        ("first", "first", "tie"),
        ("second", "second", "tie"),
        ("tie", "tie", "tie"),
        ("tie", "first", "tie"),
        (None, "first", "unknown"),
        ("first", None, "unknown"),
    ],
)
def test_a_preference_holds_in_both_orders(a_first, b_first, expected):
    """A judge that always takes the first has no preference."""
    assert preference(a_first, b_first) == expected


def test_swapping_the_two_sides_swaps_the_preference():
    """Neither side is favoured by its name."""
    mirrored = {"a": "b", "b": "a", "tie": "tie"}
    for one in ("first", "second", "tie"):
        for other in ("first", "second", "tie"):
            assert preference(other, one) == mirrored[preference(one, other)]


def test_the_win_rate_counts_ties_half_and_leaves_out_what_is_unknown():
    """Its interval holds it, and grows when documents come in groups."""
    preferences = ["a"] * 40 + ["b"] * 20 + ["tie"] * 20 + ["unknown"] * 5
    alone = win_rate(preferences)
    grouped = win_rate(preferences, [n // 10 for n in range(85)])

    assert (alone.rate, alone.wins, alone.losses, alone.ties, alone.unknown) == (0.625, 40, 20, 20, 5)
    assert alone.interval.low < 0.625 < alone.interval.high
    assert grouped.interval.high - grouped.interval.low > alone.interval.high - alone.interval.low


def test_without_judgements_there_is_no_win_rate():
    """A win rate of no judgement is unknown and not one half."""
    assert win_rate(["unknown"]).rate is None


def test_audits_without_a_verdict_say_nothing():
    """The rate is unknown, its interval everything."""
    result = false_pass_rate(["unknown"])

    assert (result.rate, tuple(result.interval), result.unknown) == (None, (0.0, 1.0), 1)


def test_the_comparison_asks_for_reasons_first():
    """A comparison asks for the reasoning before the preference, as every judgement here does."""
    assert list(pairwise_schema()["properties"]) == ["reasoning", "better"]
