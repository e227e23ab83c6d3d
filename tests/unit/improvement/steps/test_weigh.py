"""weigh: one look at what is held out, and a decision that says all it rests on."""

import pytest

from cupel.errors import NotEnoughDataError, UsageError
from cupel.improvement.entries import Look
from cupel.improvement.gate import look_alpha
from cupel.improvement.seen import note_seen
from cupel.improvement.steps.weigh import BothPrompts, HeldOut, decide, spend_look
from cupel.metrics.pairs import Scored
from nodes.collect import collect
from nodes.diagnose import diagnose
from nodes.propose import propose
from nodes.weigh import route_after_weigh, weigh
from tests.integration.improvement import TASK, rewriter


async def test_a_rule_that_helps_passes_with_its_figures_and_records_side_by_side(walk):
    """The look stands in the ledger before the decision; the records that changed most are shown."""
    await walk.step(collect, diagnose, propose)
    decision = (await walk.step(weigh))["decision"]

    assert decision["decision"] == "promote"
    assert decision["before_interval"][0] <= decision["before"] < decision["after"] <= 1
    assert decision["cost"]["tokens_after"] > decision["cost"]["tokens_before"] > 0
    assert len(decision["better"]) == len(decision["side_by_side"]) == 5
    assert decision["worse"] == []
    kinds = [kind for kind, _, _ in walk.entries()]
    assert kinds.index("look") < kinds.index("decision")
    assert await route_after_weigh(walk.state) == "passed"


async def test_a_rule_that_harms_is_rejected_and_the_worst_records_come_first(walk):
    """Nobody is asked about it."""
    walk.models["scripted:refiner"].script = rewriter("Answer with flattery in every reason.")
    await walk.step(collect, diagnose, propose)
    decision = (await walk.step(weigh))["decision"]

    assert decision["decision"] == "reject"
    assert {pair["change"] for pair in decision["side_by_side"]} == {"worse"}
    assert await route_after_weigh(walk.state) == "stopped"


async def test_when_a_person_s_edit_fails_the_nominee_it_was_made_from_still_stands(walk):
    """With the decision that passed, and why the edit did not."""
    await walk.step(collect, diagnose, propose, weigh)
    nominee = {"proposal": walk.state["proposal"], "decision": walk.state["decision"]}
    walk.models["scripted:refiner"].script = rewriter("Answer with flattery in every reason.")
    walk.state["seed"] = 7
    await walk.step(propose)
    walk.state["passed"] = nominee

    update = await walk.step(weigh)

    assert {name: update[name] for name in nominee} == nominee
    assert "your edit, did not pass the gate (reject)" in update["objection"]
    assert update["passed"] is None


def both(documents, scored, gain=0.0):
    """So many documents of which some could be scored."""
    before = {f"s{n}": Scored(score=0.0, tokens=10, usd=0.1) for n in range(scored)}
    after = {doc_id: Scored(score=gain, tokens=10, usd=None) for doc_id in before}
    return BothPrompts(documents, {}, {}, before, after)


def held(look=1):
    """A look at nothing in particular."""
    return HeldOut(Look(look, look_alpha(look), (), "k"), ())


def told(walk):
    """The state with every document in a group of its own."""
    return {**walk.state, "groups": {f"s{n}": f"d{n}" for n in range(30)}}


async def test_where_no_document_could_be_scored_nothing_is_decided(walk):
    """An outage is no reason to reject."""
    async with walk.opened() as campaign:
        decision = decide(told(walk), campaign, {"version": "v"}, both(20, 0), held(3))

    assert decision["decision"] == "inconclusive"
    assert decision["reasons"] == ["no held-out document could be scored"]
    assert (decision["n"], decision["look"], decision["p"]) == (0, 3, 1.0)


async def test_where_more_than_a_tenth_could_not_be_scored_nothing_is_promoted(walk):
    """Whatever the others say; and a cost that is not known for all of them is none."""
    async with walk.opened() as campaign:
        few, many = [
            decide(told(walk), campaign, {"version": "v"}, both(30, scored, gain=1.0), held())
            for scored in (28, 20)
        ]

    assert few["decision"] == "promote"
    assert "2 held-out documents could not be scored under both prompts" in few["notes"]
    assert many["decision"] == "inconclusive"
    assert many["reasons"][0] == "10 of 30 held-out documents could not be scored"
    assert many["cost"]["usd_before"] == pytest.approx(0.1)
    assert many["cost"]["usd_after"] is None


async def test_a_candidate_that_looks_again_spends_nothing(walk):
    """As after a kill between the look and the decision."""
    await walk.step(collect, diagnose, propose)
    async with walk.opened() as campaign:
        looks = [await spend_look(walk.state, campaign, walk.state["proposal"]) for _ in range(2)]

    assert [look.look.number for look in looks] == [1, 1]
    assert looks[0] == looks[1]


async def test_what_was_shown_since_the_campaign_began_is_not_looked_at(walk):
    """Nor is the rest of its debate; where too few are left no look is spent."""
    await walk.step(collect, diagnose, propose)
    ids = walk.state["held_out_ids"]
    async with walk.opened() as campaign:
        run_log = campaign.bench.runtime.run_log
        note_seen(run_log, TASK, [campaign.hashes[d] for d in ids[:3]], how="show")
        looked = await spend_look(walk.state, campaign, walk.state["proposal"])
        note_seen(run_log, TASK, [campaign.hashes[d] for d in ids[:-2]], how="show")
        with pytest.raises(NotEnoughDataError, match="no look was spent"):
            await spend_look(walk.state, campaign, {**walk.state["proposal"], "version": "another"})

    assert looked.ids == tuple(ids[3:])
    assert len(walk.entries("look")) == 1


async def test_an_edit_of_a_nominee_takes_its_documents_but_those_shown_at_the_next_level(walk):
    """The nominee's look paid for it; a candidate of any other origin finds nothing left."""
    await walk.step(collect, diagnose, propose, weigh)
    nominee = {"proposal": walk.state["proposal"], "decision": walk.state["decision"]}
    edited = {**walk.state["proposal"], "version": "edited"}
    shown = {*nominee["decision"]["better"], *nominee["decision"]["worse"]}
    async with walk.opened() as campaign:
        with pytest.raises(NotEnoughDataError):
            await spend_look(walk.state, campaign, edited)
        walk.state["passed"] = nominee
        look = await spend_look(walk.state, campaign, edited)

    assert len(shown) == 5
    assert set(look.ids) == set(walk.state["held_out_ids"]) - shown
    assert (look.look.number, look.look.alpha) == (2, look_alpha(2))


async def test_without_a_candidate_there_is_nothing_to_weigh(walk):
    """A state put together by hand in Studio is told so."""
    await walk.step(collect)
    with pytest.raises(UsageError, match="there is no candidate at this step"):
        await walk.step(weigh)
