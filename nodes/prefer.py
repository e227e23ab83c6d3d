"""prefer: which record is better?"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from cupel.comparing import preferred
from cupel.comparisons import CompareState
from cupel.context import RunContext


async def prefer(state: CompareState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Ask a third model in both orders; where they disagree it is a tie."""
    return await preferred(state, RunContext.of(runtime))
