"""A candidate tried on the documents that failed, and on as many that passed."""

from __future__ import annotations

from dataclasses import dataclass

from cupel.improvement.campaign import Campaign
from cupel.improvement.failure_clusters import with_anchors
from cupel.improvement.guards import MAX_TOKEN_GROWTH
from cupel.improvement.safeguards import SCHEMA_HARM
from cupel.improvement.versions import as_version
from cupel.state import Candidate, ImproveState, Round
from cupel.stats import mcnemar


@dataclass(frozen=True, slots=True)
class Change:
    """What a candidate did to development documents.

    Attributes:
        documents: How many were scored under both prompts.
        fixes: Those it made better; `breaks` those it made worse.
        gain: The sum of all changes.
        tokens_before: Tokens a document takes under the prompt as it is; `tokens_after` under the candidate.
        lost: Replies that no longer fit the schema; `won` those that do now.
    """

    documents: int
    fixes: int
    breaks: int
    gain: float
    tokens_before: float = 0.0
    tokens_after: float = 0.0
    lost: int = 0
    won: int = 0

    @property
    def growth(self) -> float:
        """Share by which a document's tokens grew."""
        return self.tokens_after / self.tokens_before - 1 if self.tokens_before else 0.0


async def try_candidate(state: ImproveState, campaign: Campaign, candidate: Candidate) -> Change:
    """Both prompts on the documents that failed and as many that passed.

    These were selected because they failed, so no p-value is computed from them: the gate has its own documents.
    """
    failed, passed = state["failed_docs"], state["passed_docs"]
    # a person's own may answer what no development document shows: all of them say whether it does anything
    ids = sorted([*failed, *passed]) if candidate["author"] == "human" else with_anchors(failed, passed)
    before, after = [
        campaign.scores(await campaign.outcomes(task, campaign.trial, ids), ids)
        for task in (campaign.task, as_version(campaign.task, candidate))
    ]
    both = sorted(before.keys() & after.keys())
    gains = [after[name].score - before[name].score for name in both]
    many = max(1, len(both))
    return Change(
        len(gains), sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains), sum(gains),
        sum(before[name].tokens for name in both) / many, sum(after[name].tokens for name in both) / many,
        sum(before[name].valid and not after[name].valid for name in both),
        sum(after[name].valid and not before[name].valid for name in both),
    )  # fmt: skip


def judge_change(state: ImproveState, campaign: Campaign, candidate: Candidate, change: Change) -> str:
    """Why the candidate goes no further; empty where it goes to the gate, which spends a look.

    A person's own may be no better, not worse. What changes nothing, costs more than it may, or brings replies that fit
    no schema could not pass: it is stopped here, where it is free to try again.
    """
    if not change.fixes and not change.breaks:
        return f"it changes nothing on {change.documents} development documents, so no look is spent on it"
    allowed = state.get("token_growth")
    allowed = MAX_TOKEN_GROWTH if allowed is None else allowed
    if change.growth > allowed:
        return (
            f"{change.growth:+.0%} tokens a document ({change.tokens_after:.0f}), allowed are {allowed:+.0%}; no look was "
            "spent on it (--max-token-growth)"
        )
    if mcnemar(change.lost, change.won) <= SCHEMA_HARM:
        return f"fewer replies fit the schema: {change.lost} lost, {change.won} gained of {change.documents}"
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
