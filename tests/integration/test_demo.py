"""The demo: twelve speeches with no key, every answer recorded."""

from __future__ import annotations

import json
from typing import Any

from cupel.context import RunContext
from cupel.evaluation.judge_check import Case, cases_of_run
from cupel.evaluation.spoiled import SpoiledReport, judge_spoiled
from cupel.models.recordings import set_recordings_folder
from cupel.project import Project
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.state import Outcome
from cupel.tables.reading import open_table
from cupel.task.folder import load_task
from tests.conftest import ROOT

SAMPLE = ROOT / "evals" / "datasets" / "speeches-demo.jsonl"
AGAIN = (
    "A recorded answer of the demo is outdated by a changed prompt, schema or view. Record again as "
    "evals/recordings/README.md says, and update its date.\n"
)
WAYS = ("items", "criteria")


def job_of(project: Project) -> Job:
    return Job(task=load_task("arguments", project.prompts), context=RunContext(profile="demo"))


async def outcomes_of(project: Project, job: Job) -> list[tuple[Outcome, str]]:
    """What becomes of each speech, with its text."""
    async with Runner(job, project, env={}) as runner:
        table = open_table(SAMPLE, id_column="id")
        return [(outcome, str(row.text)) async for row, outcome in runner.outcomes(table)]


async def spoil(project: Project, job: Job) -> tuple[list[Outcome], dict[str, SpoiledReport]]:
    """The demo, and what the judge makes of its records spoiled on purpose, by each way that is recorded."""
    set_recordings_folder(project.recordings)
    async with Runner(job, project, env={}) as runner:
        table = open_table(SAMPLE, id_column="id")
        rows = [(row.position, outcome, str(row.text)) async for row, outcome in runner.outcomes(table)]
        cases: list[Case] = cases_of_run(rows, job.task)
        reports = {
            way: await judge_spoiled(cases, job.task, job.context.model_copy(update={"judge_way": way}))
            for way in WAYS
        }
    return [outcome for _, outcome, _ in rows], reports


async def test_every_recorded_answer_fits_the_prompts_as_they_are(project):
    """A prompt change that outdates a recording fails here and says how to record again."""
    outcomes = await outcomes_of(project, job_of(project))
    errors = [
        attempt["error"] for outcome, _ in outcomes for attempt in outcome["attempts"] if attempt["error"]
    ]
    errors += [
        verdict["reason"]
        for outcome, _ in outcomes
        for verdict in outcome["verdicts"]
        if not verdict["model"]
    ]
    missing = [error for error in errors if "recorded:" in error]

    assert missing == [], AGAIN + "\n".join(missing)
    assert len(outcomes) == 12
    assert {outcome["status"] for outcome, _ in outcomes} <= {"accepted", "needs_review"}
    for outcome, text in outcomes:
        verbatim = [entry for entry in outcome["evidence"] if entry["match"] == "verbatim"]
        assert verbatim
        assert all(text[entry["start"] : entry["end"]] == entry["quote"] for entry in verbatim)


async def test_speeches_take_different_paths(project):
    """What the demo is for: a cheap record that does, one that is refined, and one that the strong tier has to replace."""
    outcomes = [outcome for outcome, _ in await outcomes_of(project, job_of(project))]
    paths = {" → ".join(outcome["path"]) for outcome in outcomes}

    assert len(paths) >= 3
    assert {outcome["tier"] for outcome in outcomes} == {"cheap", "strong"}
    assert any(outcome["addenda"] for outcome in outcomes)


async def test_every_recorded_answer_is_used(project):
    """The demo or the judge's test on its records uses it; no line is left over from an earlier prompt."""
    outcomes, reports = await spoil(project, job_of(project))
    steps: list[Any] = [
        step for outcome in outcomes for part in ("attempts", "verdicts", "addenda") for step in outcome[part]
    ]
    for way, report in reports.items():
        assert [row.name for row in report.rows if row.unknown] == [], f"{way}: {AGAIN}"
        steps += [item.verdict for item in report.every]
    asked = {call["key"] for step in steps for call in step["calls"] if call["model"].startswith("recorded:")}
    lines = [
        json.loads(line)
        for path in project.recordings.glob("demo-*.jsonl")
        for line in path.read_text().splitlines()
    ]

    assert len(lines) == len(asked), AGAIN
