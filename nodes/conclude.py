"""conclude: what became of the campaign, and why."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.promote import concluded
from cupel.state import ImproveState


async def conclude(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Settle the result in one word with its reasons, and note it in the ledger."""
    async with step(last=True):
        return await concluded(state, RunContext.of(runtime))
