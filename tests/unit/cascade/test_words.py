"""What the state of a thread refers to: nothing is lost by it, what a person changed counts, and it can be forgotten."""

from __future__ import annotations

import json

import pytest
from langgraph.types import Overwrite

from cupel.cascade.calls import calls_told
from cupel.cascade.words import KEY, fold, unfold
from cupel.errors import RunLogError
from cupel.runlog import Selection, StoredResponse
from cupel.text.evidence import ground_record
from tests.integration.cascade import TEXT, record
from tests.unit.cascade.factory import attempt, failed, verdict

QUOTED = {"claims": [{"quote": "we must build more homes"}], "premises": [{"quote": "rents rose 40 %"}]}
SCHEMA = {
    "type": "object",
    "properties": {
        name: {"type": "array", "items": {"type": "object", "properties": {"quote": {"type": "string", "x-grounded": True}}}}
        for name in ("claims", "premises")
    },
}  # fmt: skip


def call(key, kind="extract"):
    return {
        "key": key, "kind": kind, "model": "m", "input_tokens": 1, "cached_tokens": 0, "output_tokens": 1,
        "cost_usd": 0.1, "latency_s": 0.2, "cached": False,
    }  # fmt: skip


def whole():
    """A document with everything a step may write."""
    evidence = ground_record(QUOTED, SCHEMA, TEXT)
    attempts = [
        attempt(
            number=1, calls=[call("a")], evidence=evidence, signals={"schema_valid": 1.0, "agreement": None}
        ),
        attempt(
            number=2, tier="strong", record=QUOTED, calls=[call("b"), call("c", "repair")], doubts=["why?"]
        ),
        attempt(number=3, tier="strong", record=None, error="no record", error_kind="schema"),
    ]
    jury = {"why": "doubt", "verdict": "rejected", "agreed": True, "jurors": [{"model": "x"}]}
    return {
        "doc_id": "d", "text": TEXT, "attempts": attempts,
        "verdicts": [verdict("rejected", calls=[call("d", "judge")], jury=jury), verdict("accepted", attempt=2)],
        "addenda": [{"tier": "cheap", "round": 1, "after_attempt": 1, "instructions": ["Read on."], "criteria": ["x"], "dropped": [], "model": "r", "calls": [call("e", "refine")]}],
        "review": {"action": "edit", "record": QUOTED, "evidence": evidence, "note": "so", "by": "Ada", "at": "now"},
        "record": QUOTED, "evidence": evidence,
    }  # fmt: skip


async def test_what_is_folded_is_unfolded_to_the_letter(runtime):
    """Text, attempts, verdicts, instructions, answer and evidence come back as they were; the state is a fraction."""
    document = whole()
    folded = await fold(document, {})
    state = {"doc_id": "d", **folded}

    assert TEXT not in json.dumps(state)
    assert "Read on." not in json.dumps(state)
    unfolded = await unfold(state)
    assert {name: unfolded[name] for name in document} == document


async def test_a_list_that_takes_the_place_of_another_is_folded_too(runtime):
    """What replaces a list goes on replacing it."""
    folded = await fold({"doc_id": "d", "verdicts": Overwrite([verdict("accepted")])}, {})

    assert isinstance(folded["verdicts"], Overwrite)
    assert folded["verdicts"].value[0].keys() >= {KEY, "verdict"}


@pytest.mark.parametrize(
    ("part", "change", "seen"),
    [
        ("verdicts", {"verdict": "accepted"}, lambda d: d["verdicts"][0]["verdict"] == "accepted"),
        ("verdicts", {"findings": {"nothing_missing": "pass"}}, lambda d: d["verdicts"][0]["findings"][0]["finding"] == "pass"),
        ("verdicts", {"findings": {}}, lambda d: d["verdicts"][0]["findings"] == []),
        ("verdicts", {"findings": []}, lambda d: d["verdicts"][0]["findings"] == []),
        ("verdicts", {"findings": [failed("other")]}, lambda d: d["verdicts"][0]["findings"][0]["criterion"] == "other"),
        ("verdicts", {"reason": "no"}, lambda d: d["verdicts"][0]["reason"] == "no"),
        ("attempts", {"record": {"claims": []}}, lambda d: d["attempts"][0]["record"] == {"claims": []}),
        ("attempts", {"in_doubt": True}, lambda d: d["attempts"][0]["in_doubt"]),
        ("attempts", {"signals": {"schema_valid": 0.0}}, lambda d: d["attempts"][0]["signals"] == {"schema_valid": 0.0, "agreement": None}),
    ],
)  # fmt: skip
async def test_what_a_person_changed_in_the_state_goes_before_the_words(runtime, part, change, seen):
    """An edit in Studio counts, and leaves what it does not touch."""
    state = await fold(whole(), {})
    state[part] = [{**state[part][0], **change}, *state[part][1:]]
    document = await unfold(state)

    assert seen(document)
    assert document["attempts"][0]["evidence"] == whole()["attempts"][0]["evidence"]


async def test_only_the_latest_attempt_keeps_its_record_in_the_state(runtime):
    """A second attempt takes the first one's record out, and the settled outcome every record but its own."""
    first = await fold({"doc_id": "d", "attempts": [attempt(number=1)]}, {})
    assert first["attempts"][0]["record"] == record()
    second = await fold({"attempts": [attempt(number=2)]}, {"doc_id": "d", **first})
    assert [("record" in one, one["number"]) for one in second["attempts"]] == [(False, 1), (True, 2)]
    ended = await fold({"status": "accepted"}, {"doc_id": "d", "attempts": second["attempts"]})
    assert ["record" in one for one in ended["attempts"]] == [False]


async def test_words_that_were_forgotten_are_missed_in_a_sentence(runtime):
    """`cupel forget` takes them out, by the document's id."""
    state = await fold(whole(), {})
    planned = runtime.run_log.forget(Selection(doc_ids=("d",)), try_only=True)
    gone = runtime.run_log.forget(Selection(doc_ids=("d",)))

    assert planned.words == gone.words == 8
    assert gone.texts == [TEXT]
    assert runtime.run_log.forget(Selection(doc_ids=("d",))).words == 0
    with pytest.raises(RunLogError, match="start the document anew"):
        await unfold(state)


async def test_every_call_is_told_with_its_messages_about_its_own_window(runtime):
    """A long document's calls are each about a window; the text stands where the mark was."""
    asked = json.dumps([{"role": "user", "content": "<document>⟦document⟧</document>"}])
    for key in ("a", "b", "c", "j"):
        tokens = (("we", -0.1, [("we", -0.1), ("They", -2.0)]),) if key == "a" else None
        await runtime.run_log.save_response(
            StoredResponse(
                key=key, kind="extract", model="m", asked=asked, text=f"reply {key}", tokens=tokens
            )
        )
    made = attempt(calls=[call("a"), call("b"), call("c", "repair"), call("gone")])
    document = {
        "text": "abcdef", "windows": [[0, 2], [2, 4], [4, 6]], "attempts": [made],
        "verdicts": [verdict("accepted", calls=[call("j", "judge")])], "addenda": [],
    }  # fmt: skip
    told = await calls_told(document, runtime.run_log)

    assert [one["gone"] for one in told] == [False, False, False, True, False]
    about = [one["messages"][0]["content"] for one in told if not one["gone"]]
    assert about == [f"<document>{part}</document>" for part in ("ab", "cd", "cd", "abcdef")]
    assert told[0]["tokens"] == [["we", -0.1, [["we", -0.1], ["They", -2.0]]]]
    assert told[-1]["of"] == {"verdict": 1, "attempt": 1}
