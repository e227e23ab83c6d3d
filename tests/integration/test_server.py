"""The same graph under the real LangGraph server, spoken to through langgraph_sdk over loopback."""

from __future__ import annotations

import shutil

import pytest
import pytest_asyncio
from langgraph_sdk import get_client

from tests.conftest import ROOT
from tests.integration.cascade import ACCEPTS, CANNOT_TELL, CLAIM, TEXT, record
from tests.integration.server import project_server

pytestmark = [pytest.mark.door, pytest.mark.asyncio(loop_scope="module")]
ROLES = {f"{role}_model": f"openai:{role}" for role in ("cheap", "strong", "judge", "refiner")}
UNSURE = "Tell nobody. we must build more homes. Rents rose by 40 % in ten years."


def answer(body):
    """The provider's script: records for extraction; the judge cannot tell for one of the documents."""
    schema = body["response_format"]["json_schema"]["schema"]
    if "told_apart" not in schema["properties"]:
        return record()
    return CANNOT_TELL if "Tell nobody" in body["messages"][-1]["content"] else ACCEPTS


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`langgraph dev` on a copy of the project, its models answered by a scripted provider."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "langgraph.json", folder)
    with project_server(folder, answer) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """An SDK client of the server."""
    async with get_client(url=server, api_key=None) as client:
        yield client


async def test_studio_gets_a_form_for_input_settings_and_output(client):
    """Schemas come out non-null, fields described, prompts tied to their nodes; edges carry labels."""
    assistants = await client.assistants.search(graph_id="enrich")
    schemas = await client.assistants.get_schemas(assistants[0]["assistant_id"])
    for name in ("input_schema", "output_schema", "state_schema", "context_schema"):
        assert schemas[name], name
    context = schemas["context_schema"]["properties"]
    assert all(field.get("description") for field in schemas["input_schema"]["properties"].values())
    assert context["extract_prompt"]["langgraph_nodes"] == ["extract"]
    assert context["extract_prompt"]["langgraph_type"] == "prompt"
    assert all(field.get("description") for field in context.values())
    drawing = await client.assistants.get_graph(assistants[0]["assistant_id"])
    labels = {edge.get("data") for edge in drawing["edges"]}
    assert {"in doubt", "confident", "rejected", "rounds spent", "for a person"} <= labels


async def test_a_stateless_run_returns_the_outcome_whatever_is_asked(client, subtests):
    """POST /runs/wait: text in, outcome out, its reason where there is none; a schema is enriched like a task."""

    async def enrich(**fields):
        context = {**ROLES, "judge": "never"} if "output_schema" in fields else ROLES
        return await client.runs.wait(None, "enrich", input={"text": TEXT, **fields}, context=context)

    with subtests.test("a task by its name"):
        outcome = await enrich(task="arguments")

        assert outcome["status"] == "accepted"
        assert TEXT[outcome["evidence"][0]["start"] : outcome["evidence"][0]["end"]] == CLAIM
        assert outcome["path"] == ["prepare", "extract", "verify", "judge", "finish"]
    with subtests.test("an unknown task: the server hides exceptions, the outcome has the reason"):
        outcome = await enrich(task="argument")

        assert outcome["status"] == "failed"
        assert "did you mean 'arguments'" in outcome["reasons"][0]
    with subtests.test("an ad-hoc schema"):
        schema = {"type": "object", "properties": {"demand": {"type": "string"}}, "required": ["demand"]}
        outcome = await enrich(output_schema=schema, instructions="What is demanded?")

        assert outcome["task"] == "ad-hoc"
        assert outcome["record"] is None or set(outcome["record"]) == {"demand"}


ANSWERS = {
    "accepted as it is": ({"type": "accept", "args": None}, "accepted", "accept"),
    "edited": (
        {"type": "edit", "args": {"action": "accept_arguments", "args": record(matter="rents")}},
        "accepted",
        "edit",
    ),
    "answered in words": ({"type": "response", "args": "ask the speaker"}, "needs_review", "respond"),
    "ignored": ({"type": "ignore", "args": None}, "needs_review", "ignore"),
}


async def test_a_person_is_asked_in_the_agent_inbox_shape_and_the_answer_resumes_the_run(client, subtests):
    """interrupt() in review, answered through the SDK in each way a person may answer."""
    context = {**ROLES, "human_review": True}
    for name, (reply, status, action) in ANSWERS.items():
        with subtests.test(name):
            thread = (await client.threads.create())["thread_id"]
            await client.runs.wait(thread, "enrich", input={"text": UNSURE}, context=context)
            state = await client.threads.get_state(thread)
            question = state["interrupts"][0]["value"][0]
            assert state["next"] == ["review"]
            assert set(question) == {"action_request", "config", "description"}

            outcome = await client.runs.wait(thread, "enrich", command={"resume": [reply]}, context=context)

            assert outcome["status"] == status
            assert outcome["review"]["action"] == action
            if action == "edit":
                assert outcome["record"]["matter"] == "rents"
