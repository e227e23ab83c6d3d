"""judge: is the record right? Code looks first, then one model, by criteria, by items or where two readings differ, or a jury."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.judge import ask_judge, check_by_code, convene_jury, settle_verdict
from cupel.cascade.prospects import tell_prospects
from cupel.cascade.routes import decides, refining_ends
from cupel.cascade.work import take_up
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import Attempt, RunState, VerdictRecord


class JudgeUpdate(TypedDict):
    """The keys this node writes."""

    verdicts: list[VerdictRecord]
    attempts: Sequence[Attempt]
    path: list[str]


async def judge(state: RunState, runtime: Runtime[RunContext]) -> JudgeUpdate:
    """Judge the latest attempt; append the verdict. Only what passes the code checks is shown to a model.

    A judgement that could not be had is `unknown`, never a fail: a person decides then.
    """
    asking = current_asking()
    work = await take_up(state, RunContext.of(runtime), asking)
    jury = None
    heard = check_by_code(work)
    if heard is None:
        heard = await ask_judge(work, asking)
        jury = await convene_jury(work, heard, asking)  # where the judge is in doubt, or is audited
    verdict = await tell_prospects(work, settle_verdict(work, heard, jury))
    return {"verdicts": [verdict], "attempts": work.edited, "path": ["judge"]}


async def route_after_judge(
    state: RunState, runtime: Runtime[RunContext]
) -> Literal["accepted", "rejected", "rounds spent", "for a person"]:
    """Accepted ends; rejected is refined while that helps, then escalated, then shown to a person."""
    if not decides(state["verdicts"][-1]):
        return "accepted"
    reason = refining_ends(state, RunContext.of(runtime))
    if reason is None:
        return "rejected"
    if reason == "accepted":
        return "accepted"
    nobody_left = state["attempts"][-1]["tier"] == "strong"
    return "for a person" if nobody_left or reason in ("unknown", "budget") else "rounds spent"
