"""Failures in groups: counted once each, attempts paid once, the unfixed one as example."""

from __future__ import annotations

from cupel.evaluation.failures import group_rows


def failure(**given):
    """One row of the failures table."""
    row = {
        "outcome_key": "k1", "number": 1, "run_id": "r", "doc_id": "d1", "task": "arguments", "prompt_version": "v1",
        "model": "m", "tier": "cheap", "criterion": "complete", "cause": "judge", "reasoning": "a claim is missing",
        "quote": None, "fixed_by": "none", "cost_usd": 0.01,
    }  # fmt: skip
    return {**row, **given}


def test_groups_are_criterion_by_cause_by_prompt_version():
    """Another prompt version is another group: that is how a change shows."""
    rows = [
        failure(),
        failure(outcome_key="k2", doc_id="d2"),
        failure(prompt_version="v2"),
        failure(cause="code"),
    ]
    groups = group_rows(rows)

    assert [(group.cause, group.prompt_version, group.count) for group in groups] == [
        ("judge", "v1", 2), ("code", "v1", 1), ("judge", "v2", 1),
    ]  # fmt: skip
    assert groups[0].documents == 2


def test_an_attempt_that_failed_twice_was_paid_once():
    """Three doubts about one record are three failures of one attempt."""
    rows = [failure(cause="doubt", criterion="verify", number=number) for number in (1, 2, 3)]
    group = group_rows(rows)[0]

    assert (group.count, group.documents) == (3, 1)
    assert group.cost_usd == 0.01


def test_an_unknown_price_makes_the_groups_cost_unknown():
    """A sum with a gap in it is not told as a sum."""
    assert group_rows([failure(), failure(outcome_key="k2", cost_usd=None)])[0].cost_usd is None


def test_the_example_is_one_that_nothing_has_fixed():
    """That is where a prompt engineer looks first."""
    rows = [failure(fixed_by="addendum"), failure(outcome_key="k2", doc_id="open"), failure(doc_id="later")]
    told = group_rows(rows)[0].to_json()

    assert told["example"]["doc_id"] == "open"
    assert told["fixed_by"] == {"addendum": 1, "escalation": 0, "person": 0, "none": 2}
