"""What is counted over a run."""

import pytest

from cupel.report.markup import Safe, join, tag
from cupel.report.summary import BINS, Totals, percentile
from tests.unit.report.factory import attempt, call, outcome, refined, unusable


def totals(*outcomes):
    """Count these."""
    counted = Totals()
    for found in outcomes:
        counted.add(found)
    return counted


def test_steps_and_visits_are_counted_from_the_paths():
    """A node counts once a document, a step as often as it was taken."""
    counted = totals(outcome(), refined(), unusable())

    assert counted.nodes["verify"] == 2
    assert counted.edges["extract", "verify"] == 3
    assert counted.edges["judge", "refine"] == 1
    assert counted.edges["prepare", "finish"] == 1
    assert sum(counted.edges.values()) == 3 + 8 + 1


def test_calls_belong_to_the_tier_judge_or_refiner_that_made_them():
    """Each has its tokens, its cost, what came from the run log, and what had no price."""
    roles = totals(outcome(), refined()).roles

    assert {role: use.models.total() for role, use in roles.items()} == {"cheap": 3, "judge": 2, "refiner": 1}
    assert roles["cheap"].cost_usd == pytest.approx(0.003)
    assert (roles["cheap"].input_tokens, roles["cheap"].cached_tokens) == (3000, 750)
    assert (roles["refiner"].unpriced, roles["refiner"].reused) == (1, 1)
    assert list(roles["judge"].latencies) == [2.0, 2.0]


def test_confidence_and_score_are_never_mixed():
    """A document without a calibration is counted by its score, apart."""
    counted = totals(
        outcome(confidence=0.999, score=0.1),
        outcome(confidence=1.0),
        outcome(score=0.0),
        outcome(score=None),
        refined(status="needs_review", confidence=0.42),
    )

    assert counted.confidence["accepted"][BINS - 1] == 2
    assert counted.confidence["needs_review"][8] == 1
    assert counted.score == {"accepted": [1] + [0] * (BINS - 1)}


@pytest.mark.parametrize(
    ("share", "expected"),
    [pytest.param(0.5, 50, id="median"), pytest.param(0.9, 90, id="p90"), pytest.param(0.99, 99, id="p99")],
)
def test_percentiles_are_values_that_occurred(share, expected):
    """The nearest rank is taken: no value is made up between two."""
    assert percentile(range(1, 101), share) == expected


def test_a_percentile_of_nothing_is_unknown():
    """A percentile of no value is unknown and not zero."""
    assert percentile([], 0.5) is None


def test_a_call_of_unknown_price_is_counted_apart():
    """An unknown price is not a price of zero."""
    roles = totals(outcome(attempts=[attempt(calls=[call(cost_usd=None), call()])])).roles

    assert (roles["cheap"].cost_usd, roles["cheap"].unpriced) == (0.001, 1)


def test_markup_escapes_all_but_itself():
    """Plain strings never become markup, in content or in attributes."""
    inner = tag("b", "<i>", title='"><script>')

    assert inner == '<b title="&quot;&gt;&lt;script&gt;">&lt;i&gt;</b>'
    assert tag("p", inner, None, ["&", 1.50, 2]) == f"<p>{inner}&amp;1.52</p>"
    assert isinstance(join(["<"]), Safe)
    assert tag("meta", name="viewport", class_=None) == '<meta name="viewport">'
