"""promote: the ledger's pointer and the task's files, in step; and back."""

import pytest

from cupel.errors import UsageError
from cupel.improvement.ledger import ledger_of
from cupel.improvement.steps.promote import promote as promote_version, rollback
from cupel.improvement.versions import version_of
from cupel.task.folder import load_task
from nodes.collect import collect
from nodes.diagnose import diagnose
from nodes.promote import promote
from nodes.propose import propose
from nodes.weigh import weigh
from tests.integration.improvement import GOOD_RULE, TASK


async def test_an_approved_version_becomes_the_prompt_and_twice_is_one_move(walk):
    """Its new rule says what it was measured to do; the ledger has one move."""
    await walk.step(collect, diagnose, propose, weigh)
    walk.state["approved_by"] = "someone"
    assert await walk.step(promote) == {"result": "promoted"}
    before = ledger_of(walk.project.state).path.read_bytes()

    task = load_task(TASK, walk.project.prompts)
    assert [rule.text for rule in task.rules][-1] == GOOD_RULE
    assert "held-out documents, p = " in task.rules[-1].effect
    assert ledger_of(walk.project.state).active(TASK) == walk.state["proposal"]["version"]

    await walk.step(promote)

    assert version_of(load_task(TASK, walk.project.prompts)) == walk.state["proposal"]["version"]
    assert ledger_of(walk.project.state).path.read_bytes() == before


async def test_what_was_promoted_can_be_taken_back(walk):
    """The files are as they were before."""
    before = (walk.project.prompts / TASK / "rules.toml").read_bytes()
    await walk.step(collect, diagnose, propose, weigh, promote)

    at = rollback(walk.project.prompts, walk.project.state, TASK, walk.state["version"][:8], "someone")

    assert at == walk.state["version"]
    assert (walk.project.prompts / TASK / "rules.toml").read_bytes() == before


async def test_a_version_compared_with_another_prompt_is_not_promoted(walk):
    """What it was better than must be what it replaces."""
    await walk.step(collect, diagnose, propose, weigh)
    path = walk.project.prompts / TASK / "rules.toml"
    path.write_text(path.read_text().replace("own voice", "very own voice"))

    with pytest.raises(UsageError, match=f"was compared with {walk.state['version']}, but the folder is at"):
        promote_version(
            walk.project.prompts, walk.project.state, TASK, walk.state["proposal"]["version"], "someone"
        )
    assert version_of(load_task(TASK, walk.project.prompts)) != walk.state["version"]


async def test_a_version_no_gate_passed_is_not_promoted(walk):
    """Its folder stays as it is."""
    await walk.step(collect, diagnose, propose)

    with pytest.raises(UsageError, match="has no gate's decision to promote it"):
        await walk.step(promote)
