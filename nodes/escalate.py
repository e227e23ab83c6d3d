"""escalate: the strong model fills the same schema from the same prompt."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.extract import ask_windows, draft_attempt, read_replies
from cupel.cascade.work import take_up
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import Attempt, RunState


class EscalateUpdate(TypedDict):
    """The keys this node writes."""

    attempts: list[Attempt]
    path: list[str]


async def escalate(state: RunState, runtime: Runtime[RunContext]) -> EscalateUpdate:
    """Ask the strong model, with no hint of the cheap record: a hint anchors it.

    Reads the text and its windows; appends to `attempts`.
    """
    asking = current_asking()
    work = await take_up(state, RunContext.of(runtime), asking)
    draft = await draft_attempt(work, "strong")
    replies = await ask_windows(work, draft, asking)
    return {"attempts": [read_replies(work, draft, replies)], "path": ["escalate"]}
