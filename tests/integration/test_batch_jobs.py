"""Batch jobs that fail, expire, or whose order goes unanswered; and what they may cost. In this process."""

from __future__ import annotations

import pytest

from cupel.context import run_context
from cupel.engine.batch.batcher import BatchSettings
from cupel.errors import BudgetExceededError, SettingError
from cupel.runlog import tables
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task
from cupel.testing.batches import BatchScript
from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply
from tests.integration.cascade import TEXT, record

ROWS = [Row(position=n, values={}, text=f"{TEXT} Speech {n}.", doc_id=f"d{n}") for n in range(12)]
SETTINGS = {"cheap_model": "openai:gpt-4o-mini", "strong_model": "openai:gpt-4o", "judge": "never"}


def job(project, **more):
    """The arguments task in batches, looked at often."""
    settings = {**SETTINGS, **{name: more.pop(name) for name in list(more) if name == "max_output_tokens"}}
    return Job(
        task=load_task("arguments", project.prompts),
        context=run_context(settings, {}),
        batch=BatchSettings(poll_s=0.05),
        **more,
    )


async def outcomes_of(project, made, provider, monkeypatch):
    """Outcomes and the runner that made them."""
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    async with Runner(made, project) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(ROWS)]
        runner.jobs = runner.runtime.run_log.rows_of(tables.batch_jobs)
        runner.held = runner.runtime.run_log.rows_of(tables.reservations)
    return outcomes, runner


@pytest.mark.parametrize("ends", ["failed", "expired"])
async def test_a_job_that_ends_badly_is_sent_again_with_what_it_left_unanswered(project, monkeypatch, ends):
    """Half of an expired job's answers are kept; nothing is asked singly."""
    with ScriptedProvider(lambda _: record(), batches=BatchScript(ends=[ends])) as provider:
        outcomes, runner = await outcomes_of(project, job(project), provider, monkeypatch)
        counts = provider.batches.counts

    assert [outcome["status"] for outcome in outcomes] == ["accepted"] * 12
    assert (counts.jobs, counts.sent_twice, provider.counts.requests) == (2, 0, 0)
    assert counts.lines == {"failed": 24, "expired": 18}[ends]
    assert {row["state"] for row in runner.jobs} == {"ended"}


async def test_a_request_no_job_answers_is_sent_alone_in_the_end(project, monkeypatch):
    """Three jobs fail; then each call is made by itself, at its full price."""
    with ScriptedProvider(lambda _: record(), batches=BatchScript(ends=["failed"] * 3)) as provider:
        outcomes, _ = await outcomes_of(project, job(project), provider, monkeypatch)
        jobs, single = provider.batches.counts.jobs, provider.counts.requests

    assert [outcome["status"] for outcome in outcomes] == ["accepted"] * 12
    assert (jobs, single) == (3, 12)


async def test_an_order_whose_answer_is_lost_is_found_and_not_given_again(project, monkeypatch):
    """The provider carries it out; we find it among its jobs."""
    with ScriptedProvider(lambda _: record(), batches=BatchScript(loses_answers=1)) as provider:
        outcomes, _ = await outcomes_of(project, job(project), provider, monkeypatch)
        counts = provider.batches.counts

    assert [outcome["status"] for outcome in outcomes] == ["accepted"] * 12
    assert (counts.jobs, counts.sent_twice) == (1, 0)


async def test_a_cap_is_kept_at_the_price_of_a_batch(project, monkeypatch):
    """A job is reserved before it is sent and settled at half the price; nothing stays reserved."""
    with ScriptedProvider(lambda _: record()) as provider:
        outcomes, runner = await outcomes_of(project, job(project, max_usd=0.5), provider, monkeypatch)
    with ScriptedProvider(lambda _: record()) as provider:
        poor = job(project, max_usd=0.0001, max_output_tokens=1000)
        none, stopped = await outcomes_of(project, poor, provider, monkeypatch)
        ordered = provider.batches.counts.jobs

    assert all(outcome is not None for outcome in outcomes)
    assert 0 < runner.tally.total_usd < 0.5
    assert runner.held == []
    assert (none, ordered) == ([None] * 12, 0)
    assert isinstance(stopped.stop.error, BudgetExceededError)


async def test_models_without_a_batch_api_are_refused_before_anything_is_paid(project):
    """The text names the models and the providers that have one."""
    made = job(project)
    offline = run_context({"profile": "offline", "judge": "never"}, {})
    with pytest.raises(SettingError, match=r"offline:baseline.*openai: and groq:"):
        async with Runner(Job(task=made.task, context=offline, batch=made.batch), project, env={}):
            pass


POISONED = {
    "a line without measure": b'"response": {"status_code": 200, "body": "' + b"x" * 9_000_000 + b'"}}',
    "a line of too many values": b'"response": {"status_code": 200, "body": [' + b"[]," * 600_000 + b"[]]}}",
}


@pytest.mark.parametrize("kind", POISONED)
async def test_a_line_beyond_any_measure_is_its_documents_problem_and_not_paid_again(
    project, monkeypatch, kind
):
    """The others of the same file are read; nothing is sent again, in a job or alone."""

    def answer(body):
        return RawReply(body=POISONED[kind]) if "Speech 5." in str(body["messages"]) else record()

    with ScriptedProvider(answer) as provider:
        outcomes, runner = await outcomes_of(project, job(project), provider, monkeypatch)
        counts = provider.batches.counts

    assert [outcome["status"] for outcome in outcomes] == ["accepted"] * 5 + ["failed"] + ["accepted"] * 6
    assert any("the reply " in reason for reason in outcomes[5]["reasons"])
    assert (counts.sent_twice, provider.counts.requests) == (0, 0)
    assert {row["state"] for row in runner.jobs} == {"ended"}
