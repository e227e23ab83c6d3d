"""A run from its opening to its end: what it is called, what it may spend, and what it says of itself."""

import pytest

from cupel.engine import BatchSettings, Packing, Run
from cupel.engine.runtime import Runtime, close_current
from cupel.errors import ProjectError, RunBusyError, SettingError, TaskError
from cupel.limits import Budget
from cupel.runlog.leases import Lease
from cupel.runs.runner import Runner
from tests.unit.runs.stand_in import OneStep, job_of, row, rows


async def opened(project, env=None, **more):
    """A runner that was opened and closed."""
    async with Runner(job_of(project, **more), project, env=env or {}, graph=OneStep()) as runner:
        return runner


async def test_a_run_has_the_same_name_as_long_as_nothing_that_decides_changes(small):
    """How long a call may take does not change a record; who judges does."""
    names = [
        (await opened(small, **settings)).run_id
        for settings in (
            {},
            {"timeout_s": 5.0},
            {"judge": "never"},
            {"near_duplicates": 0.9},
            {"input_name": "b"},
        )
    ]

    assert names[0] == names[1]
    assert len(set(names)) == 4


async def test_a_documents_key_hangs_on_its_text_its_id_and_its_inputs(small):
    """Two rows that differ in any of them have outcomes of their own."""
    runner = await opened(small)
    keys = [
        runner.outcome_key(each)
        for each in (row(0, "a", "x"), row(1, "a", "x"), row(0, "b", "x"), row(0, "a", "y"))
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert runner.outcome_key(row(0, 17)) != keys[0]


async def test_without_a_graph_of_its_own_a_runner_loads_the_projects(small):
    """The graph is the one that langgraph.json names."""
    async with Runner(job_of(small), small, env={}) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(rows("a"))]

    assert outcomes[0]["status"] == "accepted"


async def test_a_cap_counts_what_the_run_spent_before(small):
    """A run that goes on has no fresh purse."""
    runner = await opened(small, max_usd=0.5)

    assert isinstance(runner.run.budget, Budget)
    assert (await opened(small)).run.budget is None


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        pytest.param({"graph": "nowhere"}, ProjectError, "no graph 'nowhere'", id="a graph that is not there"),
        pytest.param({"near_duplicates": 0.5}, SettingError, "0.8", id="a similarity that means nothing"),
        pytest.param({"packing": Packing()}, SettingError, "nobody has measured", id="packing without a certificate"),
        pytest.param(
            {"packing": Packing(), "batch": BatchSettings()}, SettingError, "leave one of them out", id="packs in a batch"
        ),
        pytest.param({"batch": BatchSettings()}, SettingError, "batch", id="a batch of models without a batch API"),
        pytest.param({"extract_prompt": "Read {{nothing}}."}, TaskError, "nothing", id="a prompt nobody can fill"),
    ],
)  # fmt: skip
async def test_what_cannot_work_is_said_before_a_document_is_read(small, more, error, says):
    """The run log is closed again, so that the next command finds it free."""
    if "extract_prompt" in more:
        more = {}
        (small.prompts / "stance/extract.md").write_text(
            "# system\nRead {{rules}} {{labels}} {{examples}}.\n# user\n{{nothing}}"
        )
    with pytest.raises(error, match=says):
        async with Runner(job_of(small, **more), small, env={}):
            raise AssertionError


async def test_two_processes_do_not_send_the_same_batch(small):
    """The second is told who has it."""
    runner = await opened(small)
    runtime = Runtime(small, {})
    lease = await Lease.take(runtime.run_log, f"batch-{runner.run_id}", what="a batch run", lost=print)
    try:
        with pytest.raises(RunBusyError):
            async with Runner(job_of(small, batch=BatchSettings()), small, env={}):
                raise AssertionError
    finally:
        await lease.give_back()
        await runtime.aclose()


async def test_inside_a_larger_undertaking_a_run_uses_its_money_and_counts(small):
    """A trial has a name of its own in the log, and leaves the runtime open."""
    runtime = Runtime(small, {})
    larger = Run(run_id="campaign", stops=True)
    runner = Runner(job_of(small), small, env={}, graph=OneStep(), within=(runtime, larger))
    async with runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(rows("a"))]
    (trial,) = runtime.run_log.runs(trials=True)

    assert outcomes[0]["status"] == "accepted"
    assert (runner.run.run_id, trial["kind"], trial["run_id"]) == ("campaign", "trial", runner.run_id)
    assert runner.tally is larger.tally
    await close_current()
    await runtime.aclose()


async def test_a_summary_tells_what_was_done_and_what_is_still_to_do(small):
    """Rows that a stopped run did not reach are pending."""
    async with Runner(job_of(small, concurrency=1), small, env={}, graph=OneStep()) as runner:
        runner.progress.total = 4
        async for _ in runner.outcomes(rows("a", "a", "too dear", "b")):
            pass
        summary = await runner.summary("out.jsonl")

    assert summary["statuses"] == {"accepted": 2, "pending": 2}
    assert (summary["documents"], summary["duplicates"], summary["output"]) == (4, 1, "out.jsonl")
    assert (summary["calls"], summary["cost_usd_total"]) == ({}, 0.0)


async def test_how_a_run_ended_stands_in_the_run_log(small):
    """A stopped run has no number of rows, as nobody knows how many there were."""
    async with Runner(job_of(small), small, env={}, graph=OneStep()) as runner:
        async for _ in runner.outcomes(rows("a", "b")):
            pass
    async with Runner(job_of(small, input_name="b"), small, env={}, graph=OneStep()) as stopped:
        stopped.stop.interrupt()
    runtime = Runtime(small, {})
    ended = {run["run_id"]: (run["state"], run["rows"]) for run in runtime.run_log.runs()}
    await runtime.aclose()

    assert ended == {runner.run_id: ("finished", 2), stopped.run_id: ("stopped", None)}
