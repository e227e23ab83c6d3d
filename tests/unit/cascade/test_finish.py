"""Which attempt wins, and what becomes of the document."""

import pytest

from cupel.cascade.finish import choose_best, conclude, name_language, rank, say_status, settle
from tests.unit.cascade.factory import attempt, failed, state, verdict

DOUBTED = {"in_doubt": True, "doubts": ["/stance is empty"]}


def judged(name="rejected", score=0.5, **changes):
    return verdict(name, score=score, **changes)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(
            (attempt(), judged(score=0.0)),
            (attempt(), judged(score=1.0, code_findings=[failed("quote")])),
            id="code checks first",
        ),
        pytest.param((attempt(), judged(score=0.8)), (attempt(), judged("accepted")), id="then criteria"),
        pytest.param(
            (attempt(), judged("accepted")),
            (attempt(confidence=1.0), judged("unknown")),
            id="then the verdict",
        ),
        pytest.param(
            (attempt(score=0.1), judged("unknown")), (attempt(), judged()), id="unknown is above rejected"
        ),
        pytest.param(
            (attempt(confidence=0.9), judged()),
            (attempt(confidence=0.5, tier="strong"), judged()),
            id="then confidence",
        ),
        pytest.param((attempt(tier="strong"), judged()), (attempt(), judged()), id="then the strong tier"),
        pytest.param((attempt(), None), (attempt(), judged(score=0.2)), id="unjudged above mostly failed"),
        pytest.param((attempt(), judged(score=0.9)), (attempt(), None), id="unjudged below mostly passed"),
        pytest.param(
            (attempt(), None),
            (attempt(evidence=[{"match": "absent"}]), None),
            id="quotes count where unjudged",
        ),
        pytest.param((attempt(), None), (attempt(record=None), None), id="any record above none"),
    ],
)
def test_the_best_attempt_wins_whatever_its_place(better, worse):
    """The last attempt is not the best one by being last."""
    assert rank(*better) > rank(*worse)

    for first, second in ((better, worse), (worse, better)):
        numbered = [{**first[0], "number": 1}, {**second[0], "number": 2}]
        verdicts = [{**each[1], "attempt": n} for n, each in enumerate((first, second), 1) if each[1]]
        best, _ = choose_best(state(*numbered, verdicts=verdicts))
        assert best == numbered[0 if first is better else 1]


def test_of_equal_attempts_the_later_one_wins_with_the_verdict_on_it():
    """It had the longer instructions and is no worse."""
    second = attempt(number=2)
    about = verdict(attempt=2)

    assert choose_best(state(attempt(), second, verdicts=(verdict(), about))) == (second, about)


def test_without_a_record_no_attempt_is_the_best():
    """There is nothing to choose."""
    assert choose_best(state(attempt(record=None))) == (None, None)
    assert choose_best(state()) == (None, None)


AUDIT = {
    "why": "audit", "verdict": "rejected", "agreed": False,
    "jurors": [{"model": "a", "findings": [], "reason": ""}, {"model": "b", "findings": [failed("stance")], "reason": "no"}],
}  # fmt: skip
NO = {"record": None, "error": "no reply", "error_kind": "provider"}
UNASKED = {**NO, "error": "no strong model is attached", "model": "none", "number": 2, "tier": "strong"}


@pytest.mark.parametrize(
    ("document", "status", "reasons"),
    [
        pytest.param(state(problem="there is no text"), "failed", ["there is no text"], id="unusable"),
        pytest.param(
            state(attempt(**NO), attempt(**NO, number=2), attempt(**NO, number=3, tier="strong")),
            "failed",
            ["cheap: no reply", "strong: no reply"],
            id="no record, each error once",
        ),
        pytest.param(
            state(attempt(**NO), attempt(**UNASKED)),
            "failed",
            ["cheap: no reply"],
            id="no record, and no strong model that could have given one",
        ),
        pytest.param(
            state(attempt(**DOUBTED), attempt(**UNASKED)),
            "needs_review",
            ["/stance is empty"],
            id="in doubt, and no strong model to ask",
        ),
        pytest.param(state(attempt()), "accepted", [], id="confident and not judged"),
        pytest.param(
            state(attempt(**DOUBTED), attempt(**NO, number=2, tier="strong")),
            "needs_review",
            ["/stance is empty", "strong: no reply"],
            id="in doubt, and the strong model gave nothing",
        ),
        pytest.param(
            state(attempt(**DOUBTED), verdicts=(verdict("accepted"),)), "accepted", [], id="the judge decides"
        ),
        pytest.param(
            state(attempt(), verdicts=(verdict(),)),
            "needs_review",
            ["nothing_missing: it is wrong"],
            id="rejected with what failed",
        ),
        pytest.param(
            state(attempt(), verdicts=(verdict("unknown"),)),
            "needs_review",
            ["because"],
            id="nobody could judge",
        ),
        pytest.param(
            state(attempt(), verdicts=(verdict(advisory=True),)),
            "accepted",
            ["advisory judge: nothing_missing: it is wrong"],
            id="advice is shown and decides nothing",
        ),
        pytest.param(
            state(attempt(), verdicts=(verdict(advisory=True, code_findings=[failed("quote")]),)),
            "needs_review",
            ["quote: it is wrong", "nothing_missing: it is wrong"],
            id="what code found decides under an advisory judge",
        ),
        pytest.param(
            state(attempt(), verdicts=(verdict("accepted", jury=AUDIT),)),
            "needs_review",
            ["audit by b: stance: it is wrong"],
            id="a second judge disagrees",
        ),
        pytest.param(
            state(attempt(), review={"action": "edit", "record": {}, "evidence": [], "note": "typo"}),
            "accepted",
            ["a person noted: typo"],
            id="a person edited it",
        ),
        pytest.param(
            state(attempt(), review={"action": "ignore", "record": None, "evidence": [], "note": ""}),
            "needs_review",
            ["a person left it undecided"],
            id="a person ignored it",
        ),
    ],
)
def test_every_document_has_a_status_and_its_reasons(document, status, reasons):
    """Accepted, in need of review or failed: nothing is dropped."""
    assert say_status(document, *choose_best(document)) == (status, reasons)


def test_a_person_s_record_stands_in_place_of_the_model_s():
    """What is known of the attempt stays beside it."""
    answer = {"action": "edit", "record": {"stance": "none"}, "evidence": [], "note": ""}
    best = attempt(calls=[{"key": "k", "cost_usd": 0.5, "latency_s": 1.5}])
    settled = settle(state(best, review=answer), best, "accepted", [])

    assert (settled["record"], settled["model"]) == ({"stance": "none"}, "scripted:cheap")
    assert (settled["cost_usd"], settled["latency_s"]) == (0.5, 1.5)


def test_who_began_a_document_outside_the_graph_concludes_it_outside():
    """The outcome has the keys and the path of one that was walked."""
    outcome = conclude(state(attempt(), path=["prepare", "extract"]))

    assert (outcome["status"], outcome["path"]) == ("accepted", ["prepare", "extract", "finish"])


async def test_a_language_is_not_detected_twice():
    """Nor at all where the text cannot be used."""
    assert await name_language(state(language="fr")) == "fr"
    assert await name_language(state(language=None, problem="there is no text")) is None
