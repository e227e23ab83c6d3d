"""The graphs as tools: what a form shows, and answers that a model can read."""

from __future__ import annotations

import json

from hypothesis import given, settings, strategies as st

from cupel.serve.policy import Policy
from cupel.serve.tools import MOST_BYTES, fit_form, shorten

TEXTS = st.text(max_size=2_500)
OUTCOMES = st.fixed_dictionaries({
    "status": st.sampled_from(["accepted", "needs_review", "failed"]),
    "record": st.none() | st.dictionaries(st.text(max_size=10), TEXTS | st.lists(TEXTS, max_size=3), max_size=4),
    "reasons": st.lists(TEXTS, max_size=4),
    "evidence": st.lists(
        st.fixed_dictionaries({"path": st.text(max_size=40), "quote": TEXTS, "match": st.just("verbatim"), "start": st.none() | st.integers(), "end": st.none() | st.integers()}),
        max_size=30,
    ),
    "attempts": st.lists(TEXTS, max_size=3),
})  # fmt: skip


@settings(max_examples=60)
@given(outcome=OUTCOMES)
def test_an_answer_is_json_of_at_most_three_kilobytes_that_says_what_it_leaves_out(outcome):
    """Whatever the outcome; what stands in it stands there as it was, and the rest is told of."""
    text = shorten(outcome)
    said = json.loads(text)

    assert len(text.encode()) <= MOST_BYTES
    assert said["status"] == outcome["status"]
    assert "attempts" not in said
    if said.get("record") is not None:
        assert said["record"] == outcome["record"]
    kept = said.get("evidence", [])
    if len(kept) < len(outcome["evidence"]) or (outcome["record"] and "record" not in said):
        assert "detail: full" in said["left_out"]


def test_a_short_outcome_is_told_whole():
    """Record, status, reasons and evidence with its place."""
    one = {"path": "/a", "quote": "x", "match": "verbatim", "start": 0, "end": 1, "parts": [[0, 1]]}
    said = json.loads(
        shorten(
            {"status": "needs_review", "record": {"a": "x"}, "reasons": ["r"], "evidence": [one], "path": []}
        )
    )

    assert said == {
        "status": "needs_review", "record": {"a": "x"}, "reasons": ["r"],
        "evidence": [{"path": "/a", "quote": "x", "match": "verbatim", "span": [0, 1]}],
    }  # fmt: skip


def test_a_caller_sees_their_tasks_and_no_field_they_may_not_fill():
    """The task is a choice of theirs; a schema is there where schemas are taken."""
    form = {
        "properties": {"text": {}, "task": {"enum": ["a", "b"]}, "output_schema": {}, "instructions": {}},
        "required": ["text"],
    }
    plain = fit_form(form, Policy(tasks=("b",)))
    schemas = fit_form(form, Policy.model_validate({"tasks": ["b"], "requests": {"schemas": True}}))

    assert sorted(plain["properties"]) == ["detail", "task", "text"]
    assert plain["properties"]["task"]["enum"] == ["b"]
    assert {"output_schema", "instructions"} <= schemas["properties"].keys()
    assert fit_form(form, None)["properties"]["task"]["enum"] == ["a", "b"]
