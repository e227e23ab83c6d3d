"""The improve and compare graphs under the real LangGraph server: steerable, and never blocking its loop."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from langgraph_sdk import get_client

from cupel.cli.pull_prompts import pull_from_studio
from cupel.errors import InputError
from cupel.improvement.campaign import ledger_of
from tests.integration.bad_inputs import unfit_for_a_client
from tests.integration.improvement import GOOD_RULE, TASK, extractor, made_project, rewriter, speeches, write
from tests.integration.server import project_server

pytestmark = [pytest.mark.door, pytest.mark.asyncio(loop_scope="module")]
CONTEXT = {
    "cheap_model": "openai:cheap", "strong_model": "none", "judge_model": "openai:judge", "refiner_model": "openai:refiner",
    "judge": "never", "human_review": True,
}  # fmt: skip


MINE = '[[rules]]\nid = "mine"\ntext = "{}"\n'


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
    with project_server(folder, answer) as url:
        yield url, folder


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """An SDK client of the server."""
    async with get_client(url=server[0], api_key=None) as client:
        yield client


async def test_a_campaign_stops_for_a_person_whose_edit_is_weighed_and_promoted_when_accepted(
    client, server, tmp_path
):
    """From a form to rules.toml: an answer nobody understands changes nothing, an edit passes the gate itself."""
    rules = server[1] / "prompts" / TASK / "rules.toml"
    before = rules.read_text()
    thread = (await client.threads.create())["thread_id"]
    given = {"task": TASK, "documents": "speeches.jsonl"}
    await client.runs.wait(thread, "improve", input=given, context=CONTEXT)

    async def answered(answer):
        ended = await client.runs.wait(thread, "improve", command={"resume": answer})
        state = await client.threads.get_state(thread)
        asked = state["interrupts"][0]["value"][0] if state["interrupts"] else None
        return ended, asked

    _, asked = await answered([{"type": "perhaps"}])
    assert 'unknown type "perhaps"' in asked["description"]
    _, asked = await answered(
        [{"type": "edit", "args": {"action": "x", "args": {"rules": MINE.format(GOOD_RULE)}}}]
    )
    assert "by human" in asked["description"]
    assert asked["evidence"]["look"] == 2
    assert rules.read_text() == before
    ended, _ = await answered([{"type": "accept"}])

    assert ended["result"] == "promoted"
    assert ended["proposal"]["author"] == "human"
    assert 'id = "mine"' in rules.read_text()
    await a_redeploy_keeps_what_was_promoted(client, server[1], tmp_path)


async def a_redeploy_keeps_what_was_promoted(client, folder, tmp_path):
    """A new image's files, with the prompts folder that was a volume: the version that was promoted. Without it, another."""

    async def version_at(asking):
        given = {"text": "We must build more homes.", "task": TASK, "meta": {"topic": "housing"}}
        return (
            await asking.runs.wait(None, "enrich", input=given, context=CONTEXT | {"human_review": False})
        )["prompt_version"]

    promoted, told = await version_at(client), {}
    for name in ("with the volume", "without"):
        image = tmp_path / name.replace(" ", "-")
        image.mkdir()
        made_project(image)
        if name == "with the volume":
            shutil.rmtree(image / "prompts")
            shutil.copytree(folder / "prompts", image / "prompts")
        with project_server(image, answer) as url:
            async with get_client(url=url, api_key=None) as asking:
                told[name] = await version_at(asking)
    assert told["with the volume"] == promoted
    assert told["without"] != promoted


async def test_a_cancelled_campaign_promotes_nothing(client, server):
    """Its run is cancelled and its thread deleted; the ledger has no move more."""
    before = ledger_of(server[1] / ".cupel").entries(kind="promotion")
    thread = (await client.threads.create())["thread_id"]
    given = {"task": TASK, "documents": "speeches.jsonl", "seed": 1}
    run = await client.runs.create(thread, "improve", input=given, context=CONTEXT)
    await client.runs.cancel(thread, run["run_id"], wait=True)
    await client.threads.delete(thread)

    assert ledger_of(server[1] / ".cupel").entries(kind="promotion") == before


async def pulled(url, assistant):
    """What `cupel prompts pull-from-studio` does, off this test's event loop."""
    await asyncio.to_thread(pull_from_studio, "sentiment", assistant, url, as_json=True)


async def test_a_prompt_edited_in_studio_comes_back_as_a_candidate_with_its_lineage(
    client, server, monkeypatch, capsys
):
    """Not active, its parent the folder's prompt; a broken contract and an unknown assistant are refused."""
    url, folder = server
    monkeypatch.chdir(folder)
    text = (folder / "prompts" / "sentiment" / "extract.md").read_text()
    better = text.replace("# user", "Take irony for what it means.\n\n# user")
    mine = await client.assistants.create("enrich", context={"extract_prompt": better}, name="mine")
    torn = text.replace("{{rules}}", "")
    await client.assistants.create("enrich", context={"extract_prompt": torn}, name="torn")

    await pulled(url, "mine")

    told = json.loads(capsys.readouterr().out)
    ledger = ledger_of(folder / ".cupel")
    assert told["origin"] == {"assistant": mine["assistant_id"], "assistant_version": 1}
    assert ledger.lineage("sentiment", told["version"]) == [told["version"], told["parent"]]
    assert ledger.active("sentiment") is None
    assert Path(told["file"]).read_text() == better
    assert (folder / "prompts" / "sentiment" / "extract.md").read_text() == text
    with pytest.raises(InputError, match=r"lost a placeholder: \{\{rules\}\}"):
        await pulled(url, "torn")
    with pytest.raises(InputError, match=r"no assistant 'nobody'; there are .*\(mine\)"):
        await pulled(url, "nobody")


OF_COMPARE = {name: CONTEXT[name] for name in ("cheap_model", "judge_model")}
SIDES = {
    "a": {"name": "cheap"},
    "b": {"name": "another rule", "rules": [{"id": "x", "text": "Irony means its opposite.", "why": ""}]},
}
SAID = {"text": "Nevertheless I welcome proposal 1.", "task": TASK, "meta": {"topic": "it"}, **SIDES}
REFUSED = {
    "compare, an unknown task": ("compare", {**SAID, "task": "stanc"}, OF_COMPARE, "did you mean 'stance'"),
    "compare, a setting of another graph": ("compare", SAID, CONTEXT, "has no effect here; leave it out"),
    "compare, a misspelt setting": ("compare", SAID, {**OF_COMPARE, "cheap_modell": "x"}, "did you mean 'cheap_model'"),
    "improve, an unknown task": ("improve", {"task": "stanc", "documents": "speeches.jsonl"}, CONTEXT, "did you mean 'stance'"),
    "improve, no such file": ("improve", {"task": TASK, "documents": "nothing.jsonl"}, CONTEXT, "nothing.jsonl"),
    "improve, an unknown engine": ("improve", {"task": TASK, "documents": "speeches.jsonl", "engine": "luck"}, CONTEXT, "luck"),
    "improve, a prompt of its own": ("improve", {"task": TASK, "documents": "speeches.jsonl"}, {**CONTEXT, "extract_prompt": "x"}, "extract_prompt has no effect here"),
}  # fmt: skip


async def test_two_sides_are_compared_on_one_document(client, server, subtests):
    """Fields have descriptions, an empty list of rules drops none, and a refusal is a sentence, to an MCP client too."""
    for graph in ("improve", "compare"):
        with subtests.test(graph):
            assistant = (await client.assistants.search(graph_id=graph))[0]
            schemas = await client.assistants.get_schemas(assistant["assistant_id"])

            assert all(field.get("description") for field in schemas["input_schema"]["properties"].values())
            assert schemas["output_schema"]
    ended = await client.runs.wait(None, "compare", input=SAID, context=OF_COMPARE)
    empty = {**SAID, "b": {"name": "left empty", "rules": [], "extract": ""}}
    same = await client.runs.wait(None, "compare", input=empty, context=OF_COMPARE)

    assert ended["preferred"] in {"tie", "a", "b"}
    assert set(ended["outcomes"]) == {"a", "b"}
    versions = [{side["prompt_version"] for side in one["outcomes"].values()} for one in (ended, same)]
    assert [len(version) for version in versions] == [2, 1]
    async with httpx.AsyncClient(timeout=120) as http:
        for name, (graph, given, context, said) in REFUSED.items():
            called = {"name": graph, "arguments": given, "context": context}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
            accepts = {"Accept": "application/json, text/event-stream"}
            told = (await http.post(f"{server[0]}/mcp", json=message, headers=accepts)).json()["result"]
            plain = await client.runs.wait(None, graph, input=given, context=context, raise_error=False)
            with subtests.test(name):
                assert told["isError"]
                assert said in told["content"][0]["text"]
                assert said in plain["__error__"]["message"]
                assert unfit_for_a_client(told["content"][0]["text"]) == []
