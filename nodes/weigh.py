"""weigh: the gate. Is the candidate better on documents it was not tuned on, and worse at nothing?"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.weigh import weigh_candidate
from cupel.state import ImproveState


async def weigh(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Run both prompts on the held-out documents and decide; the look is noted before anything is run."""
    async with step():
        return await weigh_candidate(state, RunContext.of(runtime))


async def route_after_weigh(state: ImproveState) -> Literal["passed", "stopped"]:
    """Only a decision to promote reaches a person."""
    decision = state.get("decision") or {}
    return "passed" if decision.get("decision") == "promote" else "stopped"
