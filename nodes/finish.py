"""finish: settle the outcome. Every document has one."""

from __future__ import annotations

from cupel.outcomes import settled
from cupel.state import RunState, Settled


class FinishUpdate(Settled):
    """The keys this node writes."""

    path: list[str]


async def finish(state: RunState) -> FinishUpdate:
    """The best attempt, or the person's answer, with its status, evidence, cost and reasons."""
    return {**settled(state), "path": ["finish"]}
