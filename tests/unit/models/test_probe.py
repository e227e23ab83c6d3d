"""What a server really does is found out, whatever it says; no document pays for a wrong assumption."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cupel.context import RunContext
from cupel.errors import ProviderRefusedError
from cupel.models import Findings, ProviderCallError, aclose_models, asked_of, capabilities, probe_endpoint
from cupel.runlog import open_run_log
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task
from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply, answer_by_schema, completion, longest_reply

MODEL = "local:m"
COUNTED = " ".join(map(str, range(1, 301)))
RECORD = {"evidence": [], "sentiment": "positive"}


def honest(body: dict[str, Any]) -> Any:
    """Obeys, tells, and keeps to the limit."""
    if "Count" in body["messages"][-1]["content"]:
        return COUNTED[: 2 * longest_reply(body)]
    return answer_by_schema(body)


def ignores_all(body: dict[str, Any]) -> Any:
    """As `transformers serve`: a schema and log-probabilities are passed over without a word; the limit is kept."""
    said = (
        COUNTED[: 2 * longest_reply(body)] if "Count" in body["messages"][-1]["content"] else _in_words(body)
    )
    return RawReply(body=completion({"model": "m"}, said, None))


def refuses_the_schema(body: dict[str, Any]) -> Any:
    """As llama-cpp-python's server: an error for the schema, and one spelling of the limit, which we do not know."""
    if body.get("response_format", {}).get("type") == "json_schema":
        return RawReply(body={"error": {"message": "Input should be 'text' or 'json_object'"}}, status=500)
    return COUNTED if "Count" in body["messages"][-1]["content"] else _in_words(body)


def tells_nothing(body: dict[str, Any]) -> Any:
    """No usage, no log-probabilities, and a word of its own in place of the schema's."""
    said = 'Here you are: {"answer": "yes"}' if "yes" in body["messages"][-1]["content"] else _in_words(body)
    answer = completion({"model": "m"}, said, None)
    answer.pop("usage")
    return RawReply(body=answer)


def _in_words(body: dict[str, Any]) -> str:
    """A record in a fence where the prompt states the schema, and prose where it does not."""
    stated = "evidence" in json.dumps(
        [m for m in body["messages"] if m["role"] == "system"]
    ) and "enum" in str(body["messages"])
    return f"Sure!\n```json\n{json.dumps(RECORD)}\n```" if stated else "I would say it is positive."


LIARS: dict[str, tuple[Callable[[dict[str, Any]], Any], Findings]] = {
    "honest": (honest, Findings(schema=True, logprobs=True, alternatives=True, output_limit=True, usage=True)),
    "ignores all": (
        ignores_all, Findings(schema=False, logprobs=False, alternatives=False, output_limit=True, usage=True),
    ),
    "refuses the schema": (
        refuses_the_schema, Findings(schema=False, logprobs=True, alternatives=True, output_limit=False, usage=True),
    ),
    "tells nothing": (
        tells_nothing, Findings(schema=False, logprobs=False, alternatives=False, output_limit=True, usage=False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIARS)
async def test_a_server_is_found_as_it_is(name, monkeypatch):
    """Whatever it ignores, refuses or leaves out."""
    answer, found = LIARS[name]
    with ScriptedProvider(answer) as server:
        monkeypatch.setenv("CUPEL_LOCAL_BASE_URL", server.environment()["CUPEL_LOCAL_BASE_URL"])
        told = await probe_endpoint(MODEL)
        await aclose_models()

    assert told == found
    assert Findings.from_json(told.to_json()) == told


async def test_an_answer_nested_beyond_reason_obeys_nothing(monkeypatch):
    """Who answers so to every question ends no run."""
    with ScriptedProvider(lambda _: '{"x": ' + "[" * 3000 + "]" * 3000 + "}") as server:
        monkeypatch.setenv("CUPEL_LOCAL_BASE_URL", server.environment()["CUPEL_LOCAL_BASE_URL"])
        told = await probe_endpoint(MODEL)
        await aclose_models()

    assert not told.schema


@pytest.mark.parametrize("status", [401, 404, 429, 503])
async def test_who_does_not_answer_teaches_nothing(status, monkeypatch):
    """A wrong key, no such model, a limit, an outage: no word about what it can do."""
    with ScriptedProvider(lambda body: RawReply(body={"error": {"message": "no"}}, status=status)) as server:
        monkeypatch.setenv("CUPEL_LOCAL_BASE_URL", server.environment()["CUPEL_LOCAL_BASE_URL"])
        with pytest.raises(ProviderCallError):
            await probe_endpoint(MODEL)
        await aclose_models()


@pytest.mark.parametrize("name", LIARS)
async def test_no_document_is_lost_to_what_a_server_cannot_do(name, project, monkeypatch):
    """Who ignores the schema gets it in the prompt; the second run looks into the run log and asks nothing about it."""
    answer, found = LIARS[name]
    with ScriptedProvider(answer) as server:
        monkeypatch.setenv("CUPEL_LOCAL_BASE_URL", server.environment()["CUPEL_LOCAL_BASE_URL"])
        await note(project)
        first = await enrich(project)
        asked = len(server.requests)
        second = await enrich(project)

        assert len(server.requests) == asked

    assert [outcome["status"] for outcome in first] == [outcome["status"] for outcome in second]
    assert all(outcome["record"] is not None for outcome in first), first
    assert (capabilities(MODEL).structured == "json_schema") == found.schema


@pytest.mark.parametrize("name", [name for name in LIARS if name != "refuses the schema"])
async def test_unprobed_it_costs_a_repair_and_no_document(name, project, monkeypatch):
    """Whoever never probes loses nothing either: the repair states the schema that was passed over."""
    answer, _ = LIARS[name]
    with ScriptedProvider(answer) as server:
        monkeypatch.setenv("CUPEL_LOCAL_BASE_URL", server.environment()["CUPEL_LOCAL_BASE_URL"])
        outcomes = await enrich(project)

    assert all(outcome["record"] is not None for outcome in outcomes), outcomes


async def test_unprobed_a_server_that_refuses_the_schema_ends_the_run_with_the_setting_to_change(
    project, monkeypatch
):
    """An error 500 for every request is no outage to wait for."""
    with ScriptedProvider(refuses_the_schema) as server:
        monkeypatch.setenv("CUPEL_LOCAL_BASE_URL", server.environment()["CUPEL_LOCAL_BASE_URL"])

        with pytest.raises(ProviderRefusedError, match=r'CUPEL_CAPABILITIES="local:m=json_object"'):
            await enrich(project)


async def note(project) -> None:
    """What `cupel doctor --probe` leaves in the run log."""
    run_log = open_run_log(project.state, {})
    await run_log.note_endpoint(asked_of(MODEL), (await probe_endpoint(MODEL)).to_json())
    run_log.close()


async def enrich(project) -> list[Any]:
    """Three short texts."""
    settings = RunContext(profile="local", cheap_model=MODEL, judge="never")
    job = Job(task=load_task("sentiment", project.prompts), context=settings)
    rows = [Row(number, {}, f"Speech {number} is good.", f"d{number}") for number in range(3)]
    async with Runner(job, project) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
        runner.stop.check()
        return outcomes
