"""refine: turn the judge's critique into instructions for this one document."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.refine import ask_refiner, check_instructions, list_objections
from cupel.cascade.work import take_up
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import AddendumRecord, RunState, Tier


class RefineUpdate(TypedDict):
    """The keys this node writes."""

    addenda: list[AddendumRecord]
    path: list[str]


async def refine(state: RunState, runtime: Runtime[RunContext]) -> RefineUpdate:
    """Ask the refiner for at most five instructions tied to what failed; append those that pass the checks.

    They go into the user message after the document, for this document only: the task's prompt stays.
    """
    asking = current_asking()
    work = await take_up(state, RunContext.of(runtime), asking)
    objections = list_objections(work)
    answer = await ask_refiner(work, objections, asking)
    return {"addenda": [check_instructions(work, objections, answer)], "path": ["refine"]}


async def route_after_refine(state: RunState) -> Tier:
    """Back to the tier whose record was rejected."""
    return state["addenda"][-1]["tier"]
