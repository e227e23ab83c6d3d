"""What tests of a server's door share: a run log of their own, and projects with a policy."""

from __future__ import annotations

import asyncio

import pytest

from cupel.project import Project
from cupel.runlog.store import RunLog
from tests.conftest import ROOT, clone_project

POLICY = """
graphs = ["enrich", "compare", "improve"]
tasks = ["arguments", "stance"]
profiles = ["offline"]
models = ["openai:cheap"]
longest_text = 2_000
[caps]
usd_per_request = 0.1
usd_per_key = 1.0
usd_per_day = 5.0
documents_per_key = 10
documents_per_day = 20
"""


@pytest.fixture
async def run_log(tmp_path):
    """An SQLite run log."""
    opened = await asyncio.to_thread(RunLog, f"sqlite:///{tmp_path / 'runlog.sqlite'}")
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.fixture
def study(tmp_path):
    """A project of one's own, without a policy yet."""
    folder = tmp_path / "study"
    folder.mkdir()
    clone_project(folder)
    (folder / "evals").mkdir()
    (folder / "evals" / "speeches.jsonl").write_text("{}\n")
    return Project(folder, folder / ".cupel")


__all__ = ["POLICY", "ROOT", "run_log", "study"]
