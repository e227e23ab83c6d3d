"""A candidate: the prompt as an engine or a person would have it, compared with the prompt as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from cupel.errors import UsageError
from cupel.improvement.campaign import Campaign
from cupel.improvement.guards import estimate_prompt_tokens, texts_in, words_objection
from cupel.improvement.versions import contract_problem, parts_of, replace_prompt, version_diff, version_of
from cupel.state import Candidate, ImproveState
from cupel.task import Rule, TaskSpec
from cupel.text import forbidden

RULES_TOKENS = 600
"""Most tokens all rules of a prompt may take."""


def candidate_of(state: ImproveState) -> Candidate:
    """The candidate a step is about.

    Raises:
        UsageError: If the state has none.
    """
    candidate = state.get("proposal")
    if candidate is None:
        raise UsageError("there is no candidate at this step; start the campaign anew")
    return candidate


def make_candidate(
    campaign: Campaign,
    rules: Sequence[Rule],
    author: str,
    *,
    edits: Sequence[Mapping[str, Any]] = (),
    dropped: Sequence[dict[str, str]] = (),
    extract: str = "",
    edited: TaskSpec | None = None,
) -> Candidate:
    """A candidate with its version and its difference from the campaign's prompt.

    Args:
        campaign: Whose prompt it is compared with.
        rules: Its rules.
        author: The engine's name, or `human`.
        edits: The edits that led to it.
        dropped: Those that were not applied, with reasons.
        extract: Its contract; the campaign's when empty.
        edited: The campaign's task with other labels, examples or schema, where these are changed too.
    """
    task = replace_prompt(edited or campaign.task, rules, extract)
    made: dict[str, Any] = {
        **parts_of(task), "version": version_of(task), "parent": campaign.version, "author": author,
        "edits": list(edits), "dropped": list(dropped), "diff": version_diff(campaign.task, task),
    }  # fmt: skip
    return cast("Candidate", made)


def candidate_by_hand(campaign: Campaign, task: TaskSpec, source: str) -> tuple[Candidate | None, str]:
    """A person's edit: held to the same guards, but for citing failures.

    Args:
        campaign: Whose prompt it is compared with.
        task: The task as edited.
        source: Where the edit came from, for the reason.

    Returns:
        The candidate, or None and why there is none.
    """
    if problem := _objection(campaign, task):
        return None, f"{source}: {problem}"
    return make_candidate(campaign, task.rules, "human", extract=task.prompts["extract"], edited=task), ""


def _objection(campaign: Campaign, task: TaskSpec) -> str | None:
    if problem := contract_problem(campaign.task, task.prompts["extract"]):
        return problem
    old = {rule.id: rule.text for rule in campaign.task.rules}
    for rule in (rule for rule in task.rules if old.get(rule.id) != rule.text):
        if problem := forbidden(rule.text) or campaign.leaks.leak(rule.text):
            return f"rule {rule.id!r}: {problem}"
    if problem := _objection_to_parts(campaign, task):
        return problem
    if (tokens := sum(estimate_prompt_tokens(rule.text) for rule in task.rules)) > RULES_TOKENS:
        return f"the rules take {tokens} tokens, {RULES_TOKENS} are allowed"
    if version_of(task) == campaign.version:
        return "it says what the prompt says already"
    return None


def _objection_to_parts(campaign: Campaign, task: TaskSpec) -> str | None:
    """What speaks against other labels, examples or another schema."""
    own = campaign.task
    if not campaign.by_gold and (task.labels != own.labels or task.schema != own.schema):
        return (
            "other labels or another schema are read by the judge too, so without gold it would judge the two prompts by "
            "different words; give gold, or change rules, contract and examples alone"
        )
    known = {words for labels in own.labels.values() for words in labels.values()}
    for name, labels in task.labels.items():
        for label, words in labels.items():
            if words not in known and (problem := forbidden(words) or campaign.leaks.leak(words)):
                return f"label {name}.{label}: {problem}"
    for example in (each for each in task.examples if each not in own.examples):
        if problem := words_objection([example.text, *texts_in(example.record)], campaign.leaks):
            return f"example {example.id!r}: {problem}"
    return None
