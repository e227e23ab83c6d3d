"""The plan a run is held against, and what is said where nobody named a task: which one it is, and what it will cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cupel._format import usd
from cupel.runs.runner import Runner
from cupel.tables import Table


async def plan_for(runner: Runner, table: Table) -> dict[str, Any] | None:
    """The plan of an open run as JSON, made now or by an earlier invocation; None where none can be made."""
    job, runtime = runner.job, runner.runtime
    note = await asyncio.to_thread(_note_plan)
    return await note(
        runtime.run_log, runner.run_id, table, job.task, job.context,
        env=runtime.env, concurrency=job.concurrency, graph=job.graph,
        near_duplicates=job.near_duplicates, batch=job.batch is not None, limits=runtime.limits,
        router=await runtime.policies.prerouter(job.context.prerouter) if job.context.prerouter else None,
    )  # fmt: skip


def _note_plan() -> Callable[..., Awaitable[dict[str, Any] | None]]:
    from cupel.runs.planning import note_plan  # numpy and a table of prices: the first request needs neither

    return note_plan


async def say_choice(runner: Runner, table: Table, *, option: str = "task") -> str:
    """Which task an open run takes that nobody named, and what it will about cost, before anything is paid.

    Args:
        runner: The run.
        table: Its documents.
        option: What would have named it.
    """
    task, planned = runner.job.task, await plan_for(runner, table)
    cost = "at a cost that cannot be told yet"
    if planned is not None and not planned["unknown_price"]:
        low, high = (usd(planned["cost_usd"][end]) for end in ("low", "high"))
        cost = f"about {planned['calls']['expected']:,.0f} calls, {low} to {high}"
    return (
        f"no {option} was named, so it is {task.name!r} ({task.title}) on {table.total:,} rows, {cost}. "
        "`cupel tasks` lists the others; Ctrl-C stops"
    )
