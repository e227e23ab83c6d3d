"""extract: the cheap model fills the task's schema."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.extract import ask_windows, draft_attempt, read_replies
from cupel.cascade.work import take_up
from cupel.context import RunContext
from cupel.engine import current_asking
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
    asking = current_asking()
    work = await take_up(state, RunContext.of(runtime), asking)
    draft = await draft_attempt(work, "cheap")
    replies = await ask_windows(work, draft, asking)
    return {"attempts": [read_replies(work, draft, replies)], "path": ["extract"]}
