"""A project whose enrich graph is a stand-in, models that follow a script, and a run log with a run in it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from cupel.engine.runtime import Runtime, close_current, install
from cupel.project import Project
from cupel.runlog.store import open_run_log
from cupel.task.folder import load_task
from cupel.testing.models import scripted
from tests.conftest import ROOT
from tests.integration.improvement import GOOD_RULE, TASK, extractor, speeches, write
from tests.unit.evaluation.study import PROVENANCE, judge


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project with twenty speeches, every second one hard, and a rules file that helps with those."""
    folder = tmp_path / "study"
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    shutil.copy(Path(__file__).parent / "stand_in.py", folder)
    (folder / "langgraph.json").write_text('{"graphs": {"enrich": "./stand_in.py:graph"}}')
    write(folder / "speeches.jsonl", speeches(20))
    rules = (folder / "prompts" / TASK / "rules.toml").read_text()
    (folder / "mine.toml").write_text(f'{rules}\n[[rules]]\nid = "mine"\ntext = "{GOOD_RULE}"\n')
    monkeypatch.chdir(folder)
    return Project(folder, folder / ".cupel")


@pytest.fixture
def task(study):
    """The stance task as its folder has it."""
    return load_task(TASK, study.prompts)


@pytest.fixture
def models():
    """A cheap model that falls for hard speeches until a rule helps it, and a judge that accepts what is in favour."""
    with scripted({"scripted:cheap": extractor, "scripted:judge": judge, "scripted:refiner": []}) as attached:
        yield attached


@pytest.fixture
async def runtime(study):
    """The resources of a process, with this study's run log."""
    install(await asyncio.to_thread(Runtime, study, {}))
    yield
    await close_current()


@pytest.fixture
def store(study):
    """Write a run and its outcomes into the study's run log: each an outcome with the text it is of."""

    def write_run(run_id, outcomes, **row):
        async def save():
            await log.start_run({**PROVENANCE, "run_id": run_id, **row})
            for position, (outcome, text) in enumerate(outcomes):
                await log.save_outcome(f"{run_id}:{position}", run_id, outcome, text, position=position)

        log = open_run_log(study.state, {})
        try:
            asyncio.run(save())
        finally:
            log.close()

    return write_run
