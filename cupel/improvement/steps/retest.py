"""A candidate tried on the documents that failed, and on as many that passed."""

from __future__ import annotations

from dataclasses import dataclass

from cupel.improvement.campaign import Campaign
from cupel.improvement.failure_clusters import with_anchors
from cupel.improvement.versions import as_version
from cupel.state import Candidate, ImproveState, Round


@dataclass(frozen=True, slots=True)
class Change:
    """What a candidate did to development documents: how many it made better and worse, and its summed gain."""

    documents: int
    fixes: int
    breaks: int
    gain: float


async def try_candidate(state: ImproveState, campaign: Campaign, candidate: Candidate) -> Change:
    """Both prompts on the documents that failed and as many that passed.

    These were selected because they failed, so no p-value is computed from them: the gate has its own documents.
    """
    ids = with_anchors(state["failed_docs"], state["passed_docs"])
    before, after = [
        campaign.scores(await campaign.outcomes(task, campaign.trial, ids), ids)
        for task in (campaign.task, as_version(campaign.task, candidate))
    ]
    gains = [after[name].score - before[name].score for name in before.keys() & after.keys()]
    return Change(len(gains), sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains), sum(gains))


def judge_change(campaign: Campaign, candidate: Candidate, change: Change) -> str:
    """Why the candidate goes no further; empty where it goes to the gate. A person's own may be no better, not worse."""
    if change.gain > 0 or (candidate["author"] == "human" and change.gain == 0):
        return ""
    if campaign.graded:
        mean = f"{campaign.task.metric} {100 * change.gain / max(change.documents, 1):+.1f} points on average"
        counts = f"{change.fixes} up, {change.breaks} down of {change.documents}"
        return f"no better on development documents: {mean}, {counts}"
    counts = f"{change.fixes} fixed, {change.breaks} broken of {change.documents}"
    return f"no better on development documents: {counts}"


async def note_round(
    state: ImproveState, campaign: Campaign, candidate: Candidate, change: Change, reason: str
) -> Round:
    """The round, noted in the ledger."""
    turn = Round(
        number=len(state["tried"]) + 1, version=candidate["version"], diff=candidate["diff"],
        documents=change.documents, fixes=change.fixes, breaks=change.breaks, reason=reason,
    )  # fmt: skip
    await campaign.note("note", f"{campaign.name}:round{turn['number']}", {**turn, "stage": "retest"})
    return turn
