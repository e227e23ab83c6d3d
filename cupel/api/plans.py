"""The plan a run over a file is held against, made beside it while the first request is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Literal

from cupel.runs import JointRun, plan_for
from cupel.tables import Table

When = Literal["at once", "once asked", "never"]
"""When a plan is made: `once asked` waits till the first request is on its way."""

Plans = list[dict[str, Any] | None]
"""As JSON, of each task; None where none could be made."""


@contextmanager
def plan_beside(run: JointRun, tables: Sequence[Table], *, when: When) -> Iterator[asyncio.Task[Plans]]:
    """What the run is held against, being worked out for each task."""
    planned = asyncio.create_task(_plan(run, tables, when))
    try:
        yield planned
    except BaseException:
        planned.cancel()
        raise


async def unless_stopped(planned: asyncio.Task[Plans]) -> Plans:
    """The plans; none where they were not waited for."""
    await asyncio.wait([planned])
    return [] if planned.cancelled() else planned.result()


async def _plan(run: JointRun, tables: Sequence[Table], when: When) -> Plans:
    if when == "never":
        return []
    if when == "once asked":
        await run.runtime.calls.begun.wait()
    return [await plan_for(part, table) for part, table in zip(run.parts, tables, strict=True)]


def with_plans(summary: dict[str, Any], plans: Plans) -> dict[str, Any]:
    """A run's summary with what was planned; of several tasks, each with its own."""
    if "tasks" not in summary:
        return summary | {"planned": next(iter(plans), None)}
    each = zip_longest(summary["tasks"].items(), plans)
    return summary | {
        "planned": None,
        "tasks": {task: said | {"planned": plan} for (task, said), plan in each},
    }
