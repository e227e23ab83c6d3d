"""The plan a run is held against: made as it starts, and kept in the run log with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cupel.context import RunContext
from cupel.errors import CupelError
from cupel.limits import Limits
from cupel.routing import Prerouter
from cupel.runlog import RunLog
from cupel.runs.planning.planner import plan_run
from cupel.tables import Table
from cupel.task import TaskSpec

SAMPLE = 100
"""Rows rendered for the plan of a run that is already going."""


async def note_plan(
    run_log: RunLog,
    run_id: str,
    table: Table,
    task: TaskSpec,
    context: RunContext,
    *,
    env: Mapping[str, str],
    concurrency: int,
    graph: str,
    near_duplicates: float | None = None,
    batch: bool = False,
    limits: Mapping[str, Limits] | None = None,
    router: Prerouter | None = None,
) -> dict[str, Any] | None:
    """The plan of a run as JSON: the one of its first invocation, or made now; None where none can be made.

    A resumed run is thus held against what was expected of the whole; one over more rows than before has a new plan.
    """
    earlier = await run_log.plan_of(run_id)
    if earlier is not None and earlier["documents"] == table.total:
        return earlier
    try:
        plan = await plan_run(
            table, task, context, run_log=run_log, env=env, concurrency=concurrency, graph=graph,
            near_duplicates=near_duplicates, batch=batch, limits=limits, router=router, sample=SAMPLE
        )  # fmt: skip
    except (CupelError, ValueError, OSError):
        return (
            None  # the run itself says what is wrong with its input; a plan is only what it is compared with
        )
    as_json = plan.to_json()
    await run_log.note_plan(run_id, as_json)
    return as_json
