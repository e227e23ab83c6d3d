"""Runs of several tasks in the run log: which of them is meant, and what of them is listed."""

from __future__ import annotations

import json

import pytest

from cupel.errors import InputError
from cupel.project import Project
from cupel.runlog import RunLog, find_run, find_whole, list_runs, parts_of, tasks_of

ROW = {"task_identity": "", "input_name": "in.jsonl", "settings": "{}"}
WHOLE = {
    **ROW, "run_id": "f0", "task": "stance,summary", "kind": "several", "output_name": "out.jsonl",
    "settings": json.dumps({"parts": {"stance": "a1", "summary": "b2"}}),
}  # fmt: skip


@pytest.fixture
async def log(tmp_path):
    """A run of one task that became a part, another part, and the run of both, started last."""
    opened = RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}", state=tmp_path)
    for row in (
        {**ROW, "run_id": "a1", "task": "stance", "kind": "run", "output_name": "alone.jsonl"},
        WHOLE,
        {**ROW, "run_id": "a1", "task": "stance", "kind": "part", "output_name": "out.jsonl"},
        {**ROW, "run_id": "b2", "task": "summary", "kind": "part", "output_name": "out.jsonl"},
    ):
        await opened.start_run(row)
    yield opened
    opened.close()


async def test_a_run_of_one_task_keeps_its_name_and_output_as_a_part(log):
    """It is listed beside the run it is a part of; what was never run alone is not."""
    runs = {run["run_id"]: run for run in log.runs()}

    assert (runs["a1"]["kind"], runs["a1"]["output_name"]) == ("run", "alone.jsonl")
    assert (runs["b2"]["kind"], tasks_of(runs["f0"])) == ("part", ["stance", "summary"])
    assert parts_of(runs["a1"]) == {}


async def test_a_part_that_is_run_alone_is_listed_from_then_on(log):
    """The same command as it always was."""
    await log.start_run({**ROW, "run_id": "b2", "task": "summary", "kind": "run", "output_name": "b.jsonl"})
    runs = {run["run_id"]: run for run in log.runs()}

    assert (runs["b2"]["kind"], runs["b2"]["output_name"]) == ("run", "b.jsonl")


async def test_as_a_part_a_run_keeps_its_place_in_the_list(log):
    """The newest run is the one a person started last, whatever was a part of it."""
    before = {run["run_id"]: run["updated_at"] for run in log.runs()}
    for run_id in ("a1", "b2"):
        await log.finish_run(run_id, "finished", 3, as_part=True)
    after = {run["run_id"]: run for run in log.runs()}

    assert after["a1"]["updated_at"] == before["a1"]
    assert [after[run_id]["state"] for run_id in ("a1", "b2")] == ["finished"] * 2


@pytest.mark.parametrize(
    ("wanted", "task", "found"),
    [("f0", "summary", "b2"), ("f", "stance", "a1"), ("a1", None, "a1"), ("b2", None, "b2"), ("a1", "stance", "a1")],
)  # fmt: skip
async def test_a_task_picks_its_part(log, wanted, task, found):
    """By the run's id or by the part's own."""
    assert find_run(log, wanted, task)["run_id"] == found


@pytest.mark.parametrize(
    ("wanted", "task", "said"),
    [
        ("f0", None, r"several tasks \(stance, summary\): say which one with --task"),
        ("f0", "topics", r"of the tasks stance, summary, not of 'topics'"),
        ("a1", "summary", r"run a1 is of task 'stance', not of 'summary'"),
        (None, "topics", r"no run of task 'topics'"),
    ],
)
async def test_a_task_that_is_not_said_or_not_there_is_a_sentence(log, wanted, task, said):
    """It names those there are."""
    with pytest.raises(InputError, match=said):
        find_run(log, wanted, task)


async def test_a_whole_run_is_found_as_it_was_started(log):
    """What is of all tasks is read of it: a report, a bill."""
    assert find_whole(log, "f0")["run_id"] == "f0"


async def test_parts_are_not_listed_and_a_task_finds_the_runs_it_is_in(log, tmp_path, monkeypatch):
    """A run of several tasks is one line."""
    monkeypatch.setenv("CUPEL_DATABASE_URL", log.url)
    project = Project(tmp_path, tmp_path)

    assert {run["run_id"] for run in list_runs(project)} == {"a1", "f0"}
    assert {run["run_id"] for run in list_runs(project, "summary")} == {"f0"}
