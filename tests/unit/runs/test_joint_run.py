"""Several tasks as one run, over a graph of one step: rows, stops, counts and what is found."""

from __future__ import annotations

from cupel.errors import ProviderRefusedError
from cupel.runlog import Usage
from cupel.runs.job import Job
from cupel.runs.joint_run import JointRun
from cupel.runs.progress import Progress
from cupel.runs.runner import Runner
from cupel.task.folder import load_task
from tests.conftest import ROOT
from tests.unit.runs.stand_in import OneStep, call, job_of, outcome, rows


def joint(project, graph, *tasks, **more):
    """A run of these tasks, not opened yet."""
    like = job_of(project, **more)
    jobs = [
        Job(task=load_task(task, ROOT / "prompts"), context=like.context, concurrency=like.concurrency)
        for task in tasks
    ]
    return JointRun([Runner(job, project, graph=graph) for job in jobs])


async def walked(run, *texts):
    """Each row's outcomes, and the summary."""
    async with run:
        run.expect(len(texts))
        met = [
            [one and one["status"] for one in row]
            async for _, row in run.outcomes([rows(*texts)] * len(run.parts))
        ]
        return met, await run.summary("out.jsonl")


async def test_every_row_has_an_outcome_in_each_task_and_the_run_is_one(small):
    """Statuses count a row once for each task; the rows are counted once."""
    graph = OneStep()
    met, told = await walked(joint(small, graph, "stance", "summary"), "a", "b", "fails")

    assert met == [["accepted"] * 2, ["accepted"] * 2, ["failed"] * 2]
    assert (told["documents"], told["statuses"]) == (3, {"accepted": 4, "failed": 2})
    assert told["task"] == "stance,summary"
    assert told["tasks"]["stance"]["statuses"] == {"accepted": 2, "failed": 1}
    assert sorted(graph.asked) == sorted(["a", "b", "fails"] * 2)


async def test_the_order_of_the_tasks_is_no_part_of_the_runs_name(small):
    """Another task is: what the others answered is found."""
    graph = OneStep()
    _, first = await walked(joint(small, graph, "stance", "summary"), "a", "b")
    _, turned = await walked(joint(small, graph, "summary", "stance"), "a", "b")
    _, more = await walked(joint(small, graph, "summary", "sentiment", "stance"), "a", "b")
    _, alone = await walked(joint(small, graph, "stance"), "a", "b")

    assert turned["run_id"] == first["run_id"] != more["run_id"]
    assert (turned["reused"], more["reused"], alone["reused"]) == (4, 4, 2)
    assert alone["run_id"] == first["tasks"]["stance"]["run_id"]
    assert "tasks" not in alone
    assert len(graph.asked) == 6


async def test_what_ends_one_task_ends_them_all(small):
    """One purse, one stop: rows it did not come to have no outcome in any task."""
    run = joint(small, OneStep(), "stance", "summary", concurrency=1)
    met, told = await walked(run, "too dear", "b", "c")

    assert met[0][0] is None
    assert met[2] == [None, None]
    assert run.stop.why == "budget"
    assert told["statuses"]["pending"] > 0


async def test_one_cause_that_failed_all_rows_of_a_task_is_told_with_its_name(small):
    """The other tasks' records stand."""
    run = joint(small, OneStep(), "stance", "summary")
    await walked(run, "a")
    run.parts[1].progress.causes.rows.update({"refused": 1})
    run.parts[1].progress.causes.examples["refused"] = "the schema was refused"

    assert isinstance(fault := run.common_fault(), ProviderRefusedError)
    assert "task 'summary': every row failed for one cause: the schema was refused" in str(fault)


def test_counts_of_parts_add_up():
    """A total is known where every part's is; calls are added role by role."""
    one, other = Progress(total=2), Progress(total=3)
    one.note(outcome("a"), reused=True)
    usages = [Usage(), Usage()]
    for usage in usages:
        usage.add(outcome("a", other_calls=[call()]))

    assert (Progress.sum_of([one, other]).total, Progress.sum_of([one, other]).reused) == (5, 1)
    assert Progress.sum_of([one, Progress()]).total is None
    whole = Usage.sum_of(usages)
    assert sum(role.calls for role in whole.roles.values()) == 2
