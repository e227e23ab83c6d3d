"""The health route's word: what a run log can take, and no address of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from cupel.errors import RunLogError
from cupel.serve import health as health_module
from cupel.serve.health import Health


@pytest.fixture
def well(monkeypatch, run_log):
    """A server whose run log is there."""

    async def current():
        return SimpleNamespace(run_log=run_log)

    monkeypatch.setattr(health_module, "current", current)
    return run_log


class Away:
    """A run log that does not answer, and counts who asks."""

    def __init__(self, error=None):
        self.error, self.asked = error, 0

    async def transact(self, _work):
        """Never, or with an error."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()


def kept_in(monkeypatch, run_log):
    """The health of a server with this run log, soon out of patience."""

    async def current():
        return SimpleNamespace(run_log=run_log)

    monkeypatch.setattr(health_module, "current", current)
    monkeypatch.setattr(health_module, "PATIENCE_S", 0.02)
    return Health()


async def test_a_run_log_that_can_be_written_is_no_fault(well):
    """Asked again and again."""
    health = Health()
    assert [await health.fault() for _ in range(3)] == ["", "", ""]


async def test_one_that_is_closed_or_fails_is_told_without_an_address(monkeypatch):
    """The server's own log has the rest."""
    fault = await kept_in(monkeypatch, Away(RunLogError("postgresql://ada@10.0.0.7/cupel is away"))).fault()
    assert fault == "the run log cannot be written; the server's own log says why"


async def test_one_that_does_not_answer_is_asked_once_however_many_want_to_know(monkeypatch):
    """Questions would queue up before it."""
    away = Away()
    health = kept_in(monkeypatch, away)
    told = await asyncio.gather(*(health.fault() for _ in range(20)))

    assert {"has not answered" in fault for fault in told} == {True}
    assert away.asked == 1
    health._asked.cancel()
