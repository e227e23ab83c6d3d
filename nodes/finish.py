"""finish: settle the outcome. Every document has one."""

from __future__ import annotations

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.outcomes import outcome_of
from cupel.state import Outcome, RunState


async def finish(state: RunState, runtime: Runtime[RunContext]) -> Outcome:
    """The best attempt, or the person's answer, with its status, evidence, cost and reasons."""
    return outcome_of(state, RunContext.of(runtime))
