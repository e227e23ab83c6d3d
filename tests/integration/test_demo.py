"""The demo: twelve speeches with no key, every answer recorded."""

from __future__ import annotations

import json
from typing import Any

from cupel.context import RunContext
from cupel.evaluation.judge_check import cases_of_run
from cupel.evaluation.spoiled import SpoiledReport, judge_spoiled
from cupel.judging import UNCHANGED
from cupel.models.recordings import set_recordings_folder
from cupel.project import Project
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.state import JudgeWay, Outcome
from cupel.tables.reading import open_table
from cupel.task.folder import load_task
from tests.conftest import ROOT, load_script

SAMPLE = ROOT / "evals" / "datasets" / "speeches-demo.jsonl"
AGAIN = (
    "A recorded answer of the demo is outdated by a changed prompt, schema or view. Record again as "
    "evals/recordings/README.md says, and update its date.\n"
)
BY_CRITERIA = 1_000
"""Characters of the longest speech whose spoiled records are judged by criteria too."""


def job_of(project: Project) -> Job:
    return Job(task=load_task("arguments", project.prompts), context=RunContext(profile="demo"))


async def outcomes_of(project: Project, job: Job) -> list[tuple[Outcome, str]]:
    """What becomes of each speech, with its text."""
    async with Runner(job, project, env={}) as runner:
        table = open_table(SAMPLE, id_column="id")
        return [(outcome, str(row.text)) async for row, outcome in runner.outcomes(table)]


async def spoil(
    project: Project, job: Job, way: JudgeWay, *, chars: int = 10_000
) -> tuple[list[Outcome], SpoiledReport]:
    """The demo, and what the judge makes of its records spoiled on purpose, of speeches of up to so many characters."""
    set_recordings_folder(project.recordings)
    async with Runner(job, project, env={}) as runner:
        table = open_table(SAMPLE, id_column="id")
        rows = [(row.position, outcome, str(row.text)) async for row, outcome in runner.outcomes(table)]
        short = [row for row in rows if len(row[2]) <= chars]
        context = job.context.model_copy(update={"judge_way": way})
        report = await judge_spoiled(cases_of_run(short, job.task), job.task, context)
    return [outcome for _, outcome, _ in rows], report


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


async def test_what_is_spoiled_in_a_record_is_found_at_its_place(project):
    """By items; a statement that may be read as either list, or as backing either claim, is told of less often."""
    _, report = await spoil(project, job_of(project), "items")
    whole, *spoiled = report.rows
    every = {row.name: row.caught_by_code + row.caught_by_judge + row.missed for row in spoiled}

    assert whole.name == UNCHANGED
    assert whole.caught_by_code + whole.caught_by_judge == 0
    assert {row.name: row.found for row in spoiled} == every | {"list_changed": 6, "reference_moved": 8}
    assert every["reference_moved"] == 10
    assert every["voice_taken"] == 0


async def test_every_recorded_answer_is_used(project):
    """The demo or the judge's test on its records uses it; no line is left over from an earlier prompt."""
    outcomes, by_items = await spoil(project, job_of(project), "items")
    _, by_criteria = await spoil(project, job_of(project), "criteria", chars=BY_CRITERIA)
    steps: list[Any] = [
        step for outcome in outcomes for part in ("attempts", "verdicts", "addenda") for step in outcome[part]
    ]
    for report in (by_items, by_criteria):
        assert [row.name for row in report.rows if row.unknown] == [], AGAIN
        steps += [item.verdict for item in report.every]
    asked = {call["key"] for step in steps for call in step["calls"] if call["model"].startswith("recorded:")}
    lines = [
        json.loads(line)
        for path in project.recordings.glob("demo-*.jsonl")
        for line in path.read_text().splitlines()
    ]

    assert len(lines) == len(asked), AGAIN


def test_the_demo_says_what_each_step_did():
    """Counted over all documents, in the order a document walks."""
    demo = load_script(ROOT / "evals" / "demo.py")
    first = {
        "number": 1,
        "tier": "cheap",
        "in_doubt": True,
        "doubts": ["/claims/0/quote: the quote is absent"],
    }
    second = {"number": 2, "tier": "strong", "in_doubt": False}
    verdict = {"attempt": 2, "verdict": "rejected", "estimate": {"score": 0.4}}
    addendum = {"after_attempt": 2, "instructions": ["a", "b"]}
    outcome = {
        "attempts": [first, second],
        "verdicts": [verdict],
        "addenda": [addendum],
        "tier": "strong",
        "status": "needs_review",
    }
    told = "\n".join(demo.tell_tiers([outcome]))

    assert list(demo.tell_steps(outcome)) == ["cheap in doubt", "strong 0.40", "refined", "needs_review"]
    assert "1 of 2 records in doubt: /claims/0/quote: the quote is absent" in told
    assert "rejected 1" in told
    assert "2 instructions for 1 of them" in told
