"""promote: the ledger's pointer and the task's files, in step; and back."""

import json
import shutil

import pytest

from cupel.errors import UsageError
from cupel.improvement.ledger import ledger_of
from cupel.improvement.steps.promote import promote as promote_version, rollback
from cupel.improvement.versions import rules_of, rules_toml, version_of
from cupel.task.folder import load_task
from nodes.collect import collect
from nodes.diagnose import diagnose
from nodes.promote import promote
from nodes.propose import propose
from nodes.weigh import weigh
from tests.integration.improvement import GOOD_RULE, TASK, write


async def test_an_approved_version_becomes_the_prompt_and_twice_is_one_move(walk):
    """Its new rule says what it was measured to do; the ledger has one move."""
    await walk.step(collect, diagnose, propose, weigh)
    walk.state["approved_by"] = "someone"
    assert await walk.step(promote) == {"result": "promoted"}
    before = ledger_of(walk.project.state).path(TASK).read_bytes()

    task = load_task(TASK, walk.project.prompts)
    assert [rule.text for rule in task.rules][-1] == GOOD_RULE
    assert "held-out documents, p = " in task.rules[-1].effect
    assert ledger_of(walk.project.state).active(TASK) == walk.state["proposal"]["version"]

    await walk.step(promote)

    assert version_of(load_task(TASK, walk.project.prompts)) == walk.state["proposal"]["version"]
    assert ledger_of(walk.project.state).path(TASK).read_bytes() == before


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

    with pytest.raises(UsageError, match=f"was compared with {walk.state['version']}, and the folder is at"):
        promote_version(
            walk.project.prompts, walk.project.state, TASK, walk.state["proposal"]["version"], "someone"
        )
    assert version_of(load_task(TASK, walk.project.prompts)) != walk.state["version"]


async def test_a_version_no_gate_passed_is_not_promoted(walk):
    """Its folder stays as it is."""
    await walk.step(collect, diagnose, propose)

    with pytest.raises(UsageError, match="has no gate's decision to promote it"):
        await walk.step(promote)


def rows_of(walk):
    """The rows of the file."""
    return [json.loads(line) for line in (walk.project.folder / "speeches.jsonl").read_text().splitlines()]


def move_gold(row):
    row["gold"] = {"stance": "against"}


def move_text(row):
    row["text"] += " "


@pytest.mark.parametrize(
    ("move", "said"),
    [
        pytest.param(move_gold, "their gold changed since", id="gold mended"),
        pytest.param(move_text, "the documents' texts changed since", id="a text edited"),
    ],
)
async def test_a_decision_whose_grounds_moved_promotes_nothing(walk, move, said):
    """Nothing is changed, what moved is named, and put back it promotes as before."""
    await walk.step(collect, diagnose, propose, weigh)
    rows = rows_of(walk)
    row = next(row for row in rows if row["id"] in walk.state["held_out_ids"])
    kept = json.loads(json.dumps(row))
    move(row)
    write(walk.project.folder / "speeches.jsonl", rows)
    version = walk.state["proposal"]["version"]

    with pytest.raises(UsageError, match=said):
        promote_version(walk.project.prompts, walk.project.state, TASK, version, "someone")
    assert version_of(load_task(TASK, walk.project.prompts)) == walk.state["version"]

    write(walk.project.folder / "speeches.jsonl", [kept if row["id"] == kept["id"] else row for row in rows])
    assert promote_version(walk.project.prompts, walk.project.state, TASK, version, "someone") == version


async def test_gold_mended_where_nothing_was_decided_moves_nothing(walk):
    """A development document's gold is no ground of the gate's."""
    await walk.step(collect, diagnose, propose, weigh)
    rows = rows_of(walk)
    next(row for row in rows if row["id"] in walk.state["dev"])["gold"] = {"stance": "against"}
    write(walk.project.folder / "speeches.jsonl", rows)
    version = walk.state["proposal"]["version"]

    assert promote_version(walk.project.prompts, walk.project.state, TASK, version, "someone") == version


async def test_gold_of_a_file_of_its_own_is_read_there_again(walk):
    """What was decided by labels beside the documents promotes as long as those labels stand."""
    rows = rows_of(walk)
    labels = [{"id": row["id"], "gold": row.pop("gold")} for row in rows]
    write(walk.project.folder / "speeches.jsonl", rows)
    path = write(walk.project.folder / "labels.jsonl", labels)
    walk.state["gold"] = "labels.jsonl"
    await walk.step(collect, diagnose, propose, weigh)
    version = walk.state["proposal"]["version"]
    held_out = set(walk.state["held_out_ids"])
    mended = [{**row, "gold": {"stance": "none"}} if row["id"] in held_out else row for row in labels]
    write(path, mended)

    with pytest.raises(UsageError, match="their gold changed since"):
        promote_version(walk.project.prompts, walk.project.state, TASK, version, "someone")

    write(path, labels)
    assert promote_version(walk.project.prompts, walk.project.state, TASK, version, "someone") == version


async def test_files_put_in_place_by_hand_are_no_promotion(walk):
    """The gate never saw that prompt replace this one."""
    await walk.step(collect, diagnose, propose)
    candidate = walk.state["proposal"]
    path = walk.project.prompts / TASK / "rules.toml"
    path.write_text(rules_toml(rules_of(candidate["rules"])))

    with pytest.raises(UsageError, match="has no gate's decision to promote it"):
        promote_version(walk.project.prompts, walk.project.state, TASK, candidate["version"], "someone")
    assert ledger_of(walk.project.state).active(TASK) is None


async def test_a_clone_knows_what_was_promoted_and_goes_back(walk, tmp_path_factory):
    """Its run log is empty: the committed ledger has the looks spent, and the versions' words lie beside it."""
    before = (walk.project.prompts / TASK / "rules.toml").read_bytes()
    await walk.step(collect, diagnose, propose, weigh, promote)
    clone = tmp_path_factory.mktemp("clone")
    shutil.copytree(walk.project.prompts, clone / "prompts")
    state = clone / ".cupel"

    assert ledger_of(state).active(TASK) == walk.state["proposal"]["version"]
    assert ledger_of(state).looks(TASK) == 1
    assert not state.exists()
    assert rollback(clone / "prompts", state, TASK, walk.state["version"], "another") == walk.state["version"]
    assert (clone / "prompts" / TASK / "rules.toml").read_bytes() == before


async def test_the_committed_ledger_holds_no_word_of_a_document(walk):
    """Hashes and figures alone: no text, no gold, no quote, no id."""
    await walk.step(collect, diagnose, propose, weigh, promote)
    written = ledger_of(walk.project.state).path(TASK).read_text()

    assert "favor" not in written
    for row in rows_of(walk):
        assert row["text"] not in written
        assert f'"{row["id"]}"' not in written
