"""How a judge compares with people, and when it may only advise."""

import numpy as np
import pytest

from cupel.judging.agreement import cohen_kappa, correct_pass_rate, measure_agreement


def cases(both_pass=0, false_pass=0, false_fail=0, both_fail=0, unknown=0):
    judge = ["pass"] * (both_pass + false_pass) + ["fail"] * (false_fail + both_fail) + ["unknown"] * unknown
    people = (
        [True] * both_pass
        + [False] * false_pass
        + [True] * false_fail
        + [False] * both_fail
        + [True] * unknown
    )
    return judge, people


def test_the_rates_are_those_of_the_table():
    """Forty of fifty passed right and 45 of 50 failed right are the rates .8 and .9, known by counting."""
    measured = measure_agreement(*cases(40, 5, 10, 45, unknown=3))

    assert measured.tpr.value == 0.8
    assert measured.tnr.value == 0.9
    assert measured.kappa.value == pytest.approx(0.7)
    assert (measured.n, measured.unknown, measured.false_pass) == (100, 3, 5)
    assert measured.tpr.interval.low < 0.8 < measured.tpr.interval.high
    assert measured.kappa.interval.low < 0.7 < measured.kappa.interval.high


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        pytest.param(
            {"both_pass": 40, "both_fail": 45, "false_pass": 5, "false_fail": 10}, "", id="good enough"
        ),
        pytest.param(
            {"both_pass": 30, "both_fail": 20, "false_pass": 25, "false_fail": 25}, "kappa", id="near chance"
        ),
        pytest.param(
            {"both_pass": 8, "both_fail": 8, "false_pass": 2, "false_fail": 2}, "kappa", id="too few labels"
        ),
        pytest.param({"both_pass": 80, "false_pass": 20}, "the judge passed every case", id="always passes"),
        pytest.param({"false_fail": 80, "both_fail": 20}, "the judge failed every case", id="always fails"),
        pytest.param({"both_pass": 80, "false_fail": 20}, "people passed every case", id="no failing label"),
        pytest.param({"unknown": 50}, "no labels", id="knows nothing"),
        pytest.param({}, "no labels", id="nothing at all"),
    ],
)
def test_a_judge_that_may_be_near_chance_is_advisory(counts, why):
    """Its user is told why."""
    measured = measure_agreement(*cases(**counts))

    assert measured.advisory == bool(why)
    assert why in measured.why


def test_rates_without_cases_are_none():
    """A rate of no case at all is unknown and not zero."""
    measured = measure_agreement(*cases(both_pass=10))

    assert (measured.tnr.value, tuple(measured.tnr.interval)) == (None, (0.0, 1.0))


def test_kappa_of_alternating_tables_is_known():
    """Kappa is known by hand for perfect agreement, for none, and for worse than chance."""
    tables = np.array([[5.0, 0, 0, 5], [5, 5, 5, 5], [0, 5, 5, 0]])

    assert cohen_kappa(tables).tolist() == [1, 0, -1]


def test_cases_of_one_speaker_make_wider_intervals():
    """Ten labels of one speech are not ten labels."""
    judge, people = cases(80, 10, 20, 90)
    alone = measure_agreement(judge, people)
    grouped = measure_agreement(judge, people, [at // 10 for at in range(200)])

    for name in ("tpr", "tnr", "kappa"):
        one, other = getattr(alone, name).interval, getattr(grouped, name).interval
        assert other.high - other.low > 1.2 * (one.high - one.low)


def test_a_share_of_all_or_none_in_groups_counts_the_groups():
    """Twenty right in two speeches is little more than two."""
    judge, people = cases(both_pass=20, both_fail=20)
    measured = measure_agreement(judge, people, [at // 10 for at in range(40)])

    assert measured.tpr.interval.low < 0.5


def test_the_corrected_rate_undoes_the_judges_mistakes():
    """Half of the cases are right; a judge of .8 and .9 passes .45 of them."""
    measured = measure_agreement(*cases(80, 10, 20, 90))
    corrected = correct_pass_rate(450, 1000, measured)

    assert corrected.value == pytest.approx(0.5)
    assert corrected.interval.low < 0.5 < corrected.interval.high


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"both_pass": 25, "both_fail": 25, "false_pass": 25, "false_fail": 25}, id="chance"),
        pytest.param({"both_pass": 3, "both_fail": 3}, id="too few to tell from chance"),
        pytest.param({"both_pass": 30}, id="no failing label"),
    ],
)
def test_a_judge_no_better_than_chance_corrects_nothing(counts):
    """The share is then unknown, which is said."""
    corrected = correct_pass_rate(50, 100, measure_agreement(*cases(**counts)))

    assert (corrected.value, tuple(corrected.interval)) == (None, (0.0, 1.0))


def test_intervals_hold_what_is_true():
    """A judge of known rates, 150 seeds: each interval holds its figure in most of them."""
    held = {"tpr": 0, "tnr": 0, "share": 0}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        people = rng.random(150) < 0.6
        judge = np.where(people, rng.random(150) < 0.85, rng.random(150) > 0.9)
        measured = measure_agreement(["pass" if said else "fail" for said in judge], people.tolist())
        passed = int(np.sum(np.where(rng.random(400) < 0.7, rng.random(400) < 0.85, rng.random(400) > 0.9)))
        share = correct_pass_rate(passed, 400, measured).interval
        held["tpr"] += measured.tpr.interval.low <= 0.85 <= measured.tpr.interval.high
        held["tnr"] += measured.tnr.interval.low <= 0.9 <= measured.tnr.interval.high
        held["share"] += share.low <= 0.7 <= share.high

    assert min(held.values()) >= 0.9 * 150


def test_labels_and_findings_belong_together():
    """A label without a finding is a mistake, not a case."""
    with pytest.raises(ValueError):
        measure_agreement(["pass"], [True, False])
