"""finish: settle the outcome. Every document has one."""

from __future__ import annotations

from cupel.outcomes import outcome_of
from cupel.state import Outcome, RunState


async def finish(state: RunState) -> Outcome:
    """The best attempt, or the person's answer, with its status, evidence, cost and reasons."""
    return outcome_of(state)
