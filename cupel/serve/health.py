"""Whether a server is well: it is when what its runs are paid and counted in can be written."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, delete

from cupel.engine import current
from cupel.errors import CupelError
from cupel.runlog import RunLog, tables
from cupel.serve.record import note

PATIENCE_S = 3.0
"""How long a run log may take. Runs wait for it longer, but nobody should be sent here meanwhile."""


class Health:
    """Asks the run log, one question at a time however many ask for it: they would queue up before one that is away."""

    def __init__(self) -> None:
        self._asked: asyncio.Task[None] | None = None

    async def fault(self) -> str:
        """What is wrong, for anybody to read: without an address or a path; empty where nothing is."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(_try())
        try:
            await asyncio.wait_for(asyncio.shield(self._asked), PATIENCE_S)
        except TimeoutError:
            note("unwell", why=f"the run log has not answered for {PATIENCE_S:g} s")
            return f"the run log has not answered for {PATIENCE_S:g} s; runs wait for it"
        except (CupelError, OSError) as error:
            note("unwell", why=str(error)[:300])
            return "the run log cannot be written; the server's own log says why"
        return ""


async def _try() -> None:
    """Write nothing, in the way everything is written.

    Raises:
        CupelError: If that cannot be done.
    """
    run_log: RunLog = (await current()).run_log
    await run_log.transact(_write_nothing)


def _write_nothing(connection: Connection) -> None:
    connection.execute(delete(tables.served).where(tables.served.c.run == ""))
