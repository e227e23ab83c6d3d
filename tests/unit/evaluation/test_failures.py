"""Failures in groups: counted once each, attempts paid once, the unfixed one as example."""

from __future__ import annotations

import pytest

from cupel.errors import InputError
from cupel.evaluation.failures import group_failures, group_rows
from tests.unit.report.factory import outcome, refined, verdict


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
    group = group_rows(rows)[0].to_json()

    assert group["example"]["doc_id"] == "open"
    assert group["fixed_by"] == {"addendum": 1, "escalation": 0, "person": 0, "none": 2}


@pytest.fixture
def runs(store):
    """A run with a refined and a rejected document, another one's trial, and a run of another task."""
    rejected = outcome(doc_id="speech-9", status="needs_review", verdicts=[verdict()])
    store("mine", [(refined(), "one"), (rejected, "two")], task="arguments")
    store("trial", [(rejected, "two")], task="arguments", kind="trial")
    store("other", [({**rejected, "task": "stance"}, "two")], task="stance")


def counts(groups):
    """Criterion, cause and how many."""
    return [(group.criterion, group.cause, group.count) for group in groups]


def test_the_failures_of_what_a_person_ran_are_grouped(study, runs):
    """What was only tried is left out, unless its run is named."""
    groups = group_failures(study, "arguments", None)

    assert ("premises_support", "judge", 2) in counts(groups)
    assert groups[0].fixed_by["addendum"] == 1
    assert counts(group_failures(study, None, "trial")) == [("premises_support", "judge", 1)]
    assert ("premises_support", "judge", 2) in counts(group_failures(study, None, "mine"))
    assert sum(group.count for group in group_failures(study, None, None)) > sum(
        group.count for group in groups
    )


def test_a_task_or_run_that_is_not_there_is_named_with_those_that_are(study, runs):
    """The error lists the tasks, or the runs."""
    with pytest.raises(InputError, match=r"no run of a task 'poems' in .*; it has runs of arguments, stance"):
        group_failures(study, "poems", None)
    with pytest.raises(InputError, match="no run 'x' in"):
        group_failures(study, None, "x")


def test_where_nothing_was_run_the_error_says_how_to_begin(study):
    """No run log is made by looking."""
    with pytest.raises(InputError, match="nothing was run here yet"):
        group_failures(study, None, None)

    assert not study.state.exists()
