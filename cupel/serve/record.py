"""What a server writes down of its runs: a line of JSON in its log, a row in the run log; ids, and no text."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, update

from cupel.cascade import Visit
from cupel.runlog import Row, RunLog, insert_of, now, tables
from cupel.state import Call

LOGGER = logging.getLogger("cupel.serve")
_TIERS = {"judge": "judge", "refine": "refine"}
_COUNTS = ("calls", "cache_hits", "input_tokens", "output_tokens", "cost_usd")


def note(event: str, **said: Any) -> None:
    """Write one line of the log: JSON, with an event's name and ids."""
    LOGGER.info(
        "%s", json.dumps({"event": f"cupel.{event}", "at": now(), **said}, ensure_ascii=True, default=str)
    )


async def begin_row(run_log: RunLog, visit: Visit, *, thread: str | None, owner: str, graph: str) -> None:
    """Note that a run was taken; what a person was asked on its thread before is answered by it."""
    row = {
        "run": visit.id, "thread": thread, "owner": owner, "graph": graph, "task": visit.task, "state": "running",
        "status": None, "escalated": 0, "refinements": 0, "accepted": 0, "rejected": 0, "unknown": 0, "started_at": now(),
        "wall_s": None,
    }  # fmt: skip
    table = tables.served

    def begin(connection: Connection) -> None:
        if thread is not None:
            close_questions(connection, thread)
        made = insert_of(connection)(table).values(**row)
        connection.execute(made.on_conflict_do_update(index_elements=["run"], set_={"state": "running"}))

    await run_log.transact(begin)


def close_questions(connection: Connection, thread: str, owner: str | None = None) -> None:
    """Nobody waits on this thread any more; on somebody else's than the owner's nothing changes."""
    table = tables.served
    waits = (table.c.thread == thread) & (table.c.state == "waiting")
    mine = waits if owner is None else waits & (table.c.owner == owner)
    connection.execute(update(table).where(mine).values(state="answered"))


async def end_row(run_log: RunLog, visit: Visit, *, state: str, wall_s: float, strong: str) -> None:
    """Note how a run ended, and what it asked of whom.

    Args:
        run_log: Where.
        visit: What was seen of it.
        state: `done`, `waiting` or `failed`.
        wall_s: Seconds since it was taken.
        strong: The strong tier's model.
    """
    values = {
        "state": state, "status": visit.status, "task": visit.task, "wall_s": round(wall_s, 4),
        "escalated": int(visit.steps["escalate"] > 0), "refinements": visit.steps["refine"],
        **{name: visit.verdicts[name] for name in ("accepted", "rejected", "unknown")},
    }  # fmt: skip
    calls = [{"run": visit.id, **row} for row in count_calls(visit.ledger.calls, strong)]
    table = tables.served

    def end(connection: Connection) -> None:
        connection.execute(update(table).where(table.c.run == visit.id).values(**values))
        for row in calls:
            made = insert_of(connection)(tables.served_calls).values(**row)
            keep = {name: made.excluded[name] for name in _COUNTS}
            connection.execute(made.on_conflict_do_update(index_elements=["run", "model", "tier"], set_=keep))

    await run_log.transact(end)


def count_calls(calls: Iterable[Call], strong: str) -> list[Row]:
    """A run's calls by model and tier; tokens and dollars of those that were sent.

    >>> call = {"kind": "judge", "model": "m", "cached": True, "input_tokens": 9, "output_tokens": 1, "cost_usd": 1.0}
    >>> count_calls([call, {**call, "cached": False}], "")[0]["cache_hits"]
    1
    """
    counted: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(_COUNTS, 0))
    for call in calls:
        tier = _TIERS.get(call["kind"]) or ("strong" if call["model"] == strong else "cheap")
        row = counted[call["model"], tier]
        if call["cached"]:
            row["cache_hits"] += 1
            continue
        row["calls"] += 1
        row["input_tokens"] += call["input_tokens"]
        row["output_tokens"] += call["output_tokens"]
        row["cost_usd"] += call["cost_usd"] or 0.0
    return [{"model": model, "tier": tier, **row} for (model, tier), row in counted.items()]
