"""review: ask a person, where one is attached."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime

from cupel.cascade.people import ask_person
from cupel.cascade.review import ReviewUpdate, review_request, take_answer
from cupel.cascade.work import take_up
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import RunState


async def review(state: RunState, runtime: Runtime[RunContext]) -> ReviewUpdate:
    """Stop and ask, in the Agent Inbox shape; without a person attached, go on as `needs_review`.

    The first time it only keeps that a person is asked and under which settings: a resumed run may bring none. An
    answer that cannot be read is asked for again; an instruction sends the document back to the tier it is about.
    """
    turn = await ask_person(state, runtime, review_request(state))
    if turn is None:
        return {"review": None, "asked": None, "path": ["review"]}
    if turn.keep is not None:
        return {"asked": turn.keep}
    work = await take_up(state, turn.context, current_asking())
    return take_answer(work, turn, runtime)


async def route_after_review(
    state: RunState,
) -> Literal["to be asked", "cheap again", "strong again", "settled"]:
    """A person is asked until the answer can be read; an instruction is tried, and judged as ever."""
    if state.get("asked"):
        return "to be asked"
    answered = state.get("review")
    if answered is None or answered["action"] != "respond" or not state["addenda"]:
        return "settled"
    return "cheap again" if state["addenda"][-1]["tier"] == "cheap" else "strong again"
