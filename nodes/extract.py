"""extract: the cheap model fills the task's schema."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.extract import attempt_record
from cupel.context import RunContext
from cupel.engine import current
from cupel.state import Attempt, RunState


class ExtractUpdate(TypedDict):
    """The keys this node writes."""

    attempts: list[Attempt]
    path: list[str]


async def extract(state: RunState, runtime: Runtime[RunContext]) -> ExtractUpdate:
    """Ask the cheap model for one record, with the latest instructions for this document if it was refined.

    Reads the text and its windows; appends to `attempts`. A reply that does not fit the schema, even
    after one repair, becomes an attempt with that reason, not an exception.
    """
    task = await (await current()).task(state)
    attempt = await attempt_record(state, task, RunContext.of(runtime), "cheap")
    return {"attempts": [attempt], "path": ["extract"]}
