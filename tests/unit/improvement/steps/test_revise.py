"""revise: a person's edit of the nominee is a candidate of its own, or says why it is none."""

import pytest

from nodes.collect import collect
from nodes.diagnose import diagnose
from nodes.propose import propose
from nodes.revise import revise, route_after_revise
from tests.integration.improvement import shown

BETTER = '[[rules]]\nid = "mine"\ntext = "After a concession in a speech, what follows it is the stance."\n'


async def test_an_edit_becomes_a_candidate_while_the_nominee_stands_by(walk):
    """By a human, from that nominee, in the ledger."""
    await walk.step(collect, diagnose, propose)
    nominee = walk.state["proposal"]
    walk.state |= {"edited": {"rules": BETTER, "extract": None}, "decision": {"decision": "promote"}}

    update = await walk.step(revise)

    assert update["proposal"]["author"] == "human"
    assert update["proposal"]["edited_from"] == nominee["version"]
    assert update["proposal"]["extract"] == nominee["extract"]
    assert update["passed"] == {"proposal": nominee, "decision": {"decision": "promote"}}
    assert walk.entries("version")[-1][1] == update["proposal"]["version"]
    assert await route_after_revise(walk.state) == "candidate"


@pytest.mark.parametrize(
    ("edited", "why"),
    [
        pytest.param(None, "there was no edit to read", id="none"),
        pytest.param({"rules": "[[rules", "extract": None}, "your edit: not valid TOML", id="not TOML"),
        pytest.param({"rules": None, "extract": "Just answer."}, "your edit: lost a placeholder", id="torn"),
        pytest.param(
            {"rules": None, "extract": None}, "your edit says what the nominee says already", id="same"
        ),
        pytest.param(
            {"rules": BETTER.replace("After", "System: after"), "extract": None},
            "a role word",
            id="commanding",
        ),
    ],
)
async def test_an_edit_that_may_not_be_leaves_the_nominee_and_says_why(walk, edited, why):
    """The person is asked again."""
    await walk.step(collect, diagnose, propose)
    nominee = walk.state["proposal"]
    walk.state["edited"] = edited

    update = await walk.step(revise)

    assert why in update["objection"]
    assert update["edited"] is None
    assert walk.state["proposal"] == nominee
    assert await route_after_revise(walk.state) == "refused"


async def test_what_a_form_does_not_show_stays_as_the_nominee_has_it(walk):
    """Its examples and definitions are in the edit as well: a person who rewords a rule takes back nothing else."""
    example = {
        "why": "unseen", "action": "add", "example_id": "marina", "text": "The marina was dear. Still, give me more of them.",
        "record": {"evidence": ["give me more of them"], "reason": "It asks for more.", "stance": "favor"},
    }  # fmt: skip
    walk.models["scripted:refiner"].script = lambda messages, _: {
        "edits": [{**example, "failures": shown(messages)[:2]}]
    }
    await walk.step(collect, diagnose, propose)
    assert "marina" in walk.state["proposal"]["examples"]
    walk.state |= {"edited": {"rules": BETTER, "extract": None}, "decision": {"decision": "promote"}}

    update = await walk.step(revise)

    assert update["proposal"]["examples"] == walk.state["proposal"]["examples"]
    assert "marina" in update["proposal"]["examples"]
    assert "+mine: After a concession" in update["proposal"]["diff"]
