"""The purse of a run: under whose ids money is booked, and the cap on all of it together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cupel.engine import SharedBudget, held_usd
from cupel.limits import Budget

if TYPE_CHECKING:
    from cupel.runlog import RunLog
    from cupel.runs.job import Job


@dataclass(frozen=True, slots=True)
class Purse:
    """What a run is called, and the runs that are its parts where it is of several tasks: they pay under one cap."""

    run_id: str
    parts: tuple[str, ...] = ()

    @property
    def payers(self) -> tuple[str, ...]:
        """Under whose ids money is booked."""
        return self.run_id, *self.parts


async def open_purse(purse: Purse, job: Job, log: RunLog) -> Budget | SharedBudget | None:
    """What a job pays from, with all that was paid before counted; None without a cap.

    Several processes may share one only in a database that several machines can reach; batches belong to one.
    """
    if job.max_usd is None:
        return None
    if log.is_shared and job.batch is None:
        patience_s = job.context.timeout_s
        shared = SharedBudget(log, purse.run_id, job.max_usd, parts=purse.parts, patience_s=patience_s)
        await shared.open()
        return shared
    # what lies at the providers is set aside anew by the batcher that takes up its jobs
    at_providers = sum([await held_usd(log, payer) for payer in purse.payers]) if job.batch else 0.0
    spent = sum([await log.spent_usd(payer) for payer in purse.payers])
    return Budget(job.max_usd, spent_usd=max(0.0, spent - at_providers))
