"""refine: turn the judge's critique into instructions for this one document."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.refine import write_addendum
from cupel.context import RunContext
from cupel.engine import current
from cupel.state import AddendumRecord, RunState, Tier


class RefineUpdate(TypedDict):
    """The keys this node writes."""

    addenda: list[AddendumRecord]
    path: list[str]


async def refine(state: RunState, runtime: Runtime[RunContext]) -> RefineUpdate:
    """Ask the refiner for at most five instructions tied to what failed; append those that pass the checks.

    They go into the user message after the document, for this document only: the task's prompt stays.
    """
    task = await (await current()).task(state)
    addendum = await write_addendum(state, task, RunContext.of(runtime))
    return {"addenda": [addendum], "path": ["refine"]}


async def route_after_refine(state: RunState) -> Tier:
    """Back to the tier whose record was rejected."""
    return state["addenda"][-1]["tier"]
