"""conclude: one word for what became of a campaign."""

import pytest

from cupel.improvement.ledger import ledger_of
from cupel.improvement.steps.conclude import settle_result
from nodes.conclude import conclude
from tests.integration.improvement import TASK

DECIDED = {"decision": "promote", "reasons": ["it gains"]}
ROUND = {"version": None, "reason": "no edit is left"}


@pytest.mark.parametrize(
    ("state", "result", "reasons"),
    [
        pytest.param({}, "nothing_to_do", ["no development document fails, so there is nothing to answer"], id="no failures"),
        pytest.param({"tried": [ROUND, ROUND]}, "no_candidate", ["no edit is left"], id="no candidate"),
        pytest.param({"tried": [ROUND, {"version": "v1", "reason": "no better"}]}, "rejected", ["no edit is left", "no better"], id="no better"),
        pytest.param({"decision": DECIDED}, "nominee", ["it gains"], id="waits"),
        pytest.param({"decision": DECIDED, "declined": True}, "declined", ["it gains"], id="declined"),
        pytest.param({"decision": DECIDED, "result": "promoted"}, "promoted", ["it gains"], id="promoted"),
        pytest.param({"decision": {"decision": "reject", "reasons": ["worse"]}}, "rejected", ["worse"], id="gate rejects"),
        pytest.param({"decision": {"decision": "inconclusive", "reasons": ["few"]}}, "inconclusive", ["few"], id="gate leaves open"),
    ],
)  # fmt: skip
def test_the_result_is_one_word_with_its_reasons(state, result, reasons):
    """The furthest the campaign came is what counts."""
    assert settle_result({"tried": [], **state}) == (result, reasons)


async def test_the_end_is_noted_with_its_cost_and_the_task_is_free_at_once(walk):
    """Nothing lingers after the last step."""
    update = await walk.step(conclude)

    assert update["result"] == "nothing_to_do"
    assert update["cost_usd"] == 0.0
    assert walk.entries("note")[-1][2]["result"] == "nothing_to_do"
    with ledger_of(walk.project.state).session(TASK):
        pass
