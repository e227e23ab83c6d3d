"""What became of documents that were refined: how often an addendum mended a kind of fault, from the failures logged."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import and_, func, select

from cupel.runlog import tables
from cupel.runlog.store import RunLog


class Refined(NamedTuple):
    """How often a kind of fault was refined, and mended by that."""

    tried: int
    mended: int


def count_refinements(run_log: RunLog, task: str, tier: str) -> dict[str, Refined]:
    """By the name of the fault, documents of a task that one tier refined after a judge found it, and those it mended.

    A document was refined where the tier wrote it a second time; that it escalated or went to a person is no mending.
    """
    failures, attempts = tables.failures, tables.attempts
    again = (
        select(attempts.c.outcome_key)
        .where(attempts.c.tier == tier)
        .group_by(attempts.c.outcome_key)
        .having(func.count() > 1)
        .subquery()
    )
    seen = (
        select(failures.c.criterion, failures.c.outcome_key, func.max(failures.c.fixed_by).label("fixed_by"))
        .select_from(failures.join(again, failures.c.outcome_key == again.c.outcome_key))
        .where(and_(failures.c.task == task, failures.c.tier == tier, failures.c.cause == "judge"))
        .group_by(failures.c.criterion, failures.c.outcome_key)
    )
    found: dict[str, Refined] = {}
    with run_log.reading() as connection:
        for row in connection.execute(seen):
            before = found.get(row.criterion, Refined(0, 0))
            found[row.criterion] = Refined(before.tried + 1, before.mended + (row.fixed_by == "addendum"))
    return found
