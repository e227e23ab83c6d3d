"""What makes two runs the same run: not the project's code, which is kept with each outcome."""

from __future__ import annotations

import shutil

import pytest

from cupel.errors import BudgetExceededError
from cupel.project import Project
from cupel.runlog import open_run_log, tables
from cupel.runs.runner import Runner
from cupel.tables import Row
from tests.conftest import ROOT
from tests.integration.cascade import ACCEPTS, INVENTED, TEXT, enrich_all, job, models, record

TEXTS = [f"{TEXT} This is speech number {n}." for n in range(6)]
WRONG = record(INVENTED)


@pytest.fixture
def own(tmp_path):
    """A project whose nodes may be edited."""
    folder = tmp_path / "study"
    for part in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "langgraph.json", folder / "langgraph.json")
    return Project(folder, folder / ".cupel")


def edit(project):
    """Another version of a node: a comment at its end is enough."""
    with (project.folder / "nodes" / "finish.py").open("a", encoding="utf-8") as file:
        file.write("\n# as I like it\n")


async def test_an_edited_node_is_the_same_run_walked_anew_by_the_answers_that_are_there(own):
    """No call, no second purse; what hangs on an outcome is there once."""
    with models(cheap=WRONG, strong=record(), judge=ACCEPTS):
        first, before = await enrich_all(own, job(own), TEXTS)
    failures = failures_of(own, before.run_id)
    edit(own)
    with models():
        again, after = await enrich_all(own, job(own), TEXTS)

    assert after.run_id == before.run_id
    assert after.code != before.code
    assert (after.tally.calls, after.progress.reused) == ({}, 0)
    assert [outcome["record"] for outcome in again] == [outcome["record"] for outcome in first]
    assert failures_of(own, before.run_id) == failures > 0


async def test_outcomes_made_by_the_same_code_are_used_as_they_are(own):
    """After the walk by new code they stand again."""
    with models(cheap=record(), judge=ACCEPTS):
        await enrich_all(own, job(own), TEXTS)
    edit(own)
    with models():
        await enrich_all(own, job(own), TEXTS)
        _, third = await enrich_all(own, job(own), TEXTS)

    assert third.progress.reused == len(TEXTS)


async def test_a_document_that_was_asked_anew_is_walked_by_its_newest_answers(own):
    """`--retry-failed` keeps its replies under the next number; an edit finds them there."""
    with models(cheap="no JSON", strong="no JSON"):
        await enrich_all(own, job(own, judge="never"), TEXTS[:2])
    with models(cheap=record()):
        await enrich_all(own, job(own, judge="never", retry_failed=True), TEXTS[:2])
    edit(own)
    with models():
        again, runner = await enrich_all(own, job(own, judge="never"), TEXTS[:2])

    assert [outcome["status"] for outcome in again] == ["accepted"] * 2
    assert runner.tally.calls == {}


async def test_an_edited_node_does_not_open_a_second_purse(own):
    """What was spent before the edit counts against the same cap."""
    settings = {"judge": "never", "concurrency": 2, "max_usd": 0.01, "max_output_tokens": 500}
    rows = [Row(position=n, values={}, text=f"{TEXT} Number {n}.", doc_id=f"d{n}") for n in range(30)]
    runners = []
    for _ in range(3):
        with models(cheap=record()):
            async with Runner(
                job(own, **settings), own, env={"CUPEL_PRICES": "scripted:cheap=1/2"}
            ) as runner:
                outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
        runners.append(runner)
        edit(own)

    assert len({runner.run_id for runner in runners}) == 1
    assert all(isinstance(runner.stop.error, BudgetExceededError) for runner in runners)
    assert sum(runner.tally.total_usd for runner in runners) <= 0.01
    assert 0 < sum(outcome is not None for outcome in outcomes) < 30


def failures_of(project, run_id):
    """How many failures the run log has of a run."""
    log = open_run_log(project.state, {})
    try:
        return len(log.rows_of(tables.failures, run_id=run_id))
    finally:
        log.close()
