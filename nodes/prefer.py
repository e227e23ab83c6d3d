"""prefer: which record is better?"""

from __future__ import annotations

import asyncio

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.evaluation.compare import ask_judge, prefer_unasked, records_of
from cupel.judging import Preference, preference
from cupel.state import CompareState, Opinion


class PreferUpdate(TypedDict):
    """The keys this node writes."""

    opinions: list[Opinion]
    preferred: Preference


async def prefer(state: CompareState, runtime: Runtime[RunContext]) -> PreferUpdate:
    """Ask a third model in both orders; where they disagree it is a tie."""
    context, records = RunContext.of(runtime), records_of(state)
    if preferred := prefer_unasked(records):
        return {"opinions": [], "preferred": preferred}
    one, other = await asyncio.gather(
        ask_judge(state, records, "a", context), ask_judge(state, records, "b", context)
    )
    return {"opinions": [one, other], "preferred": preference(one["better"], other["better"])}
