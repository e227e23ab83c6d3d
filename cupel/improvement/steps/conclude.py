"""What became of a campaign."""

from __future__ import annotations

from collections.abc import Sequence

from cupel.improvement.campaign import Campaign
from cupel.state import ImproveState, Result


def settle_result(state: ImproveState) -> tuple[Result, list[str]]:
    """The result in one word, and its reasons."""
    decision, tried = state.get("decision"), state["tried"]
    if state.get("result") == "promoted":
        return "promoted", list((decision or {}).get("reasons", []))
    if decision is not None:
        passed: Result = "declined" if state.get("declined") else "nominee"
        results: dict[str, Result] = {"promote": passed, "reject": "rejected"}
        return results.get(decision["decision"], "inconclusive"), list(decision["reasons"])
    if not tried:
        return "nothing_to_do", ["no development document fails, so there is nothing to answer"]
    reasons = list(dict.fromkeys(turn["reason"] for turn in tried if turn["reason"]))
    return ("rejected" if any(turn["version"] for turn in tried) else "no_candidate"), reasons


async def note_end(campaign: Campaign, result: Result, reasons: Sequence[str], cost_usd: float) -> None:
    """Write the end of the campaign into the ledger."""
    ending = {"result": result, "reasons": list(reasons), "cost_usd": cost_usd}
    await campaign.note("note", f"{campaign.name}:ends:{result}", ending)
