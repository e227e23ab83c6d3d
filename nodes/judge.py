"""judge: is the record right? Code looks first, then one model call with one finding per criterion."""

from __future__ import annotations

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.extract import usd_left
from cupel.cascade.judge import judge_record
from cupel.cascade.routes import AfterJudge, after_judge
from cupel.context import RunContext
from cupel.engine import current
from cupel.state import RunState, VerdictRecord


class JudgeUpdate(TypedDict):
    """The keys this node writes."""

    verdicts: list[VerdictRecord]
    path: list[str]


async def judge(state: RunState, runtime: Runtime[RunContext]) -> JudgeUpdate:
    """Judge the latest attempt; append the verdict.

    A judgement that could not be had is `unknown`, never a fail: a person decides then.
    """
    task = await (await current()).task(state)
    verdict = await judge_record(state, task, RunContext.of(runtime))
    return {"verdicts": [verdict], "path": ["judge"]}


async def route_after_judge(state: RunState, runtime: Runtime[RunContext]) -> AfterJudge:
    """Accepted ends; rejected is refined while that helps, then escalated, then shown to a person."""
    context = RunContext.of(runtime)
    left = usd_left(state, context)
    return after_judge(state["attempts"], state["verdicts"], context, budget_left=left is None or left > 0)
