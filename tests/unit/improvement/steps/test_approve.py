"""approve: what a person is shown, and what their answer comes to."""

import pytest
from langgraph.runtime import Runtime

from cupel.cascade.people import Turn
from cupel.context import RunContext
from cupel.improvement.steps.approve import approval_request, take_approval
from cupel.state.improve import Candidate
from nodes.approve import approve, route_after_approve

NOMINEE = Candidate(
    version="0123456789ab", parent="ba9876543210", author="reflect", rules=[{"id": "a", "text": "Be exact."}],
    extract="# user\n{{document}}", edits=[], dropped=[], diff="+a: Be exact.",
)  # fmt: skip
PAIR = {
    "doc_id": "s1", "change": "worse", "before": {"stance": "favor"}, "after": {"stance": "none"}, "before_score": 1.0,
    "after_score": 0.0,
}  # fmt: skip
DECISION = {
    "decision": "promote", "metric": "gold:stance", "n": 40, "before": 0.5, "before_interval": [0.4, 0.6], "after": 0.9,
    "after_interval": [0.8, 1.0], "gain": 0.4, "interval": (0.2, 0.6), "p": 0.001, "alpha": 0.03, "look": 1, "fixes": 17,
    "breaks": 1, "slices": [], "side_by_side": [PAIR],
    "cost": {"usd_before": 0.1, "usd_after": None, "tokens_before": 100.0, "tokens_after": 110.0},
}  # fmt: skip
HELD = {"judge": "never", "human_review": True}


def read(answer):
    """What an answer comes to, given to a run under these settings."""
    return take_approval(Turn(answer=answer, settings=HELD), STATE, Runtime(context=RunContext()))


STATE = {"task": "stance", "proposal": NOMINEE, "decision": DECISION, "cost_usd": 0.5}


def test_a_person_reads_what_changes_what_it_gains_and_costs_and_what_it_breaks():
    """The rules as rules.toml has them may be edited; figures and records stand beside."""
    asked = approval_request(STATE)

    assert asked["action_request"]["args"]["rules"] == '[[rules]]\nid = "a"\ntext = "Be exact."\n'
    assert asked["evidence"]["side_by_side"] == [PAIR]
    assert asked["evidence"]["p"] == 0.001
    lines = asked["description"].splitlines()
    assert lines[0] == "Task stance: 0123456789ab in place of ba9876543210, by reflect"
    assert "17 better, 1 worse of 40 held-out documents (gold:stance)" in lines
    assert (
        "50.0 [40.0, 60.0] → 90.0 [80.0, 100.0], gain +40.0 points [+20.0, +60.0], p = 0.001 (look 1, allowed 0.03)"
        in lines
    )
    assert "worse: s1 (1.00 → 0.00)" in lines


def test_why_the_last_answer_changed_nothing_is_said_first():
    """The person would answer the same again."""
    asked = approval_request({**STATE, "objection": "it was unclear"})

    assert asked["description"].startswith("Your last answer changed nothing: it was unclear\n")


@pytest.mark.parametrize(
    ("answer", "field", "value"),
    [
        pytest.param("accept", "approved_by", "a person", id="a plain word"),
        pytest.param([{"type": "accept"}], "approved_by", "a person", id="a list of one"),
        pytest.param({"type": "accept", "args": {"version": "0123456789ab"}}, "approved_by", "a person", id="this version"),
        pytest.param({"type": "accept", "args": {"version": "0"}}, "objection", "it accepts '0', but 0123456789ab was shown", id="another"),
        pytest.param("ignore", "declined", True, id="ignored"),
        pytest.param({"type": "edit", "args": {"args": {"rules": "x"}}}, "edited", {"rules": "x", "extract": None}, id="rules"),
        pytest.param({"type": "edit", "args": {"extract": "y"}}, "edited", {"rules": None, "extract": "y"}, id="contract"),
    ],
)  # fmt: skip
def test_an_answer_comes_to_one_thing(answer, field, value):
    """Everything else is as if nobody had answered."""
    update = read(answer)
    assert update.pop("held") == HELD

    assert update[field] == value
    assert {name for name, said in update.items() if said} == {field}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param([], "holds 0", id="empty"),
        pytest.param({"yes": True}, "it has 'yes', which is no field here", id="no type"),
        pytest.param({"type": "edit", "args": None}, "an edit needs the edited fields", id="no args"),
        pytest.param(
            {"type": "edit", "args": {"args": {"rules": 3}}}, "an edit needs the texts rules", id="no text"
        ),
        pytest.param({"type": "edit", "args": {"args": {}}}, "an edit needs the texts rules", id="neither"),
    ],
)
async def test_an_answer_that_cannot_be_understood_changes_nothing(answer, why):
    """The question is asked again with the reason."""
    update = read(answer)

    assert pytest.raises(AssertionError, match=why).matches(AssertionError(update["objection"]))
    assert await route_after_approve(update) == "to be asked"


async def test_without_a_person_attached_the_nominee_waits():
    """Nothing is approved that nobody approved."""
    update = await approve(STATE, Runtime(context=RunContext(human_review=False)))

    assert update == {"approved_by": None, "asked": None}
    assert await route_after_approve(update) == "not approved"
    assert await route_after_approve({"approved_by": "someone"}) == "approved"
    assert await route_after_approve({"edited": {"rules": "x"}}) == "edited"
