"""The same graph under the real LangGraph server, spoken to through langgraph_sdk over loopback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import pytest_asyncio
from langgraph_sdk import get_client

from cupel.testing.provider import ScriptedProvider
from tests.conftest import ROOT
from tests.integration.cascade import ACCEPTS, CANNOT_TELL, CLAIM, TEXT, record
from tests.integration.server import langgraph_server

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]
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
    config = (ROOT / "langgraph.json").read_text().replace('"env": ".env"', '"env": {}')
    (folder / "langgraph.json").write_text(config)
    (folder / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    log = Path(folder) / "server.log"
    with ScriptedProvider(answer) as provider, langgraph_server(folder, provider.environment(), log) as url:
        yield url
    assert "BlockingError" not in log.read_text()


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """An SDK client of the server."""
    async with get_client(url=server, api_key=None) as made:
        yield made


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


async def test_a_stateless_run_returns_the_outcome(client):
    """POST /runs/wait: text in, outcome out."""
    outcome = await client.runs.wait(None, "enrich", input={"text": TEXT, "task": "arguments"}, context=ROLES)

    assert outcome["status"] == "accepted"
    assert TEXT[outcome["evidence"][0]["start"] : outcome["evidence"][0]["end"]] == CLAIM
    assert outcome["path"] == ["prepare", "extract", "verify", "judge", "finish"]


@pytest.mark.parametrize(
    ("answer", "status", "action"),
    [
        pytest.param({"type": "accept", "args": None}, "accepted", "accept", id="accepted as it is"),
        pytest.param(
            {"type": "edit", "args": {"action": "accept_arguments", "args": record(matter="rents")}},
            "accepted",
            "edit",
            id="edited",
        ),
        pytest.param(
            {"type": "response", "args": "ask the speaker"}, "needs_review", "respond", id="answered in words"
        ),
        pytest.param({"type": "ignore", "args": None}, "needs_review", "ignore", id="ignored"),
    ],
)
async def test_a_person_is_asked_in_the_agent_inbox_shape_and_the_answer_resumes_the_run(
    client, answer, status, action
):
    """The interrupt of review is answered through the SDK."""
    thread = await client.threads.create()
    await client.runs.wait(
        thread["thread_id"], "enrich", input={"text": UNSURE}, context={**ROLES, "human_review": True}
    )
    state = await client.threads.get_state(thread["thread_id"])
    question = state["interrupts"][0]["value"][0]
    assert state["next"] == ["review"]
    assert set(question) == {"action_request", "config", "description"}

    outcome = await client.runs.wait(
        thread["thread_id"], "enrich", command={"resume": [answer]}, context={**ROLES, "human_review": True}
    )

    assert outcome["status"] == status
    assert outcome["review"]["action"] == action
    if action == "edit":
        assert outcome["record"]["matter"] == "rents"


async def test_an_unknown_task_is_a_failed_outcome_that_says_so(client):
    """The server hides exceptions from its users; the reason stands in the outcome."""
    outcome = await client.runs.wait(None, "enrich", input={"text": TEXT, "task": "argument"}, context=ROLES)

    assert outcome["status"] == "failed"
    assert "did you mean 'arguments'" in outcome["reasons"][0]


async def test_an_ad_hoc_schema_is_enriched_like_a_task(client):
    """Studio users change the task by giving a schema."""
    schema = {"type": "object", "properties": {"demand": {"type": "string"}}, "required": ["demand"]}
    outcome = await client.runs.wait(
        None,
        "enrich",
        input={"text": TEXT, "output_schema": schema, "instructions": "What is demanded?"},
        context={**ROLES, "judge": "never"},
    )

    assert outcome["task"] == "ad-hoc"
    assert outcome["record"] is None or set(outcome["record"]) == {"demand"}
