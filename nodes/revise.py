"""revise: what a person made of the nominee becomes a candidate of its own."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from typing_extensions import NotRequired, TypedDict

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.candidates import candidate_of
from cupel.improvement.steps.revise import apply_edit, guard_edit
from cupel.state import Candidate, ImproveState, Nominee


class ReviseUpdate(TypedDict):
    """The keys this node writes."""

    edited: None
    objection: str
    proposal: NotRequired[Candidate]
    passed: NotRequired[Nominee]


async def revise(state: ImproveState, runtime: Runtime[RunContext]) -> ReviseUpdate:
    """Hold an edit to the static guards; the nominee stands by until the edit has passed the gate."""
    nominee, edited = candidate_of(state), state.get("edited")
    if edited is None:
        return {"objection": "there was no edit to read", "edited": None}
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        task = apply_edit(campaign, nominee, edited)
        candidate = task if isinstance(task, str) else await guard_edit(campaign, nominee, task)
    if isinstance(candidate, str):
        return {"objection": candidate, "edited": None}
    stands_by = Nominee(proposal=nominee, decision=state.get("decision"))
    return {"proposal": candidate, "passed": stands_by, "edited": None, "objection": ""}


async def route_after_revise(state: ImproveState) -> Literal["candidate", "refused"]:
    """The gate sees what passed the guards; else the person reads why not, and is asked again."""
    return "refused" if state.get("objection") else "candidate"
