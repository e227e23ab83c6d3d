"""prefer: which record is better?"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.evaluation.compare import prefer_one
from cupel.state import CompareState


async def prefer(state: CompareState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Ask a third model in both orders; where they disagree it is a tie."""
    return await prefer_one(state, RunContext.of(runtime))
