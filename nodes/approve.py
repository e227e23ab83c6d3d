"""approve: a person says yes, or it stays a nominee."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime

from cupel.cascade.people import ask_person
from cupel.context import RunContext
from cupel.improvement.steps.approve import AnswerUpdate, approval_request, take_approval
from cupel.state import ImproveState


async def approve(state: ImproveState, runtime: Runtime[RunContext]) -> AnswerUpdate:
    """Stop and ask, in the Agent Inbox shape; without a person attached the nominee waits in the ledger.

    The first time it only keeps that a person is asked and under which settings: a resumed run may bring none.
    """
    turn = await ask_person(state, runtime, approval_request(state))
    if turn is None:
        return {"approved_by": None, "asked": None}
    return {"asked": turn.keep} if turn.keep is not None else take_approval(turn, state, runtime)


async def route_after_approve(
    state: ImproveState,
) -> Literal["approved", "edited", "to be asked", "not approved"]:
    """Nothing is promoted that nobody approved; an edit is a new version, and an unclear answer is none."""
    if state.get("asked"):
        return "to be asked"
    if state.get("approved_by"):
        return "approved"
    if state.get("edited"):
        return "edited"
    return "to be asked" if state.get("objection") else "not approved"
