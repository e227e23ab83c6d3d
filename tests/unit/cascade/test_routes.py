"""When a document is judged, and when the loop on it ends."""

import pytest

from cupel.cascade.routes import critique, decides, is_judged, refining_ends, usd_left
from tests.unit.cascade.factory import attempt, context, failed, state, verdict

ONE, TWO, THREE = (attempt(number=n, record={"n": n}) for n in (1, 2, 3))
PAID = {"key": "k", "cost_usd": 0.25, "latency_s": 1.0}


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        pytest.param({"judge": "never"}, {"tier": "strong"}, False, id="never means never"),
        pytest.param({"judge": "always", "audit_share": 0.0}, {"calibrated": True}, True, id="always"),
        pytest.param({}, {"tier": "strong", "calibrated": True}, True, id="every record of the strong tier"),
        pytest.param({}, {"calibrated": False}, True, id="every uncalibrated record"),
        pytest.param({"audit_share": 0.0}, {"calibrated": True}, False, id="a calibrated one is trusted"),
        pytest.param({"audit_share": 1.0}, {"calibrated": True}, True, id="unless it is audited"),
    ],
)
def test_calibrating_is_what_makes_judging_cheap(settings, changes, expected):
    """`auto` judges what nobody has measured, and a sample of what was."""
    assert is_judged(attempt(**changes), context(**settings), "d1") is expected


def rejected(number, criterion="x"):
    return verdict(attempt=number, findings=[failed(criterion)])


@pytest.mark.parametrize(
    ("document", "settings", "expected"),
    [
        pytest.param(state(ONE, verdicts=(rejected(1),)), {}, None, id="one rejection, rounds left"),
        pytest.param(state(ONE, verdicts=(verdict("accepted"),)), {}, "accepted", id="accepted"),
        pytest.param(state(ONE, verdicts=(verdict("unknown"),)), {}, "unknown", id="the judge does not know"),
        pytest.param(
            state({**ONE, "calls": [PAID]}, verdicts=(rejected(1),)),
            {"max_usd_per_document": 0.25},
            "budget",
            id="nothing left to spend",
        ),
        pytest.param(
            state(ONE, verdicts=(rejected(1),)), {"max_refinements": 0}, "rounds", id="no round allowed"
        ),
        pytest.param(state(ONE, TWO, THREE, verdicts=(rejected(3),)), {}, "rounds", id="two rounds spent"),
        pytest.param(
            state(
                {**ONE, "record": {"a": 1, "b": [1]}},
                {**TWO, "record": {"b": [1], "a": 1}},
                verdicts=(rejected(2),),
            ),
            {},
            "repeated_record",
            id="the same record again, whatever the order of its keys",
        ),
        pytest.param(
            state(ONE, TWO, verdicts=(rejected(1), rejected(2))),
            {},
            "repeated_critique",
            id="the same critique",
        ),
        pytest.param(
            state(ONE, TWO, verdicts=(rejected(1), rejected(2, "y"))), {}, None, id="something new each time"
        ),
        pytest.param(
            state(
                ONE, {**TWO, "tier": "strong", "record": ONE["record"]}, verdicts=(rejected(1), rejected(2))
            ),
            {},
            None,
            id="another tier starts afresh",
        ),
    ],
)
def test_refining_stops_when_another_round_would_teach_nothing(document, settings, expected):
    """A verdict, an empty purse, spent rounds or a repetition end it."""
    assert refining_ends(document, context(**{"max_refinements": 2, **settings})) == expected


def test_a_tier_has_one_round_unless_told_otherwise():
    """A second one was never shown to help."""
    document = state(ONE, TWO, verdicts=(rejected(1), rejected(2, "y")))

    assert refining_ends(state(ONE, verdicts=(rejected(1),)), context()) is None
    assert refining_ends(document, context()) == "rounds"


def test_a_critique_is_the_same_when_it_objects_to_the_same():
    """Order, case, spacing and the judge's wording do not make it new; another criterion or quote does."""
    first = verdict(
        findings=[failed("stance", "We  must"), failed("complete", reasoning="a word is missing")]
    )
    again = verdict(findings=[failed("complete", reasoning="incomplete"), failed("stance", "we must")])

    assert critique(first) == critique(again)
    assert critique(first) != critique(verdict(findings=[failed("stance", "we must")]))
    assert critique(first) != critique(verdict(findings=[failed("stance", "we may"), failed("complete")]))


def test_what_code_found_counts_by_its_words():
    """Code says the same of the same fault, so its reasoning tells two of them apart."""
    assert critique(verdict(findings=[], code_findings=[failed("quote", None, "A is absent")])) == [
        ("quote", "a is absent")
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (verdict(), True),
        (verdict(advisory=True), False),
        (verdict("unknown", advisory=True), True),
        (verdict(advisory=True, code_findings=[failed("quote")]), True),
    ],
    ids=["a judge", "an adviser", "an adviser who does not know", "code under an adviser"],
)
def test_an_adviser_decides_nothing(said, expected):
    """That nobody knows, or what code found, decides all the same."""
    assert decides(said) is expected


def test_every_call_of_a_document_counts_against_its_cap():
    """Attempts, verdicts and addenda alike; without a cap there is no limit."""
    document = state(
        attempt(calls=[PAID]),
        verdicts=(verdict(calls=[PAID | {"key": "other"}]),),
        addenda=[{"tier": "cheap", "calls": [PAID | {"key": "third"}]}],
    )

    assert usd_left(document, context(max_usd_per_document=1.0)) == 0.25
    assert usd_left(document, context()) is None


def estimated(number, score, criterion="x"):
    figures = dict.fromkeys(("low", "high", "precision", "recall", "f1"), score) | {"confidence": None}
    return verdict(
        attempt=number, findings=[failed(criterion)], score=score, estimate={"score": score, **figures}
    )


@pytest.mark.parametrize(
    ("scores", "expected"),
    [((0.2, 0.4), None), ((0.4, 0.2), "worse"), ((0.3, 0.3), None)],
    ids=["better", "worse", "as good"],
)
def test_a_round_that_made_the_record_worse_ends_the_tiers_rounds(scores, expected):
    """By the judge's own estimate; an earlier record is the better one to go on with."""
    document = state(ONE, TWO, verdicts=(estimated(1, scores[0]), estimated(2, scores[1], "y")))

    assert refining_ends(document, context(max_refinements=3)) == expected
