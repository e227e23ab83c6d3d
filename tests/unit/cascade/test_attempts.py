"""Which attempt wins and when the loop on one document ends."""

import pytest

from cupel.cascade.attempts import (
    AttemptQuality,
    attempt_quality,
    best_attempt,
    critique_hash,
    record_hash,
    stop_reason,
)


def quality(checks=1.0, criteria=0.5, verdict="rejected", confidence=0.5, strong=False):
    return AttemptQuality(
        checks_passed=checks, criteria_passed=criteria, verdict=verdict, confidence=confidence, strong=strong
    )


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(quality(checks=1, criteria=0), quality(checks=0.5, criteria=1), id="code checks first"),
        pytest.param(quality(criteria=0.8), quality(criteria=0.5, verdict="accepted"), id="then criteria"),
        pytest.param(
            quality(verdict="accepted"), quality(verdict="unknown", confidence=1), id="then the verdict"
        ),
        pytest.param(quality(verdict="unknown"), quality(confidence=1), id="unknown is above rejected"),
        pytest.param(quality(confidence=0.9), quality(strong=True), id="then confidence"),
        pytest.param(quality(strong=True), quality(), id="then the strong tier"),
        pytest.param(
            quality(criteria=None, verdict=None), quality(criteria=0.2), id="unjudged above mostly failed"
        ),
        pytest.param(
            quality(criteria=0.9), quality(criteria=None, verdict=None), id="unjudged below mostly passed"
        ),
    ],
)
def test_the_best_attempt_wins_whatever_its_place(better, worse):
    """The last attempt is not the best one by being last."""
    assert best_attempt([better, worse]) == 0
    assert best_attempt([worse, better]) == 1


def test_of_equal_attempts_the_later_one_wins():
    """It had the longer instructions and is no worse."""
    assert best_attempt([quality(), quality()]) == 1


def test_no_attempt_is_an_error():
    """There is nothing to choose."""
    with pytest.raises(ValueError, match="no attempt"):
        best_attempt([])


def test_quality_is_read_from_the_state():
    """A record that failed two code checks stands below one without objections and above none at all."""
    attempt = {"record": {"a": 1}, "confidence": None, "score": 0.4, "tier": "strong", "evidence": []}
    verdict = {
        "verdict": "rejected",
        "score": 0.25,
        "code_findings": [{"finding": "fail"}, {"finding": "fail"}],
    }

    assert attempt_quality(attempt, verdict) == quality(1 / 3, 0.25, "rejected", 0.4, strong=True)
    assert attempt_quality(attempt, None).checks_passed == 1
    assert attempt_quality({**attempt, "evidence": [{"match": "absent"}]}, None).checks_passed == 0.5
    assert attempt_quality({**attempt, "record": None}, None).checks_passed == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, None, id="one rejection, rounds left"),
        pytest.param({"verdict": "accepted"}, "accepted", id="accepted"),
        pytest.param({"verdict": "unknown"}, "unknown", id="the judge does not know"),
        pytest.param({"budget_left": False}, "budget", id="nothing left to spend"),
        pytest.param({"max_refinements": 0}, "rounds", id="no round allowed"),
        pytest.param({"record_hashes": ["a", "b", "c"]}, "rounds", id="two rounds spent"),
        pytest.param({"record_hashes": ["a", "a"]}, "repeated_record", id="the same record again"),
        pytest.param(
            {"record_hashes": ["a", "b"], "critique_hashes": ["x", "x"]},
            "repeated_critique",
            id="the same critique",
        ),
        pytest.param(
            {"record_hashes": ["a", "b"], "critique_hashes": ["x", "y"]}, None, id="something new each time"
        ),
    ],
)
def test_refining_stops_when_another_round_would_teach_nothing(changes, expected):
    """A verdict, an empty purse, spent rounds or a repetition end it."""
    state = {"verdict": "rejected", "record_hashes": ["a"], "critique_hashes": ["x"], "max_refinements": 2}

    assert stop_reason(**{**state, **changes}) == expected


def test_a_record_is_the_same_whatever_the_order_of_its_keys():
    """List order counts, key order does not."""
    assert record_hash({"a": 1, "b": [1, 2]}) == record_hash({"b": [1, 2], "a": 1})
    assert record_hash({"b": [1, 2]}) != record_hash({"b": [2, 1]})


def test_a_critique_is_the_same_when_it_objects_to_the_same():
    """Order, case and spacing of the evidence do not make it new; another criterion or quote does."""
    first = critique_hash([("stance", "We  must"), ("complete", None)])

    assert first == critique_hash([("complete", None), ("stance", "we must")])
    assert first != critique_hash([("stance", "we must")])
    assert first != critique_hash([("stance", "we may"), ("complete", None)])
