"""diagnose: why did they fail?"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.sessions import step
from cupel.improvement.steps.diagnose import diagnose_failures
from cupel.state import ImproveState


async def diagnose(state: ImproveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Cluster failures by criterion and cause, and tell them in words that hold no document."""
    async with step():
        return await diagnose_failures(state, RunContext.of(runtime))
