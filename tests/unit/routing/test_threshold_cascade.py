"""A stored cascade decides as the one that was fitted, and a costly strong model is asked less."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cupel.errors import NotEnoughDataError, SettingError
from cupel.routing.automix import AutoMixPOMDP, AutoMixThreshold
from cupel.routing.combined import SignalsAndText
from cupel.routing.confidence.calibration import Calibration
from cupel.routing.measures import average_gap_recovered
from cupel.routing.policy import AlwaysStrong, AlwaysWeak, Oracle, RandomMix
from cupel.routing.replay import baselines, bootstrap, figures, operating, play
from cupel.routing.rows import RunRows
from cupel.routing.threshold import certify
from cupel.routing.threshold_cascade import (
    CascadeLearner,
    CostOptimalLearner,
    SignalCascade,
    ThresholdCascade,
)


def test_a_stored_policy_decides_as_before(log, fit_score):
    """Calibration and certificate survive JSON, for every record."""
    score = fit_score(log, ("good", "useless"))
    certificate = certify(score.predict(np.column_stack(list(log.signals.values()))), 1 - log.weak, risk=0.1)
    policy = ThresholdCascade(score=score, threshold=certificate.threshold, certificate=certificate)
    read = ThresholdCascade.from_json(policy.to_json(), read_score=Calibration.from_dict)

    assert read == policy
    assert certificate.certified
    for i in range(50):
        signals = {name: float(values[i]) for name, values in log.signals.items()}
        decision = read.decide(signals)

        assert decision == policy.decide(signals)
        assert decision.accept == (not policy.escalates(log)[i])


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_record_of_which_nothing_is_known_is_not_accepted(log, fit_score, value):
    """A record without a confidence is not accepted, however low the threshold."""
    policy = ThresholdCascade(score=fit_score(log, ("good",)), threshold=0.0)

    assert policy.decide({"good": value}) == (None, False)


def test_an_uncertified_policy_accepts_nothing(log, fit_score):
    """An infinite threshold survives JSON."""
    policy = ThresholdCascade(score=fit_score(log, ("good",)), threshold=math.inf)
    read = ThresholdCascade.from_json(policy.to_json(), read_score=Calibration.from_dict)

    assert not read.decide({"good": 1.0}).accept


@pytest.mark.parametrize(
    "text", ["{}", "not json", '{"policy": "other", "format": 1}', '{"policy": "threshold", "format": 7}']
)
def test_a_foreign_policy_file_is_refused(text):
    """A file that is no policy is refused with a setting error, not with a traceback."""
    with pytest.raises(SettingError):
        ThresholdCascade.from_json(text, read_score=Calibration.from_dict)


def test_the_dearer_the_strong_model_the_less_it_is_asked(log, fit_score):
    """A record is escalated if and only if V · (p_strong − p_weak) > c_strong."""
    shares = [
        CostOptimalLearner(signals=("good",), fit_score=fit_score, value=value).fit(log).escalates(log).mean()
        for value in (1.0, 15.0, 30.0, 1000.0)
    ]

    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] > 0.3
    with pytest.raises(SettingError, match="value of a right record is 0"):
        CostOptimalLearner(signals=("good",), fit_score=fit_score, value=0).fit(log)


def test_signals_beat_random_mixing_and_the_oracle_beats_them(log, fit_score):
    """Every figure is out of fold, and every call is billed."""
    learner = CascadeLearner(signals=("good", "useless"), fit_score=fit_score)
    found = [figures(play(each, log), log)["APGR"] for each in (RandomMix(), learner, Oracle("router"))]

    assert found[0] == pytest.approx(0.5)
    assert found == sorted(found)
    assert found[1] > 0.7


def test_operating_points_bill_every_call(log):
    """Always weak, always strong and a cascade that escalates everything are billed every call."""
    assert operating(play(AlwaysWeak(), log), log).cost == 1.0
    assert operating(play(AlwaysStrong(), log), log).cost == 10.0
    assert operating(play(SignalCascade(signal="good", threshold=2.0), log), log).cost == 1.0 + 1.0 + 10.0


@pytest.mark.parametrize("learner", [AutoMixThreshold, AutoMixPOMDP])
def test_automix_escalates_where_the_check_says_no(log, learner):
    """Low self-verification goes to the strong model, high stays."""
    policy = learner(signal="good").fit(log)
    sent = policy.escalates(log)

    assert 0 < sent.mean() < 1
    assert log.weak[sent].mean() < log.weak[~sent].mean()


def test_a_meta_verifier_is_not_fooled_by_a_check_that_is_inverted():
    """Where a high self-verification means wrong, POMDP escalates the high bins and the threshold cannot."""
    check = np.tile([0.0, 1.0], 50)
    rows = RunRows.from_columns(
        weak=1 - check, strong=np.ones(100), weak_cost=1, strong_cost=10, signals={"v": check}
    )

    assert AutoMixPOMDP(signal="v").fit(rows).escalates(rows).tolist() == (check == 1).tolist()


@pytest.mark.parametrize("missing", ["some", "all"])
def test_missing_signals_go_to_the_strong_model_or_are_refused(log, missing):
    """A record is escalated where some signals are missing; where all are, it is said."""
    values = log.signals["good"].copy()
    values[: 20 if missing == "some" else len(values)] = np.nan
    rows = RunRows.from_columns(weak=log.weak, strong=log.strong, signals={"good": values})
    cascade = SignalCascade(signal="good")
    if missing == "some":
        assert cascade.escalates(rows)[:20].all()
        assert cascade.scores(rows)[0] == cascade.scores(rows).max()
    else:
        with pytest.raises(NotEnoughDataError, match="missing on every row"):
            cascade.scores(rows)


def test_an_unknown_signal_is_named_with_the_known_ones(log):
    """A typing error is found at once."""
    with pytest.raises(SettingError, match="log has no signal 'god'; it has good, useless"):
        play(SignalCascade(signal="god"), log)


def test_too_few_rows_and_one_class_are_refused(log, fit_score):
    """Every learner says clearly that there are too few rows, or only one class."""
    with pytest.raises(NotEnoughDataError, match="10 rows; AutoMix needs 20"):
        AutoMixThreshold(signal="good").fit(log.take(range(10)))
    right = log.take(log.weak == 1)
    with pytest.raises(NotEnoughDataError, match="only 0 of"):
        CascadeLearner(signals=("good",), fit_score=fit_score).fit(right)
    with pytest.raises(NotEnoughDataError, match="every cheap record is right"):
        SignalsAndText(signals=("good",)).fit(right)


def test_every_table_starts_with_its_baselines(log):
    """A table has always weak, always strong, random mixing and both oracles; intervals hold the figure."""
    names = [policy.name for policy in baselines()]
    played = play(SignalCascade(signal="good"), log)
    low, high = bootstrap(played, log, average_gap_recovered, times=60)

    assert names[:3] == ["always weak", "always strong", "random mix"]
    assert low < figures(played, log)["APGR"] < high


def test_without_a_gap_the_figures_say_none(no_gap, fit_score):
    """Trained policies are replayed all the same."""
    found = figures(play(CascadeLearner(signals=("good",), fit_score=fit_score), no_gap), no_gap)

    assert found["APGR"] is None
    assert found["CPT50"] is None
