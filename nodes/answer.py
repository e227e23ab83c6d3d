"""answer: both sides do the document."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.evaluation.compare import answer_both
from cupel.state import CompareState


async def answer(state: CompareState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Run the enrich graph once for each side, alone: no stronger model, no judge."""
    return await answer_both(state, RunContext.of(runtime))
