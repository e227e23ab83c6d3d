"""propose: a candidate prompt."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.steps.propose import ask_engine, out_of_rounds, settle, take_by_hand
from cupel.state import Candidate, ImproveState, Round


class ProposeUpdate(TypedDict):
    """The keys this node writes."""

    proposal: Candidate | None
    tried: list[Round]


async def propose(state: ImproveState, runtime: Runtime[RunContext]) -> ProposeUpdate:
    """Ask the engine for edits of the prompt; code applies those that pass the guards, the contract stays.

    A person's own candidate is held to the same guards. Where no edit is left, `tried` says why.
    """
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        ask = take_by_hand if state.get("candidate") else ask_engine
        candidate, reason = await ask(state, campaign)
        proposal, tried = await settle(state, campaign, candidate, reason)
    return {"proposal": proposal, "tried": tried}


async def route_after_propose(state: ImproveState) -> Literal["candidate", "again", "given up"]:
    """A candidate is tested; without one the rewriter is asked again while rounds are left."""
    if state.get("proposal"):
        return "candidate"
    return "given up" if out_of_rounds(state) else "again"
