"""Which attempt wins, and what becomes of the document."""

import pytest

from cupel.cascade.finish import AttemptQuality, attempt_quality, best_attempt


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
