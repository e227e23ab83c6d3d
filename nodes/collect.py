"""collect: what goes wrong with the prompt as it is, on documents a rewriter may learn from."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.collect import collect_failures
from cupel.state import ImproveState


async def collect(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Freeze the split by group, run the development side, score it, and gather its failures.

    Reads `task` and `documents`; of the held-out side nothing is looked at.
    """
    async with step():
        return await collect_failures(state, RunContext.of(runtime))


async def route_after_collect(state: ImproveState) -> Literal["failures", "none"]:
    """Without failures there is nothing to answer; a person's own candidate is tested all the same."""
    return "failures" if state.get("failures") or state.get("candidate") else "none"
