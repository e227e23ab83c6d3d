"""Another base address is another model: what answered at one is not taken for what would answer at the other."""

from __future__ import annotations

from contextlib import closing

import pytest

from cupel.engine import Runtime
from cupel.engine.requests import Request
from cupel.errors import ProviderOutageError
from cupel.models.settings import CallSettings
from cupel.runlog import open_run_log
from cupel.runs.planning.history import read_history
from cupel.runs.planning.sizes import Sizer
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import TEXT, job, record

TEXTS = [f"{TEXT} This is speech number {n}." for n in range(3)]


@pytest.fixture
def mock():
    """A provider whose records are about `mock`."""
    with ScriptedProvider(lambda _: record(matter="mock")) as provider:
        yield provider


@pytest.fixture
def real():
    """A provider whose records are about `real`."""
    with ScriptedProvider(lambda _: record(matter="real")) as provider:
        yield provider


async def matters(project, monkeypatch, provider, **more):
    """What the records of a run at this provider's address are about, and the run."""
    for name, value in (provider.environment() | more).items():
        monkeypatch.setenv(name, value)
    settings = {f"{role}_model": "none" for role in ("strong", "judge", "refiner")}
    made = job(project, cheap_model="openai:m", judge="never", **settings)
    rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(TEXTS)]
    async with Runner(made, project) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
    return {outcome["record"]["matter"] for outcome in outcomes}, runner


async def test_the_answers_of_a_mock_do_not_come_back_as_the_real_providers(project, monkeypatch, mock, real):
    """The same model, document and prompt at another address is asked there; either finds its own answers again."""
    first, at_mock = await matters(project, monkeypatch, mock)
    second, at_real = await matters(project, monkeypatch, real)
    again, at_mock_again = await matters(project, monkeypatch, mock)

    assert (first, second, again) == ({"mock"}, {"real"}, {"mock"})
    assert (mock.counts.requests, real.counts.requests) == (3, 3)
    assert at_mock.run_id == at_mock_again.run_id != at_real.run_id
    assert at_mock_again.tally.calls == {}


async def test_a_named_address_may_move_and_its_answers_are_found(project, monkeypatch, mock, real):
    """With one name for both, what was paid at the first is not asked for at the second."""
    await matters(project, monkeypatch, mock, CUPEL_ENDPOINT_NAME="lab")
    second, runner = await matters(project, monkeypatch, real, CUPEL_ENDPOINT_NAME="lab")

    assert second == {"mock"}
    assert (runner.tally.calls, real.counts.requests) == ({}, 0)


async def test_what_is_secret_in_an_address_is_neither_a_key_nor_in_the_run_log(project, monkeypatch, mock):
    """Another password is no other model, and none is written down."""
    keys = set()
    for password in ("hunter-two", "swordfish"):
        monkeypatch.setenv("OPENAI_BASE_URL", mock.url.replace("//", f"//me:{password}@") + "/v1")
        keys.add(request("x").key)
    _, runner = await matters(project, monkeypatch, mock)

    assert len(keys) == 1
    assert runner.run_id
    assert "hunter-two" not in (project.state / "runlog.sqlite").read_bytes().decode("latin-1")


async def test_a_circuit_that_opened_at_one_address_is_closed_at_another(project, monkeypatch, real):
    """What is learnt of one address does not hold for another, within one process neither."""
    runtime = Runtime(project)
    with ScriptedProvider(faults={"http_503": 1.0}) as broken:
        for name, value in broken.environment().items():
            monkeypatch.setenv(name, value)
        for number in range(9):
            with pytest.raises(ProviderOutageError):
                await runtime.calls.complete(request(f"broken {number}"))
        sent = broken.counts.requests
    for name, value in real.environment().items():
        monkeypatch.setenv(name, value)
    answer = await runtime.calls.complete(request("real"))
    await runtime.aclose()

    assert sent < 9
    assert answer.stored.text
    lanes = {lane.name for lane in runtime.limiter.lanes}
    assert lanes == {f"{p.url.removeprefix('http://')}/v1@openai:m" for p in (broken, real)}


async def test_a_plan_learns_nothing_from_runs_at_another_address(project, monkeypatch, mock, real):
    """What the mock took says nothing about what the provider will take."""
    for _ in range(2):
        _, runner = await matters(project, monkeypatch, mock)
    known = []
    for provider in (mock, real):
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        with closing(open_run_log(project.state, {})) as log:
            sizer = Sizer(runner.job.task, runner.job.context, runner.models)
            known.append(len(read_history(log, sizer, "enrich").walks))

    assert known == [3, 0]


def request(said):
    """One question to the model, tried once."""
    return Request(
        kind="extract", model="openai:m", messages=[{"role": "user", "content": said}], schema=None,
        schema_name="r", doc_id="d", text="", settings=CallSettings(), max_retries=0, has_fallback=True,
    )  # fmt: skip
