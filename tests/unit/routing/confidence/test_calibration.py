"""A calibration turns signals into a probability, and knows what it is valid for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.routing.confidence.calibration import Binding, Calibration, fit_calibration
from cupel.stats.reliability import (
    auroc,
    brier,
    expected_calibration_error,
    reliability_bins,
    within_groups_auroc,
)

BINDING = Binding(task="arguments", prompt_version="abc", model="groq:small")


def sample(n: int, *, seed: int = 0, skill: float = 1.0):
    """Raw scores that rank but overstate, and outcomes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    right = (rng.random(n) < 1 / (1 + np.exp(-skill * z))).astype(float)
    return 1 / (1 + np.exp(-(3 * z + 2))), right


@pytest.mark.parametrize(
    ("n", "kind"),
    [(100, "platt"), (600, "blend"), (3000, "isotonic")],
    ids=["few labels: two parameters", "some hundred: a blend", "many: isotonic"],
)
def test_confidence_means_what_it_says(n, kind):
    """Whatever the number of labels, the error shrinks and the ranking stays."""
    raw, right = sample(n)
    fitted = fit_calibration(raw[:, None], right, names=["score"], binding=BINDING)
    fresh, outcome = sample(4000, seed=1)
    stated = fitted.predict(fresh[:, None])

    assert fitted.score_map.kind == kind
    assert expected_calibration_error(stated, outcome) < min(0.08, expected_calibration_error(fresh, outcome))
    assert brier(stated, outcome) < brier(fresh, outcome)
    assert auroc(stated, outcome) == pytest.approx(auroc(fresh, outcome), abs=0.005)


@pytest.mark.parametrize("n", [60, 400, 1500])
def test_a_better_single_signal_never_gets_less_confidence(n):
    """Monotone, even for a signal that is worse than chance."""
    raw, right = sample(n, skill=-2.0)
    fitted = fit_calibration(raw[:, None], right, names=["score"], binding=BINDING, folds=0)
    stated = fitted.predict(np.linspace(0, 1, 200)[:, None])

    assert (np.diff(stated) >= 0).all()


def test_one_record_and_a_table_get_the_same_probability():
    """The plain-Python path of a node and the array path of a report agree, missing values included."""
    rng = np.random.default_rng(0)
    matrix, right = rng.random((400, 3)), (rng.random(400) < 0.6).astype(float)
    matrix[rng.random((400, 3)) < 0.2] = np.nan
    for columns in ([0], [0, 1, 2]):
        names = [f"s{k}" for k in columns]
        fitted = fit_calibration(matrix[:, columns], right, names=names, binding=BINDING, folds=0)
        for row, expected in zip(matrix[:50, columns], fitted.predict(matrix[:50, columns]), strict=True):
            found = fitted.probability(dict(zip(names, row, strict=True)))

            assert found is None if np.isnan(row).all() else found == pytest.approx(expected, abs=1e-12)


def test_nothing_observed_is_no_confidence():
    """A record of which nothing was observed has no confidence, and not the base rate."""
    raw, right = sample(100)
    fitted = fit_calibration(raw[:, None], right, names=["score"], binding=BINDING)

    assert fitted.probability({}) is None
    assert fitted.probability({"score": None}) is None
    assert fitted.probability({"score": float("nan"), "other": 1.0}) is None


def test_json_gives_the_same_calibration_back():
    """A calibration is plain data and no pickle; a changed format or a missing part is refused with the next step."""
    raw, right = sample(300)
    fitted = fit_calibration(np.column_stack([raw, 1 - raw]), right, names=["a", "b"], binding=BINDING)

    assert Calibration.from_json(fitted.to_json()) == fitted
    with pytest.raises(SettingError, match="format 9"):
        Calibration.from_json(json.dumps(fitted.to_dict() | {"format": 9}))
    with pytest.raises(SettingError, match="run `cupel calibrate` again"):
        Calibration.from_dict({k: v for k, v in fitted.to_dict().items() if k != "score_map"})


@pytest.mark.parametrize(
    ("matrix", "right", "text"),
    [
        pytest.param(
            np.zeros((10, 1)), np.zeros(10), "10 labels; a calibration needs 20", id="too few labels"
        ),
        pytest.param(np.zeros((40, 1)), np.ones(40), "only 0 of 40 records are wrong", id="one class only"),
        pytest.param(np.zeros((40, 1)), np.zeros(40), "only 0 of 40 records are right", id="nothing right"),
        pytest.param(
            np.full((40, 1), np.nan),
            np.arange(40) % 2,
            "signal 'score' is missing on every record",
            id="signal never there",
        ),
    ],
)
def test_what_cannot_be_calibrated_says_so(matrix, right, text):
    """What cannot be calibrated ends with a clear message, never with a silent number."""
    with pytest.raises(NotEnoughDataError, match=text):
        fit_calibration(matrix, right, names=["score"], binding=BINDING)


@pytest.mark.parametrize(
    ("matrix", "right", "text"),
    [
        pytest.param(np.zeros((40, 2)), np.arange(40) % 2, "1 columns are needed", id="another width"),
        pytest.param(np.zeros((40, 1)), np.full(40, 0.5), "must be 0 .wrong. or 1", id="half right"),
        pytest.param(np.zeros((40, 1)), np.full(40, np.nan), "outcome of record 0 is nan", id="NaN outcome"),
        pytest.param(np.full((40, 1), np.inf), np.arange(40) % 2, "infinite", id="infinite signal"),
        pytest.param(np.zeros((40, 1)), np.arange(30) % 2, "30 outcomes for 40 records", id="other lengths"),
    ],
)
def test_malformed_input_is_refused(matrix, right, text):
    """The record and the offending value are named."""
    with pytest.raises(InputError, match=text):
        fit_calibration(matrix, right, names=["score"], binding=BINDING)


def test_tied_scores_calibrate_to_the_base_rate():
    """A constant signal knows nothing, and says the share that is right."""
    right = (np.arange(60) % 3 > 0).astype(float)
    fitted = fit_calibration(np.full((60, 1), 0.99), right, names=["score"], binding=BINDING)

    assert fitted.probability({"score": 0.99}) == pytest.approx(2 / 3, abs=0.03)
    assert fitted.fit.auroc == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("missing", [0.2, 0.9])
def test_each_signal_may_be_absent_on_any_row(missing):
    """Fitting and predicting go on, and confidence stays in [0, 1]."""
    rng = np.random.default_rng(3)
    raw, right = sample(300)
    matrix = np.column_stack([raw, rng.random(300), raw + rng.normal(0, 0.1, 300)])
    matrix[rng.random(matrix.shape) < missing] = np.nan
    fitted = fit_calibration(matrix, right, names=["a", "b", "c"], binding=BINDING)
    stated = fitted.predict(matrix)

    assert ((stated > 0) & (stated < 1)).all()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_measures_stay_in_their_ranges(pairs):
    """ECE, Brier, AUROC and every bin stay in their ranges for any input."""
    stated, right = zip(*pairs, strict=True)
    ranking = auroc(stated, right)

    assert 0 <= expected_calibration_error(stated, right) <= 1
    assert 0 <= brier(stated, right) <= 1
    assert ranking is None if len(set(right)) == 1 else 0 <= ranking <= 1
    assert sum(each.n for each in reliability_bins(stated, right)) == len(pairs)
    assert all(
        each.interval[0] <= each.accuracy <= each.interval[1] for each in reliability_bins(stated, right)
    )


@pytest.mark.parametrize(
    ("stated", "right", "text"),
    [
        ([], [], "0 confidences"),
        ([0.5], [1, 0], "1 confidences and 2"),
        ([float("nan")], [1], "is nan"),
        ([1.5], [1], "1.5"),
    ],
    ids=["nothing", "other lengths", "NaN", "above 1"],
)
def test_a_measure_of_nonsense_is_refused(stated, right, text):
    """Nonsense is refused and never gives a silent number."""
    with pytest.raises(InputError, match=text):
        expected_calibration_error(stated, right)


def test_ranking_of_cross_fitted_confidence_is_measured_within_each_fold():
    """Two perfectly ranked folds on different levels rank perfectly, whatever the pooled figure says."""
    stated, right, fold = [0.1, 0.2, 0.8, 0.9], [0, 1, 0, 1], [0, 0, 1, 1]

    assert within_groups_auroc(stated, right, fold) == 1.0
    assert auroc(stated, right) == 0.75
