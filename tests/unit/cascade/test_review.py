"""What a person is shown, and what is made of the answer."""

import pytest

from cupel.cascade.review import read_answer, review_request
from tests.integration.cascade import CLAIM, record
from tests.unit.cascade.factory import asking, attempt, state, verdict

DOUBTFUL = state(attempt(doubts=["/stance is empty"]), verdicts=(verdict(),))


def test_a_person_sees_the_latest_record_and_what_speaks_against_it():
    """In the Agent Inbox's shape."""
    request = review_request(DOUBTFUL)

    assert request["action_request"] == {"action": "accept_arguments", "args": record()}
    assert request["config"]["allow_accept"]
    assert request["description"].splitlines()[2:] == [
        "The judge: rejected. because",
        "- nothing_missing: it is wrong",
        "- in doubt: /stance is empty",
    ]


def test_where_there_is_no_record_there_is_none_to_accept():
    """Editing one in is still possible."""
    request = review_request(state())

    assert request["action_request"]["args"] == {}
    assert (request["config"]["allow_accept"], request["config"]["allow_edit"]) == (False, True)


@pytest.mark.parametrize(
    ("answer", "action", "note"),
    [
        pytest.param("accept", "accept", "", id="a plain word"),
        pytest.param([{"type": "accept"}], "accept", "", id="the inbox's list"),
        pytest.param({"type": "ignore"}, "ignore", "", id="ignored"),
        pytest.param({"type": "response", "args": "look again"}, "respond", "look again", id="in words"),
        pytest.param(
            {"type": "edit", "args": {"stance": 7}}, "ignore", "the edited record does not fit", id="a misfit"
        ),
        pytest.param({"type": "dance"}, "ignore", "an answer of unknown type 'dance'", id="an unknown type"),
        pytest.param(7, "ignore", "an answer that could not be read: 7", id="no answer at all"),
    ],
)
async def test_an_answer_is_read_in_every_shape_the_inbox_has(runtime, answer, action, note):
    """What cannot be understood is kept as a note, and the document still needs review."""
    task = await runtime.task({"task": "arguments"}, asking())
    review = read_answer(answer, DOUBTFUL, task)

    assert review["action"] == action
    assert review["note"].startswith(note)
    assert (review["record"] is not None) is (action == "accept")


@pytest.mark.parametrize(
    "args", [record(), {"action": "accept_arguments", "args": record()}], ids=["plain", "wrapped"]
)
async def test_an_edited_record_is_checked_and_grounded_like_any_other(runtime, args):
    """Its quotes have their places."""
    task = await runtime.task({"task": "arguments"}, asking())
    review = read_answer({"type": "edit", "args": args}, DOUBTFUL, task)

    assert (review["action"], review["record"]) == ("edit", record())
    assert CLAIM in [entry["quote"] for entry in review["evidence"]]


async def test_nothing_can_be_accepted_where_there_is_no_record(runtime):
    """The answer is a note then."""
    task = await runtime.task({"task": "arguments"}, asking())

    assert read_answer("accept", state(), task)["note"] == "accepted, but there is no record to accept"
