"""What became of a campaign."""

from __future__ import annotations

from typing import Any

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.state import ImproveState


async def conclude_campaign(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """What became of the campaign, in one word and its reasons; noted in the ledger."""
    campaign = await open_campaign(state, context)
    result, reasons = _result(state)
    cost = round(await campaign.bench.runtime.run_log.spent_usd(campaign.name), 8)
    await campaign.note(
        "note", f"{campaign.name}:ends:{result}", {"result": result, "reasons": reasons, "cost_usd": cost}
    )
    return {"result": result, "reasons": reasons, "cost_usd": cost}


def _result(state: ImproveState) -> tuple[str, list[str]]:
    decision, tried = state.get("decision"), state["tried"]
    if state.get("result") == "promoted":
        return "promoted", list((decision or {}).get("reasons", []))
    if decision is not None:
        named = {"promote": "declined" if state.get("declined") else "nominee", "reject": "rejected"}
        return named.get(decision["decision"], "inconclusive"), list(decision["reasons"])
    if not tried:
        return "nothing_to_do", ["no development document fails, so there is nothing to answer"]
    reasons = list(dict.fromkeys(turn["reason"] for turn in tried if turn["reason"]))
    return ("rejected" if any(turn["version"] for turn in tried) else "no_candidate"), reasons
