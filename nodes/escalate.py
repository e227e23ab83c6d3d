"""escalate: the strong model fills the same schema from the same prompt."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.extract import attempt_record
from cupel.context import RunContext
from cupel.engine import current
from cupel.state import Attempt, RunState


class EscalateUpdate(TypedDict):
    """The keys this node writes."""

    attempts: list[Attempt]
    path: list[str]


async def escalate(state: RunState, runtime: Runtime[RunContext]) -> EscalateUpdate:
    """Ask the strong model, with no hint of the cheap record: a hint anchors it.

    Reads the text and its windows; appends to `attempts`.
    """
    task = await (await current()).task(state)
    attempt = await attempt_record(state, task, RunContext.of(runtime), "strong")
    return {"attempts": [attempt], "path": ["escalate"]}
