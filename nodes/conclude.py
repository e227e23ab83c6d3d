"""conclude: what became of the campaign, and why."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.conclude import conclude_campaign
from cupel.state import ImproveState


async def conclude(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Settle the result in one word with its reasons, and note it in the ledger."""
    async with step(last=True):
        return await conclude_campaign(state, RunContext.of(runtime))
