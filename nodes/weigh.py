"""weigh: the gate. Is the candidate better on documents it was not tuned on, and worse at nothing?"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime
from typing_extensions import NotRequired, TypedDict

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.candidates import candidate_of
from cupel.improvement.steps.weigh import decide, note_decision, run_both, spend_look
from cupel.state import Candidate, ImproveState


class WeighUpdate(TypedDict):
    """The keys this node writes."""

    decision: dict[str, Any] | None
    passed: None
    cost_usd: float
    proposal: NotRequired[Candidate]
    objection: NotRequired[str]


async def weigh(state: ImproveState, runtime: Runtime[RunContext]) -> WeighUpdate:
    """Run both prompts on the held-out documents and decide; the look is noted before anything is run.

    Where a person's edit does not pass, the nominee it was made from still stands.
    """
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        candidate = candidate_of(state)
        held = await spend_look(state, campaign, candidate)
        both = await run_both(campaign, candidate, held.ids)
        decision = decide(state, campaign, candidate, both, held)
        decision = await note_decision(state, campaign, candidate, both, decision)
        cost_usd = await campaign.spent_usd()
    nominee = state.get("passed")
    if nominee is None or decision["decision"] == "promote":
        return {"decision": decision, "passed": None, "cost_usd": cost_usd}
    said = f"did not pass the gate ({decision['decision']}): {decision['reasons'][0]}"
    objection = f"{candidate['version']}, your edit, {said}"
    return {**nominee, "passed": None, "cost_usd": cost_usd, "objection": objection}


async def route_after_weigh(state: ImproveState) -> Literal["passed", "stopped"]:
    """Only a decision to promote reaches a person."""
    decision = state.get("decision") or {}
    return "passed" if decision.get("decision") == "promote" else "stopped"
