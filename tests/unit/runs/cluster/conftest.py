"""A worker's functions in this process, with a database file in place of the one that machines share."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from cupel.project import Project
from cupel.runs.cluster import orders, worker
from cupel.runs.cluster.orders import Order, order_of
from tests.unit.runs import stand_in


@dataclass
class Office:
    """Where orders are given; `graph` is the one that all workers of this process walk."""

    project: Project
    graph: stand_in.OneStep

    def order(self, **more) -> Order:
        """An order for the stance task."""
        told = {name: more.pop(name) for name in ("run_id", "wait") if name in more}
        return order_of(stand_in.job_of(self.project, **more), self.project, **told)


@pytest.fixture
def office(small, tmp_path, monkeypatch):
    """Every order of the test is let go of afterwards."""
    monkeypatch.setattr(orders, "_DATABASES", ("sqlite",))
    monkeypatch.setenv("CUPEL_DATABASE_URL", f"sqlite:///{tmp_path / 'shared.sqlite'}")
    monkeypatch.setattr(stand_in, "graph", stand_in.OneStep())
    yield Office(small, stand_in.graph)
    for name in list(worker._desks):
        worker.clear(name)
    assert "CUPEL_DATABASE_URL" in os.environ
