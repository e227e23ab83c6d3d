"""The demo: twelve speeches with no key, from a baseline run live and recorded answers."""

from __future__ import annotations

import json

from cupel.context import RunContext
from cupel.evaluation.judge_check import cases_of_run
from cupel.evaluation.spoiled import judge_spoiled
from cupel.models.recordings import set_recordings_folder
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.reading import open_table
from cupel.task.folder import load_task
from tests.conftest import ROOT

SAMPLE = ROOT / "evals" / "datasets" / "speeches-demo.jsonl"
AGAIN = (
    "A recorded answer of the demo is outdated by a changed prompt, schema or baseline. Record again as "
    "evals/recordings/README.md says, and update its date.\n"
)


UNRECORDED = {"item_split", "list_changed", "voice_taken", "references_dropped"}
"""Ways to spoil a record that are younger than the recordings."""


async def test_every_recorded_answer_fits_the_prompts_as_they_are(project):
    """A prompt change that outdates a recording fails here and says how to record again."""
    job = Job(task=load_task("arguments", project.prompts), context=RunContext(profile="demo"))
    table = open_table(SAMPLE, id_column="id")
    async with Runner(job, project, env={}) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(table)]
    errors = [attempt["error"] for outcome in outcomes for attempt in outcome["attempts"] if attempt["error"]]
    errors += [
        verdict["reason"] for outcome in outcomes for verdict in outcome["verdicts"] if not verdict["model"]
    ]
    missing = [error for error in errors if "recorded:" in error]
    assert missing == [], AGAIN + "\n".join(missing)
    assert len(outcomes) == 12
    assert {outcome["status"] for outcome in outcomes} <= {"accepted", "needs_review"}
    for row, outcome in zip(table, outcomes, strict=True):
        text = str(row.text)
        verbatim = [entry for entry in outcome["evidence"] if entry["match"] == "verbatim"]
        assert verbatim
        assert all(text[entry["start"] : entry["end"]] == entry["quote"] for entry in verbatim)


async def test_every_recorded_answer_is_used(project):
    """The demo or the judge's test on its records uses it; no line is left over from an earlier prompt."""
    set_recordings_folder(project.recordings)
    job = Job(task=load_task("arguments", project.prompts), context=RunContext(profile="demo"))
    async with Runner(job, project, env={}) as runner:
        table = open_table(SAMPLE, id_column="id")
        rows = [(row.position, outcome, str(row.text)) async for row, outcome in runner.outcomes(table)]
        spoiled = await judge_spoiled(cases_of_run(rows, job.task), job.task, job.context)
    outcomes = [outcome for _, outcome, _ in rows]
    steps = [
        step for outcome in outcomes for part in ("attempts", "verdicts", "addenda") for step in outcome[part]
    ]
    steps += [item.verdict for item in spoiled.every]
    recorded = [row for row in spoiled.rows if row.name not in UNRECORDED]
    assert [row.name for row in recorded if row.unknown] == [], AGAIN
    assert min(row.caught_by_code + row.caught_by_judge + row.missed for row in recorded) == 12
    asked = {call["key"] for step in steps for call in step["calls"] if call["model"].startswith("recorded:")}
    lines = [
        json.loads(line)
        for path in project.recordings.glob("demo-*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len(lines) == len(asked), AGAIN
