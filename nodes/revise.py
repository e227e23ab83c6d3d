"""revise: what a person made of the nominee becomes a candidate of its own."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.revise import revise_nominee
from cupel.state import ImproveState


async def revise(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Hold an edit to the static guards; the nominee stands by until the edit has passed the gate."""
    async with step():
        return await revise_nominee(state, RunContext.of(runtime))


async def route_after_revise(state: ImproveState) -> Literal["candidate", "refused"]:
    """The gate sees what passed the guards; else the person reads why not, and is asked again."""
    return "refused" if state.get("objection") else "candidate"
