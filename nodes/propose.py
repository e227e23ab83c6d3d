"""propose: a candidate prompt."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.propose import ROUNDS, propose_candidate
from cupel.state import ImproveState


async def propose(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Ask the engine for edits of the rules; code applies those that pass the guards, the contract stays.

    Where no edit is left, `tried` says why.
    """
    async with step():
        return await propose_candidate(state, RunContext.of(runtime))


async def route_after_propose(state: ImproveState) -> Literal["candidate", "again", "given up"]:
    """A candidate is tested; without one the rewriter is asked again while rounds are left."""
    if state.get("proposal"):
        return "candidate"
    spent = state.get("candidate") or len(state["tried"]) >= (state.get("rounds") or ROUNDS)
    return "given up" if spent else "again"
