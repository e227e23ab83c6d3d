"""Labels in, a cascade with a certificate out."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.errors import InputError, NotEnoughDataError
from cupel.routing.certify import Promise, certify_cascade
from cupel.routing.confidence.calibration import Binding, fit_calibration


def fit(matrix, right):
    """As `cupel calibrate` fits it."""
    names = [f"s{k}" for k in range(matrix.shape[1])]
    binding = Binding(task="t", prompt_version="p", model="m")
    return fit_calibration(matrix, right, names=names, binding=binding, folds=0)


def labelled(n: int, *, wrong: float = 0.25, seed: int = 0, columns: int = 2):
    """Signals that rank, and outcomes."""
    rng = np.random.default_rng(seed)
    right = (rng.random(n) > wrong).astype(float)
    signals = np.clip(0.4 * right[:, None] + rng.random((n, columns)) * 0.6, 0, 1)
    signals[rng.random((n, columns)) < 0.05] = np.nan
    return signals, right


@pytest.mark.parametrize("columns", [1, 3])
def test_the_promise_holds_over_the_whole_file_in_nine_of_ten_draws(columns):
    """The score is fitted anew in each draw, on other labels than certify it."""
    signals, right = labelled(3000, columns=columns)
    rng, broken, accepted = np.random.default_rng(1), 0, []
    for seed in range(60):
        chosen = rng.choice(3000, 200, replace=False)
        cascade = certify_cascade(
            signals[chosen], right[chosen], fit=fit, promise=Promise(risk=0.08), seed=seed
        )
        taken = cascade.score.predict(signals) >= cascade.threshold
        broken += (taken & (right == 0)).mean() > 0.08
        accepted.append(taken.mean())

    assert broken <= 12
    assert np.mean(accepted) > 0.4


def test_rare_errors_get_a_larger_fitting_part():
    """Forty labels seldom hold three wrong ones of three in a hundred; the rest still certifies."""
    signals, right = labelled(600, wrong=0.03, seed=4)
    cascade = certify_cascade(signals, right, fit=fit, promise=Promise(risk=0.05))

    assert cascade.certificate is not None
    assert cascade.certificate.certified
    assert cascade.certificate.n < 560


@pytest.mark.parametrize(
    ("signals", "right", "error", "text"),
    [
        pytest.param(np.ones((50, 1)), np.ones(50), NotEnoughDataError, "label 30 more", id="too few labels"),
        pytest.param(
            np.ones((300, 1)),
            np.ones(300),
            NotEnoughDataError,
            r"only 0 of 1\d\d records are wrong",
            id="one class",
        ),
        pytest.param(np.ones(300), np.ones(300), InputError, "one row and one outcome", id="no table"),
    ],
)
def test_what_cannot_be_fitted_says_so(signals, right, error, text):
    """What cannot be fitted ends with a clear message, never with a silent policy."""
    with pytest.raises(error, match=text):
        certify_cascade(signals, right, fit=fit, promise=Promise())


def test_the_certificate_says_what_it_is_about():
    """Date, versions and what "wrong" means are written down."""
    signals, right = labelled(300)
    promise = Promise(risk=0.1, date="2026-11-02", wrong_means="strong", versions={"task": "arguments"})
    certificate = certify_cascade(signals, right, fit=fit, promise=promise).certificate

    assert certificate is not None
    assert (certificate.date, certificate.wrong_means) == ("2026-11-02", "strong")
    assert certificate.versions == {"task": "arguments"}
