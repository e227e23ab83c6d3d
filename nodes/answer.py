"""answer: both sides do the document."""

from __future__ import annotations

import asyncio

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.evaluation.compare import answer_as
from cupel.state import CompareState, Outcome


class AnswerUpdate(TypedDict):
    """The keys this node writes."""

    outcomes: dict[str, Outcome]
    doc_id: str


async def answer(state: CompareState, runtime: Runtime[RunContext]) -> AnswerUpdate:
    """Run the enrich graph once for each side, alone: no stronger model, no judge."""
    context = RunContext.of(runtime)
    a, b = await asyncio.gather(answer_as(state, state["a"], context), answer_as(state, state["b"], context))
    return {"outcomes": {"a": a, "b": b}, "doc_id": a["doc_id"]}
