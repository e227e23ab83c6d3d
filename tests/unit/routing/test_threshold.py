"""A certified threshold keeps its promise, or says how many labels would do."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import beta, binom

from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.routing.threshold import (
    Certificate,
    binomial_upper,
    certify,
    split_for_certificate,
    tolerate,
    uniform_sample,
)


@settings(max_examples=60)
@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.1, 0.3]))
def test_the_bound_is_clopper_and_pearsons(n, share, delta):
    """It is the one SciPy's beta quantile gives."""
    failures = int(share * n)
    expected = 1.0 if failures >= n else beta.ppf(1 - delta, failures + 1, n - failures)

    assert binomial_upper(failures, n, delta) == pytest.approx(expected, abs=1e-9)


def population(n: int = 4000, *, skill: float = 2.0, seed: int = 1):
    """Scores and outcomes of a whole file; about a quarter is wrong."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    return score, (rng.random(n) > 1 / (1 + np.exp(-skill * (score - 0.5) * 3 - 1.2))).astype(float)


@pytest.mark.parametrize("kind", ["joint", "conditional"])
@pytest.mark.parametrize("skill", [2.0, 0.0], ids=["a score with skill", "a score without"])
def test_the_promise_is_kept_in_nine_of_ten_draws(kind, skill):
    """The true risk over the whole file exceeds the promise in at most delta of the draws, with room for chance."""
    score, wrong = population(skill=skill)
    risk, draws, broken = 0.1, 150, 0
    rng = np.random.default_rng(0)
    for _ in range(draws):
        chosen = rng.choice(len(score), 200, replace=False)
        threshold = certify(score[chosen], wrong[chosen], risk=risk, delta=0.1, kind=kind).threshold
        taken = score >= threshold
        true = (taken & (wrong == 1)).mean()
        broken += (true if kind == "joint" else true / max(taken.mean(), 1e-9)) > risk

    assert broken <= binom.ppf(0.999, draws, 0.1)


def test_the_certificate_carries_its_evidence():
    """It has counts, bound, date and versions, and a sentence a person can read."""
    score, wrong = population()
    found = certify(score[:300], wrong[:300], risk=0.05, date="2026-11-01", versions={"task": "arguments"})

    assert found.certified
    assert found.n == 300
    assert found.wrong == wrong[:300][score[:300] >= found.threshold].sum()
    assert found.bound == pytest.approx(beta.ppf(0.9, found.wrong + 1, 300 - found.wrong))
    assert found.bound <= 0.05
    assert found.sentence().startswith("P(accepted and wrong) ≤ 0.05 with confidence 0.9")
    assert Certificate.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("kind", ["joint", "conditional"])
def test_what_cannot_be_certified_says_how_many_more_would_do(kind):
    """With that many more of the same it can be certified."""
    rng = np.random.default_rng(2)
    wrong = (rng.random(60) < 0.02).astype(float)
    score = np.full(60, 0.7)  # all tied: all or nothing
    found = certify(score, wrong, risk=0.03, delta=0.1, kind=kind)

    assert not found.certified
    assert "more documents would do" in found.sentence()
    assert json.loads(json.dumps(found.to_dict()))["threshold"] is None
    assert not Certificate.from_dict(found.to_dict()).certified
    times = math.ceil((60 + found.would_need) / 60)
    assert certify(np.tile(score, times), np.tile(wrong, times), risk=0.03, delta=0.1, kind=kind).certified


def test_tied_scores_are_accepted_together_or_not_at_all():
    """The threshold never splits records of one score."""
    score = np.repeat([0.9, 0.5], 150)
    wrong = np.repeat([0.0, 0.0, 1.0], [150, 120, 30])
    found = certify(score, wrong, risk=0.05)

    assert found.threshold == 0.9
    assert found.accepted == 150


def test_everything_right_accepts_everything():
    """Where no record is wrong among enough labels, every one is accepted."""
    found = certify(np.random.default_rng(0).random(100), np.zeros(100), risk=0.05)

    assert found.accepted == 100


def test_a_record_without_a_score_is_never_accepted():
    """NaN counts among the labels and not among the accepted."""
    score = np.where(np.arange(200) % 2 == 0, np.nan, 0.8)
    found = certify(score, np.zeros(200), risk=0.05)

    assert (found.n, found.accepted) == (200, 100)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"risk": 0.0}, SettingError, "risk is 0.0"),
        ({"delta": 1.5}, SettingError, "delta is 1.5"),
        ({"wrong": [1.0]}, InputError, "3 scores and 1 outcomes"),
        ({"wrong": [0, 0.5, 1]}, InputError, "outcome of record 1 is 0.5"),
        ({"confidence": [], "wrong": []}, NotEnoughDataError, "no labels"),
    ],
)
def test_malformed_requests_are_refused(arguments, error, text):
    """A request that makes no sense is refused with its value and a valid one."""
    given_ = {"confidence": [0.1, 0.2, 0.3], "wrong": [0, 0, 1]} | arguments
    with pytest.raises(error, match=text):
        certify(given_.pop("confidence"), given_.pop("wrong"), **given_)


def test_labels_that_would_not_tighten_the_bound_fit_the_score_instead():
    """The parts are disjoint and complete, and the certifying one tolerates the most failures per label."""
    fit, held = split_for_certificate(300, risk=0.05, delta=0.1, seed=3)

    assert sorted([*fit, *held]) == list(range(300))
    assert len(fit) >= 40
    assert tolerate(len(held), 0.05, 0.1) > tolerate(len(held) - 1, 0.05, 0.1)


def test_too_few_labels_to_fit_and_certify_say_how_many_more():
    """Forty-five certify risk 0.05 at best, forty fit."""
    with pytest.raises(NotEnoughDataError, match="label 25 more"):
        split_for_certificate(60, risk=0.05, delta=0.1)


def test_the_sample_is_uniform_and_not_the_head_of_the_file():
    """Every row has the same chance."""
    seen = np.zeros(50)
    for seed in range(400):
        seen[uniform_sample(50, 10, seed=seed)] += 1

    assert seen.min() > 50
    assert seen.max() < 115
    with pytest.raises(NotEnoughDataError, match="60 documents to label, but there are only 50"):
        uniform_sample(50, 60)
