"""retest: does the candidate do better where the prompt failed, and break nothing that worked?"""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.candidates import candidate_of
from cupel.improvement.steps.propose import out_of_rounds
from cupel.improvement.steps.retest import judge_change, note_round, try_candidate
from cupel.state import ImproveState, Round


class RetestUpdate(TypedDict):
    """The keys this node writes."""

    tried: list[Round]


async def retest(state: ImproveState, runtime: Runtime[RunContext]) -> RetestUpdate:
    """Run the candidate on the development failures and as many passing documents; append to `tried`."""
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        candidate = candidate_of(state)
        change = await try_candidate(state, campaign, candidate)
        reason = judge_change(state, campaign, candidate, change)
        turn = await note_round(state, campaign, candidate, change, reason)
    return {"tried": [turn]}


async def route_after_retest(state: ImproveState) -> Literal["better", "again", "given up"]:
    """Only what does better goes to the gate, where every look costs."""
    if not state["tried"][-1]["reason"]:
        return "better"
    return "given up" if out_of_rounds(state) else "again"
