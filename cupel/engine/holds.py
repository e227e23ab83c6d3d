"""Money set aside before a call is sent."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from cupel.engine.purses import SharedBudget
from cupel.engine.run import Run
from cupel.limits import Budget
from cupel.runlog import RunLog, StoredResponse


@dataclass(slots=True)
class Hold:
    """Money set aside for one sending, in memory and, under a cap, in the run log."""

    log: RunLog
    run: Run
    usd: float
    token: str
    reservation: Any = None

    @classmethod
    async def take(cls, log: RunLog, run: Run, usd: float) -> Hold:
        """Set the most a call can cost aside, committed, before it is sent; nothing without a cap."""
        held = cls(log, run, usd, secrets.token_hex(16))
        if isinstance(run.budget, SharedBudget):
            if usd > 0:
                await run.budget.reserve(held.token, usd)
                held.reservation = held.token
        elif run.budget is not None and usd > 0:
            held.reservation = await run.budget.reserve(usd)
            await log.reserve(held.token, run.run_id, usd)
        return held

    async def settle(self, stored: StoredResponse) -> None:
        """The response is here: commit it and free what was set aside beyond its cost, as one."""
        if self.reservation is not None and isinstance(self.run.budget, SharedBudget):
            await self.run.budget.settle(self.token, self.usd, stored)
            return
        await self.log.save_response(stored, reservation=self.token if self.reservation else None)
        if self.reservation is not None and isinstance(self.run.budget, Budget):
            self.run.budget.settle(self.reservation, stored.cost_usd or 0.0)

    async def lost(self, *, surely_free: bool) -> None:
        """No response: free the money when it was surely not billed, else count it as spent."""
        if self.reservation is None or self.run.budget is None:
            return
        if isinstance(self.run.budget, SharedBudget):
            if surely_free:
                await self.run.budget.release(self.token, self.usd)
        elif surely_free:
            await self.log.release(self.token)
            self.run.budget.release(self.reservation)
        else:
            self.run.budget.settle(self.reservation, self.usd)
