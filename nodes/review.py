"""review: ask a person, where one is attached."""

from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict

from cupel.cascade.review import read_answer, review_request
from cupel.cascade.work import take_up
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import Review, RunState


class ReviewUpdate(TypedDict):
    """The keys this node writes."""

    review: Review | None
    path: list[str]


async def review(state: RunState, runtime: Runtime[RunContext]) -> ReviewUpdate:
    """Stop and ask, in the Agent Inbox shape; without a person attached, go on as `needs_review`.

    The node runs again from its start when it is answered, so nothing but the question stands before.
    """
    if not RunContext.of(runtime).human_review:
        return {"review": None, "path": ["review"]}
    answer = interrupt([review_request(state)])
    work = await take_up(state, RunContext.of(runtime), current_asking())
    return {"review": read_answer(answer, state, work.task), "path": ["review"]}
