"""approve: a person says yes, or it stays a nominee."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from cupel.context import RunContext
from cupel.improvement.steps.approve import approval_request, read_approval
from cupel.state import ApproveUpdate, ImproveState


async def approve(state: ImproveState, runtime: Runtime[RunContext]) -> ApproveUpdate:
    """Stop and ask, in the Agent Inbox shape; without a person attached the nominee waits in the ledger.

    The node runs again from its start when it is answered, so nothing but the question stands before.
    """
    if not RunContext.of(runtime).human_review:
        return {"approved_by": None}
    return read_approval(interrupt([approval_request(state)]), state)


async def route_after_approve(
    state: ImproveState,
) -> Literal["approved", "edited", "unclear", "not approved"]:
    """Nothing is promoted that nobody approved; an edit is a new version, and an unclear answer is none."""
    if state.get("approved_by"):
        return "approved"
    if state.get("edited"):
        return "edited"
    return "unclear" if state.get("objection") else "not approved"
