"""conclude: what became of the campaign, and why."""

from __future__ import annotations

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.steps.conclude import note_end, settle_result
from cupel.state import ConcludeUpdate, ImproveState


async def conclude(state: ImproveState, runtime: Runtime[RunContext]) -> ConcludeUpdate:
    """Settle the result in one word with its reasons, and note it in the ledger.

    The campaign's last step: the task it held is free after it.
    """
    async with open_campaign(state, RunContext.of(runtime), last=True) as campaign:
        result, reasons = settle_result(state)
        cost_usd = await campaign.spent_usd()
        await note_end(campaign, result, reasons, cost_usd)
    return {"result": result, "reasons": reasons, "cost_usd": cost_usd}
