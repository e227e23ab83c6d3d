"""retest: better where the prompt failed, or no further."""

import pytest

from cupel.improvement.steps.retest import Change, judge_change
from nodes.collect import collect
from nodes.diagnose import diagnose
from nodes.propose import propose
from nodes.retest import retest, route_after_retest
from tests.integration.improvement import rewriter


async def test_a_rule_that_mends_failures_goes_to_the_gate(walk):
    """Every hard development speech is mended, and the anchors beside them are as they were."""
    await walk.step(collect, diagnose, propose)
    update = await walk.step(retest)

    (turn,) = update["tried"]
    assert turn["fixes"] == len(walk.state["failed_docs"])
    assert (turn["breaks"], turn["reason"]) == (0, "")
    assert turn["documents"] <= 2 * turn["fixes"]
    assert await route_after_retest(walk.state) == "better"
    assert walk.entries()[-1][2]["stage"] == "retest"


async def test_a_rule_that_changes_nothing_goes_no_further(walk):
    """The rewriter is asked again while rounds are left."""
    walk.models["scripted:refiner"].script = rewriter("Read every sentence with some care.")
    await walk.step(collect, diagnose, propose)
    update = await walk.step(retest)

    assert "it changes nothing on" in update["tried"][0]["reason"]
    assert "no look is spent" in update["tried"][0]["reason"]
    assert await route_after_retest(walk.state) == "again"
    assert await route_after_retest({**walk.state, "rounds": 1}) == "given up"


@pytest.mark.parametrize(
    ("author", "gain", "goes_on"),
    [
        pytest.param("reflect", 1.0, True, id="better"),
        pytest.param("reflect", 0.0, False, id="no better"),
        pytest.param("human", 0.0, True, id="a person's own may be as good"),
        pytest.param("human", -0.5, False, id="a person's own may not be worse"),
    ],
)
@pytest.mark.parametrize("metric", ["graded", "right"])
async def test_a_candidate_must_be_better_and_a_person_s_own_no_worse(walk, author, gain, goes_on, metric):
    """By the task's metric the points are told, by right and wrong the counts."""
    walk.state["gate_metric"] = metric
    async with walk.opened() as campaign:
        reason = judge_change({}, campaign, {"author": author}, Change(4, 2, 1, gain))

    assert (reason == "") == goes_on
    if reason:
        assert ("2 up, 1 down of 4" if metric == "graded" else "2 fixed, 1 broken of 4") in reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            Change(40, 20, 0, 20.0, 100.0, 121.0),
            "+21% tokens a document (121), allowed are +20%",
            id="tokens",
        ),
        pytest.param(Change(40, 20, 0, 20.0, 100.0, 120.0), "", id="as many as allowed"),
        pytest.param(Change(40, 20, 0, 20.0, 0.0, 50.0), "", id="nobody counted them before"),
        pytest.param(
            Change(40, 20, 5, 15.0, 1.0, 1.0, lost=6), "fewer replies fit the schema: 6 lost", id="replies"
        ),
        pytest.param(Change(40, 0, 0, 0.0), "changes nothing on 40 development documents", id="nothing"),
    ],
)
@pytest.mark.parametrize("author", ["human", "reflect"])
async def test_what_the_gate_would_refuse_spends_no_look(walk, change, said, author):
    """It is stopped where trying again is free, whoever wrote it."""
    async with walk.opened() as campaign:
        assert said in judge_change({}, campaign, {"author": author}, change)
        if not said:
            assert judge_change({}, campaign, {"author": author}, change) == ""


async def test_how_far_tokens_may_grow_is_for_who_asks(walk):
    """Forty percent more passes where half was allowed, and not where a tenth was."""
    change = Change(40, 20, 0, 20.0, 100.0, 140.0)
    async with walk.opened() as campaign:
        assert judge_change({"token_growth": 0.5}, campaign, {"author": "human"}, change) == ""
        assert "allowed are +10%" in judge_change(
            {"token_growth": 0.1}, campaign, {"author": "human"}, change
        )
        assert "allowed are +0%" in judge_change({"token_growth": 0.0}, campaign, {"author": "human"}, change)
