"""retest: does the candidate do better where the prompt failed, and break nothing that worked?"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.propose import ROUNDS
from cupel.improvement.steps.retest import retest_candidate
from cupel.state import ImproveState


async def retest(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Run the candidate on the development failures and as many passing documents; append to `tried`."""
    async with step():
        return await retest_candidate(state, RunContext.of(runtime))


async def route_after_retest(state: ImproveState) -> Literal["better", "again", "given up"]:
    """Only what does better goes to the gate, where every look costs."""
    if not state["tried"][-1]["reason"]:
        return "better"
    spent = state.get("candidate") or len(state["tried"]) >= (state.get("rounds") or ROUNDS)
    return "given up" if spent else "again"
