"""Leases in the run log: one holder at a time, and none that is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from sqlalchemy import update

from cupel.errors import RunBusyError
from cupel.runlog import tables
from cupel.runlog.leases import Lease, birth_of
from cupel.runlog.store import RunLog


@pytest.fixture
def log(tmp_path):
    """An empty run log."""
    opened = RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}")
    yield opened
    opened.close()


async def take(log):
    """The lease all of these tests are about."""
    return await Lease.take(log, "batch-1", what="a batch run", lost=lambda error: None)


async def pretend(log, **values):
    """Change who holds it."""
    change = update(tables.leases).values(**values)
    await log.transact(lambda connection: connection.execute(change).rowcount)


async def test_while_it_is_held_nobody_else_gets_it_and_afterwards_anybody(log):
    """The error names the process."""
    held = await take(log)
    with pytest.raises(RunBusyError, match=f"process {os.getpid()} on"):
        await take(log)
    await held.give_back()

    await (await take(log)).give_back()


async def test_a_holder_that_was_killed_is_gone_at_once(log):
    """Its process is not there any more, or was never waited for."""
    dead = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lease = await take(log)
    await pretend(log, pid=dead.pid, born=birth_of(dead.pid))
    with pytest.raises(RunBusyError):
        await take(log)
    dead.kill()
    while birth_of(dead.pid):
        time.sleep(0.01)
    another = await take(log)  # a zombie still
    dead.wait()

    await another.give_back()
    await lease.give_back()


async def test_a_process_that_got_the_holders_number_is_not_the_holder(log):
    """Numbers are used again."""
    lease = await take(log)
    await pretend(log, born="1")
    await (await take(log)).give_back()
    await lease.give_back()


async def test_a_holder_on_another_machine_is_gone_when_it_has_not_renewed(log):
    """There is no looking at its processes from here."""
    lease = await take(log)
    await pretend(log, host="elsewhere", expires_at=time.time() + 60)
    with pytest.raises(RunBusyError, match="on elsewhere"):
        await take(log)
    await pretend(log, host="elsewhere", expires_at=time.time() - 1)

    await (await take(log)).give_back()
    await lease.give_back()
