"""finish: settle the outcome. Every document has one."""

from __future__ import annotations

from cupel.cascade.finish import settle
from cupel.state import RunState, Settled
from cupel.text import language_of


class FinishUpdate(Settled):
    """The keys this node writes."""

    language: str | None
    path: list[str]


async def finish(state: RunState) -> FinishUpdate:
    """The best attempt, or the person's answer, with its status, evidence, cost and reasons."""
    language = state.get("language")
    if language is None and not state.get("problem"):
        language = await language_of(state["text"])
    return {**settle(state), "language": language, "path": ["finish"]}
