"""A candidate tried on the documents that failed."""

from __future__ import annotations

from typing import Any

from cupel.context import RunContext
from cupel.errors import UsageError
from cupel.improvement.campaign import Campaign, open_campaign
from cupel.improvement.failure_clusters import with_anchors
from cupel.improvement.versions import is_changed, rules_of
from cupel.state import Candidate, ImproveState, Round


async def retest_candidate(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """Try the candidate on the documents that failed and as many that passed.

    These were selected because they failed, so no p-value is computed from them: the gate has its own documents.
    """
    campaign = await open_campaign(state, context)
    candidate = candidate_of(state)
    task = is_changed(campaign.task, rules_of(candidate["rules"]), candidate["extract"])
    ids = with_anchors(state["failed_docs"], state["passed_docs"])
    old = campaign.scores(await campaign.outcomes(campaign.task, campaign.trial, ids), ids)
    new = campaign.scores(await campaign.outcomes(task, campaign.trial, ids), ids)
    both = old.keys() & new.keys()
    fixes = sum(new[name].score > old[name].score for name in both)
    breaks = sum(new[name].score < old[name].score for name in both)
    by_hand = candidate["author"] == "human"
    gain = sum(new[name].score - old[name].score for name in both)
    good = gain >= 0 if by_hand else gain > 0
    number = len(state["tried"]) + 1
    turn = Round(
        number=number, version=candidate["version"], diff=candidate["diff"], documents=len(both), fixes=fixes, breaks=breaks,
        reason="" if good else _no_better(campaign, fixes, breaks, len(both), gain),
    )  # fmt: skip
    await campaign.note("note", f"{campaign.name}:round{number}", {**turn, "stage": "retest"})
    return {"tried": [turn]}


def _no_better(campaign: Campaign, fixes: int, breaks: int, documents: int, gain: float) -> str:
    if campaign.graded:
        mean = f"{campaign.task.metric} {100 * gain / max(documents, 1):+.1f} points on average"
        return f"no better on development documents: {mean}, {fixes} up, {breaks} down of {documents}"
    return f"no better on development documents: {fixes} fixed, {breaks} broken of {documents}"


def candidate_of(state: ImproveState) -> Candidate:
    """The candidate a step is about."""
    candidate = state.get("proposal")
    if candidate is None:
        raise UsageError("there is no candidate at this step; start the campaign anew")
    return candidate
