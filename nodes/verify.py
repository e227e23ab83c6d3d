"""verify: how sure can we be of the latest record, and is that enough?"""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.routes import AfterVerify, after_verify
from cupel.cascade.verify import verify_record
from cupel.context import RunContext
from cupel.engine import current
from cupel.state import Attempt, RunState


class VerifyUpdate(TypedDict):
    """The keys this node writes."""

    attempts: list[Attempt]
    path: list[str]


async def verify(state: RunState, runtime: Runtime[RunContext]) -> VerifyUpdate:
    """Turn the signals of the latest attempt into a score, a confidence where calibrated, and doubts.

    Reads the last of `attempts` and completes it in place. Free signals come first: does it fit, do its
    quotes stand in the text, is it complete; then those that cost a call, where they are configured.
    """
    task = await (await current()).task(state)
    attempt = await verify_record(state, task, RunContext.of(runtime))
    return {"attempts": [attempt], "path": ["verify"]}


async def route_after_verify(state: RunState, runtime: Runtime[RunContext]) -> AfterVerify:
    """Send a doubtful cheap record to the strong model, and what is to be judged to the judge."""
    return after_verify(state["attempts"][-1], RunContext.of(runtime), state.get("doc_id", ""))
