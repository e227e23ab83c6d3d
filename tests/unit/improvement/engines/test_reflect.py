"""The rewriter that is asked once."""

from cupel.engine import Asking, ask_as
from cupel.improvement.dev_trials import DevTrials
from cupel.improvement.engines import Brief, engine_named
from cupel.improvement.guards import TokenRoom


def brief(campaign, **changes):
    """What the engine is told of two failures."""
    given = {
        "task": campaign.task, "context": campaign.context, "failures": "1. stance (missed): 2 on 2 documents",
        "shown": {"f00000001": "s0", "f00000002": "s2"}, "mended": "", "tried": "", "sample": 1, "room": TokenRoom(600, 2_000),
        "dev": DevTrials(campaign, ["s0", "s2"], ["s1"]),
    }  # fmt: skip
    return Brief(**given | changes)


async def propose(campaign, **changes):
    """The engine's answer, paid by the campaign."""
    with ask_as(Asking(run=campaign.bench.run)):
        return await engine_named("reflect").propose(brief(campaign, **changes))


async def test_it_is_told_rules_contract_and_causes_and_answers_in_edits(walk):
    """One question; the answer is given back as it is, to be guarded by others."""
    edits = {
        "edits": [
            {
                "why": "w",
                "failures": ["f00000001", "f00000002"],
                "action": "add",
                "rule_id": "new",
                "text": "Read twice.",
            }
        ]
    }
    walk.models["scripted:refiner"].script = [edits]
    async with walk.opened() as campaign:
        answer = await propose(campaign)

    (asked,) = walk.asked("refiner")
    assert (answer.reply, answer.problem, answer.steps) == (edits, "", 1)
    assert "1. stance (missed): 2 on 2 documents" in asked
    told = walk.models["scripted:refiner"].requests[0].messages[-1]["content"]
    assert all(f"- {rule.id}: {rule.text}" in told for rule in campaign.task.rules)
    assert all(f"- {example.id}: {example.text}" in told for example in campaign.task.examples)


async def test_a_reply_that_stays_unreadable_is_a_problem_and_no_error(walk):
    """One repair is asked for; then the campaign goes on without."""
    walk.models["scripted:refiner"].script = lambda *_: "I cannot help with that."
    async with walk.opened() as campaign:
        answer = await propose(campaign)

    assert answer.reply is None
    assert "the rewriter gave no reply that could be read" in answer.problem
    assert len(walk.asked("refiner")) == 2


async def test_without_a_model_it_says_what_to_set(walk):
    """Nobody is asked."""
    async with walk.opened() as campaign:
        context = campaign.context.model_copy(update={"refiner_model": "none"})
        answer = await propose(campaign, context=context)

    assert answer.problem == "no rewriter is attached; set --refiner-model"


async def test_another_number_asks_anew_and_the_same_one_is_answered_from_the_run_log(walk):
    """A campaign started again pays nothing twice."""
    walk.models["scripted:refiner"].script = lambda *_: {"edits": []}
    async with walk.opened() as campaign:
        for sample in (1, 1, 2):
            await propose(campaign, sample=sample)

    assert len(walk.asked("refiner")) == 2
