"""A verdict is arithmetic over findings whose evidence code has checked."""

from dataclasses import dataclass

import pytest
from jsonschema import Draft202012Validator

from cupel.judging.findings import Finding, aggregate, judge_schema, read_judgement
from cupel.task import TaskCriterion

TEXT = "We must act now. The costs of waiting are higher."

CRITERIA = (
    TaskCriterion("grounded", "Does every claim stand in the text?", critical=True),
    TaskCriterion("complete", "Is every claim listed?", weight=2),
    TaskCriterion("clear", "Is every claim clear?", weight=1),
)


@dataclass
class Place:
    match: str


class ExactGrounder:
    """Finds a quote only as it stands."""

    def ground(self, quote):
        return Place("verbatim" if quote in TEXT else "absent")


def answer(finding="pass", quote=None):
    return {"reasoning": "Because.", "evidence_quote": quote, "finding": finding}


def findings(**by_id):
    return [Finding(criterion=name, finding=finding) for name, finding in by_id.items()]


def test_the_reply_schema_is_valid_strict_and_asks_for_reasons_first():
    """Keys are fixed, nothing is optional or extra, and the reasoning precedes the finding."""
    schema = judge_schema(CRITERIA)
    Draft202012Validator.check_schema(schema)
    finding = schema["$defs"]["finding"]

    assert list(finding["properties"]) == ["reasoning", "evidence_quote", "finding"]
    assert finding["required"] == list(finding["properties"])
    assert schema["required"] == ["grounded", "complete", "clear"]
    assert schema["additionalProperties"] is finding["additionalProperties"] is False
    assert Draft202012Validator(schema).is_valid({c.id: answer() for c in CRITERIA})
    assert not Draft202012Validator(schema).is_valid({"grounded": answer()})


def test_a_judgement_is_read_in_the_order_of_the_criteria():
    """The order the model chose does not matter."""
    reply = {
        "clear": answer("fail"),
        "complete": answer("unknown"),
        "grounded": answer("pass", "We must act"),
    }
    read = read_judgement(reply, CRITERIA, ExactGrounder())

    assert [(f.criterion, f.finding, f.quote_match) for f in read] == [
        ("grounded", "pass", "verbatim"),
        ("complete", "unknown", None),
        ("clear", "fail", None),
    ]


@pytest.mark.parametrize("claimed", ["pass", "fail"])
def test_a_finding_with_invented_evidence_is_void(claimed):
    """A quote that is not in the document proves nothing, for or against."""
    read = read_judgement({"grounded": answer(claimed, "We must wait")}, CRITERIA[:1], ExactGrounder())

    assert read[0].finding == "unknown"
    assert read[0].quote_match == "absent"
    assert "Void" in read[0].reasoning


@pytest.mark.parametrize("quote", [None, "", "  "])
def test_a_finding_may_have_no_evidence(quote):
    """What is missing cannot always be quoted."""
    read = read_judgement({"grounded": answer("fail", quote)}, CRITERIA[:1], ExactGrounder())

    assert (read[0].finding, read[0].evidence_quote) == ("fail", None)


@pytest.mark.parametrize("reply", [None, "pass", [], {}, {"other": answer()}, 1.0])
def test_a_reply_of_another_shape_is_no_judgement(reply):
    """It gives None, which is not a score of 0."""
    assert read_judgement(reply, CRITERIA, ExactGrounder()) is None


@pytest.mark.parametrize("bad", ["pass", None, {}, {"finding": "yes"}, {"finding": ["pass"]}])
def test_a_criterion_answered_in_another_form_is_unknown(bad):
    """The others keep their findings."""
    read = read_judgement({"grounded": bad, "clear": answer()}, CRITERIA, ExactGrounder())

    assert [f.finding for f in read] == ["unknown", "unknown", "pass"]


@pytest.mark.parametrize(
    ("found", "verdict", "score"),
    [
        pytest.param(
            {"grounded": "pass", "complete": "pass", "clear": "pass"}, "accepted", 1.0, id="all pass"
        ),
        pytest.param(
            {"grounded": "pass", "complete": "pass", "clear": "fail"},
            "accepted",
            0.75,
            id="a light one fails",
        ),
        pytest.param(
            {"grounded": "pass", "complete": "fail", "clear": "pass"}, "rejected", 0.5, id="a heavy one fails"
        ),
        pytest.param(
            {"grounded": "fail", "complete": "pass", "clear": "pass"},
            "rejected",
            0.75,
            id="a critical one vetoes",
        ),
        pytest.param(
            {"grounded": "unknown", "complete": "pass", "clear": "pass"},
            "unknown",
            0.75,
            id="a critical unknown",
        ),
        pytest.param(
            {"grounded": "fail", "complete": "unknown", "clear": "unknown"},
            "rejected",
            0.0,
            id="veto before unknown",
        ),
        pytest.param(
            {"grounded": "pass", "complete": "pass", "clear": "unknown"},
            "accepted",
            0.75,
            id="cannot change it",
        ),
        pytest.param(
            {"grounded": "pass", "complete": "unknown", "clear": "pass"}, "unknown", 0.5, id="could change it"
        ),
        pytest.param({"grounded": "pass", "clear": "fail"}, "unknown", 0.25, id="one left out"),
    ],
)
def test_findings_add_up_to_a_verdict(found, verdict, score):
    """Critical criteria veto, an open critical one leaves it open, the rest is weighed."""
    result = aggregate(findings(**found), CRITERIA)

    assert (result.verdict, result.score) == (verdict, score)
    assert (result.reason == "") == (verdict == "accepted")


@pytest.mark.parametrize("nothing", [None, []])
def test_no_judgement_is_unknown_and_has_no_score(nothing):
    """A judge that could not be asked has not rejected anything."""
    result = aggregate(nothing, CRITERIA)

    assert (result.verdict, result.score) == ("unknown", None)


def test_no_criteria_leave_nothing_to_accept():
    """A task that asks its judge nothing gets no acceptance from it."""
    assert aggregate([], ()).verdict == "unknown"


def test_criteria_without_weight_can_still_veto():
    """Where all are critical, weights may be left at nothing."""
    criteria = [TaskCriterion("a", "?", critical=True, weight=0)]

    assert aggregate(findings(a="pass"), criteria).verdict == "accepted"
    assert aggregate(findings(a="fail"), criteria).verdict == "rejected"


def test_what_code_found_rejects_whatever_the_judge_says():
    """Code's findings are facts, and lead the critique."""
    fault = Finding(criterion="quote", finding="fail", reasoning="/claims/0/quote: absent")
    result = aggregate(
        findings(grounded="pass", complete="pass", clear="fail"), CRITERIA, code_findings=[fault]
    )

    assert result.verdict == "rejected"
    assert result.reason == "/claims/0/quote: absent"
    assert [f.criterion for f in result.failed] == ["quote", "clear"]


def test_a_verdict_is_carried_by_the_state_as_plain_data():
    """A verdict has every key the state documents, and no other."""
    record = aggregate(findings(grounded="pass", complete="pass", clear="pass"), CRITERIA).to_record(
        attempt=2, model="scripted:judge"
    )

    assert record["attempt"] == 2
    assert record["verdict"] == "accepted"
    assert record["findings"][0] == {
        "criterion": "grounded",
        "finding": "pass",
        "reasoning": "",
        "evidence_quote": None,
        "quote_match": None,
    }
