"""What a person is shown, and what is made of the answer, whichever tool it comes through."""

import json

import pytest
from hypothesis import given, settings, strategies as st
from langgraph.runtime import Runtime, ServerInfo

from cupel.cascade.people import Turn, read_fields
from cupel.cascade.review import review_request, take_answer
from cupel.cascade.work import Work, as_whole
from cupel.context import RunContext
from cupel.text import ground_record
from tests.integration.cascade import CLAIM, TEXT, record
from tests.outline import TEXT as OUTLINED, outline, record as said
from tests.unit.cascade.factory import attempt, context, grounded, state, verdict, work

DOUBTFUL = state(attempt(doubts=["/stance is empty"]), verdicts=(verdict(),))
RENTS = record(matter="rents")
AS_TEXTS = {name: value if isinstance(value, str) else json.dumps(value) for name, value in RENTS.items()}


async def test_a_person_sees_document_record_evidence_doubts_and_verdict(runtime):
    """The question is an action in the Agent Inbox's shape; its description is Markdown."""
    request = review_request(
        state(await grounded(runtime, doubts=["/stance is empty"]), verdicts=(verdict(),))
    )

    assert request["action_request"] == {"action": "accept_arguments", "args": record()}
    assert request["config"]["allow_accept"]
    lines = request["description"].splitlines()
    for line in (
        "# Document `d1`",
        "**rejected** by `scripted:judge`: because",
        "- `nothing_missing`: it is wrong",
    ):
        assert line in lines
    assert "- /stance is empty" in lines
    assert f"- `/claims/0/quote` verbatim, characters 17-41: “{CLAIM}”" in lines
    assert TEXT in lines
    assert '  "matter": "housing",' in lines


def test_nothing_in_a_document_ends_the_block_it_is_shown_in():
    """A text full of fences is shown as a text."""
    hostile = "a\n```\n# Accept this\n````\nb"
    description = review_request({**DOUBTFUL, "text": hostile})["description"]

    assert f"`````text\n{hostile}\n`````" in description


def test_where_there_is_no_record_there_is_none_to_accept():
    """Editing one in is still possible."""
    request = review_request(state())

    assert request["action_request"]["args"] == {}
    assert (request["config"]["allow_accept"], request["config"]["allow_edit"]) == (False, True)


async def answered(runtime, answer, document=DOUBTFUL, **info):
    """What an answer comes to."""
    made = await work(runtime, document)
    turn = Turn(answer=answer, settings={"judge": "always"})
    return take_answer(made, turn, Runtime(context=RunContext(), **info))


@pytest.mark.parametrize(
    ("answer", "action", "note"),
    [
        pytest.param("accept", "accept", "", id="a plain word"),
        pytest.param("Approved.", "accept", "", id="another one"),
        pytest.param([{"type": "accept", "args": None}], "accept", "", id="the inbox's list"),
        pytest.param(True, "accept", "", id="yes"),
        pytest.param({"decisions": [{"type": "approve"}]}, "accept", "", id="LangChain's decision"),
        pytest.param('{"decisions": [{"type": "approve"}]}', "accept", "", id="as JSON text"),
        pytest.param({"type": "ignore", "args": None}, "ignore", "", id="ignored"),
        pytest.param({"decisions": [{"type": "reject", "message": "Not ours."}]}, "ignore", "Not ours.", id="rejected"),
        pytest.param({"type": "response", "args": "look again"}, "respond", "look again", id="in words"),
        pytest.param({"decisions": [{"type": "respond", "message": "look again"}]}, "respond", "look again", id="respond"),
        pytest.param("Look at the last sentence.", "respond", "Look at the last sentence.", id="free text"),
        pytest.param([{"type": "edit", "args": {"action": "a", "args": AS_TEXTS}}], "edit", "", id="the inbox's texts"),
        pytest.param({"type": "edit", "args": RENTS}, "edit", "", id="an edit"),
        pytest.param({"decisions": [{"type": "edit", "edited_action": {"name": "a", "args": RENTS}}]}, "edit", "", id="LangChain's"),
        pytest.param({"type": "edit", "args": {"matter": "rents"}}, "edit", "", id="one field"),
        pytest.param(RENTS, "edit", "", id="the record itself"),
        pytest.param([{"type": "accept", "args": {"action": "a", "args": AS_TEXTS}}], "edit", "", id="accepted with an edit"),
    ],
)  # fmt: skip
async def test_an_answer_is_heard_in_every_shape(runtime, answer, action, note):
    """Status, record, words and reviewer are right, and the settings of the run that asked hold on."""
    update = await answered(runtime, answer)
    review = update["review"]

    assert (review["action"], review["note"], review["by"]) == (action, note, "a person")
    assert review["record"] == {"accept": record(), "edit": RENTS}.get(action)
    assert (update["asked"], update["held"]) == (None, {"judge": "always"})
    assert [item["instructions"] for item in update.get("addenda", ())] == (
        [[note]] if action == "respond" else []
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param("", "it could not be read", id="nothing"),
        pytest.param(None, "it could not be read: null", id="null"),
        pytest.param([], "the answer holds 0", id="an empty list"),
        pytest.param([{"type": "accept"}, {"type": "accept"}], "the answer holds 2", id="two"),
        pytest.param(7, "it could not be read: 7", id="a number"),
        pytest.param("asdf", "is no instruction", id="one word"),
        pytest.param({"type": "dance"}, 'an answer of unknown type "dance"', id="an unknown type"),
        pytest.param({"colour": 1}, "'colour', which is no field here (fields: matter", id="unknown fields"),
        pytest.param(
            {"type": "edit", "args": {"stance": 7}}, "the edited record does not fit", id="a misfit"
        ),
        pytest.param({"type": "edit"}, "needs the edited fields", id="an edit of nothing"),
        pytest.param({"type": "response", "args": " "}, "needs an instruction in words", id="no words"),
        pytest.param(
            {"type": "response", "args": "x " * 2000}, "may have 2,000 characters", id="too many words"
        ),
    ],
)
async def test_an_answer_that_cannot_be_read_is_asked_again_with_the_reason(runtime, answer, reason):
    """Nothing else changes, and the person reads why."""
    update = await answered(runtime, answer)

    assert reason in update["asked"]["objection"]
    assert set(update) == {"asked", "held"}
    again = review_request({**DOUBTFUL, "asked": update["asked"]})["description"]
    assert again.startswith("**Your last answer changed nothing:**")


@pytest.mark.parametrize(
    ("edit", "objection"),
    [({"is_calm": None}, None), ({"calm_and_fair": 0.99}, "has 0.99 at /calm_and_fair, which code computes")],
)
async def test_what_code_computes_follows_a_persons_edit_and_is_not_edited_itself(
    runtime, tmp_path, edit, objection
):
    """A value written over it would have no effect, and the person is told."""
    task = outline(tmp_path)
    state_ = state(text=OUTLINED, task="outline", meta={"date": "2025-03-10"})
    whole = as_whole(said(), ground_record(said(), task.schema, OUTLINED), task, state_)
    state_["attempts"] = [attempt(record=whole)]
    update = take_answer(
        Work(state_, task, context(), runtime), Turn(answer={"type": "edit", "args": edit}, settings={}), Runtime(context=RunContext())
    )  # fmt: skip

    if objection:
        assert objection in update["asked"]["objection"]
    else:
        assert update["review"]["record"] == {**whole, "is_calm": None, "calm_and_fair": 0.0}


async def test_nothing_can_be_accepted_where_there_is_no_record(runtime):
    """The person is told so, and asked for one."""
    update = await answered(runtime, "accept", state())

    assert "there is no record to accept" in update["asked"]["objection"]


async def test_an_edited_record_is_grounded_like_any_other(runtime):
    """Its quotes have their places."""
    review = (await answered(runtime, RENTS))["review"]

    assert CLAIM in [entry["quote"] for entry in review["evidence"]]


async def test_the_servers_user_answers_in_their_own_name(runtime):
    """Whom the server let in cannot sign for another."""

    class User:
        identity = "ada"

    known = ServerInfo(assistant_id="a", graph_id="enrich", user=User())
    named = {"type": "accept", "by": "Grace"}

    assert (await answered(runtime, named))["review"]["by"] == "Grace"
    assert (await answered(runtime, named, server_info=known))["review"]["by"] == "ada"


VALUES = {
    "string": st.text("aelnrtu 01{}", max_size=6).filter(lambda text: text != "null"),
    "integer": st.integers(-(2**53), 2**53),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "array": st.lists(st.integers(0, 9)),
    "object": st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
    "null": st.none(),
}


@settings(max_examples=60)
@given(st.data())
def test_a_form_that_returns_every_field_as_text_changes_only_what_was_typed(data):
    """Each field comes back as its schema says, nullable ones too, whatever else stands in the record."""
    kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    nullable = data.draw(st.booleans())
    schema = {
        "type": "object",
        "properties": {
            f"f{n}": {"type": sorted({kind, "null"}) if nullable else kind} for n, kind in enumerate(kinds)
        },
    }
    shown, meant = ({f"f{n}": data.draw(VALUES[kind]) for n, kind in enumerate(kinds)} for _ in range(2))
    typed = {name: value if isinstance(value, str) else json.dumps(value) for name, value in meant.items()}

    assert read_fields(typed, shown, schema) == meant
