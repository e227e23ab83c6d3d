"""The improve and compare graphs under the real LangGraph server: steerable, and never blocking its loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from langgraph_sdk import get_client

from cupel.testing import ScriptedProvider
from tests.integration.improvement import GOOD_RULE, TASK, extractor, made_project, rewriter, speeches, write
from tests.integration.server import langgraph_server

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]
CONTEXT = {
    "cheap_model": "openai:cheap", "strong_model": "none", "judge_model": "openai:judge", "refiner_model": "openai:refiner",
    "judge": "never", "human_review": True,
}  # fmt: skip


def answer(body):
    """Each role's script, by the model that is asked."""
    messages = body["messages"]
    if body["model"] == "refiner":
        return rewriter(GOOD_RULE)(messages, None)
    if body["model"] == "judge":
        return {"reasoning": "The first one is fine.", "better": "first"}
    return extractor(messages, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`langgraph dev` on a copy of the project, its models answered by a scripted provider."""
    folder = tmp_path_factory.mktemp("study")
    made_project(folder)
    write(folder / "speeches.jsonl", speeches(60))
    config = (folder / "langgraph.json").read_text().replace('"env": ".env"', '"env": {}')
    (folder / "langgraph.json").write_text(config)
    (folder / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    log = Path(folder) / "server.log"
    with ScriptedProvider(answer) as provider, langgraph_server(folder, provider.environment(), log) as url:
        yield url, folder
    assert "BlockingError" not in log.read_text()


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """An SDK client of the server."""
    async with get_client(url=server[0], api_key=None) as made:
        yield made


@pytest.mark.parametrize("graph", ["improve", "compare"])
async def test_studio_gets_a_form_and_a_drawing(client, graph):
    """Every input field is described."""
    assistant = (await client.assistants.search(graph_id=graph))[0]
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])

    assert all(field.get("description") for field in schemas["input_schema"]["properties"].values())
    assert schemas["output_schema"]


async def test_a_campaign_stops_for_a_person_and_is_promoted_when_accepted(client, server):
    """From a form to rules.toml."""
    thread = await client.threads.create()
    given = {"task": TASK, "documents": "speeches.jsonl"}
    await client.runs.wait(thread["thread_id"], "improve", input=given, context=CONTEXT)
    state = await client.threads.get_state(thread["thread_id"])

    assert state["next"] == ["approve"]
    ended = await client.runs.wait(
        thread["thread_id"], "improve", command={"resume": [{"type": "accept"}]}, context=CONTEXT
    )
    assert ended["result"] == "promoted"
    assert "concession" in (server[1] / "prompts" / TASK / "rules.toml").read_text()


async def test_two_sides_are_compared_on_one_document(client):
    """A judge that follows the order prefers nothing."""
    given = {
        "text": "Nevertheless I welcome proposal 1.", "task": TASK, "meta": {"topic": "it"},
        "a": {"name": "cheap"}, "b": {"name": "no rules", "rules": []},
    }  # fmt: skip
    ended = await client.runs.wait(None, "compare", input=given, context=CONTEXT)

    assert ended["preferred"] in {"tie", "a", "b"}
    assert set(ended["outcomes"]) == {"a", "b"}
