"""The same graph under the real LangGraph server, spoken to through langgraph_sdk over loopback."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_client

from cupel.runs import sync_assistants
from cupel.state import Outcome
from tests.conftest import ROOT
from tests.integration.bad_inputs import INPUTS, SETTINGS, unfit_for_a_client
from tests.integration.cascade import ACCEPTS, CANNOT_TELL, CLAIM, TEXT, record
from tests.integration.clients import a_webhook_is_told_of_a_runs_end
from tests.integration.langsmith import LangSmith
from tests.integration.server import aegra_fault, aegra_server, project_server
from tests.integration.test_tracing import PERSONS
from tests.integration.threads import steady

pytestmark = [pytest.mark.door, pytest.mark.asyncio(loop_scope="module")]
ROLES = {f"{role}_model": f"openai:{role}" for role in ("cheap", "strong", "judge", "refiner")}
RENTS = record(matter="rents")
AS_TEXTS = {name: value if isinstance(value, str) else json.dumps(value) for name, value in RENTS.items()}
OUTCOME = tuple(Outcome.__annotations__)
UNSURE = "Tell nobody. we must build more homes. Rents rose by 40 % in ten years."


def answer(body):
    """The provider's script: records for extraction; the judge cannot tell for one of the documents."""
    schema = body["response_format"]["json_schema"]["schema"]
    said = body["messages"][-1]["content"]
    told = said.rpartition("</document>")[2]
    if "told_apart" in schema["properties"]:
        return CANNOT_TELL if "Tell nobody" in said and '"rents"' not in said else ACCEPTS
    if "Fail me" in said:
        return "no record"
    return RENTS if "Take the rents" in told else record()


def copied(folder):
    """A copy of the project."""
    for name in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "langgraph.json", folder)
    return folder


@pytest.fixture(scope="module")
def langsmith():
    """A stand-in for LangSmith, whose key the server has; nobody asked for tracing."""
    with LangSmith() as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory, langsmith):
    """`langgraph dev` on a copy of the project, its models answered by a scripted provider."""
    folder = copied(tmp_path_factory.mktemp("project"))
    config = json.loads((folder / "langgraph.json").read_text())
    config["webhooks"] = {"url": {"disable_loopback": False, "require_https": False}}
    (folder / "langgraph.json").write_text(json.dumps(config))
    with project_server(folder, answer, langsmith.env) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """An SDK client of the server."""
    async with get_client(url=server, api_key=None) as client:
        yield client


@pytest.fixture(scope="module")
def aegra_url(tmp_path_factory):
    """Aegra on another copy; None where it is not installed."""
    if aegra_fault():
        yield None
        return
    with project_server(copied(tmp_path_factory.mktemp("aegra")), answer, {}, aegra_server) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def aegra(aegra_url):
    """What gives an SDK client of Aegra; a skip where it is not installed."""
    async with AsyncExitStack() as opened:

        def client():
            if aegra_url is None:
                pytest.skip(aegra_fault())
            made = get_client(url=aegra_url, api_key=None)
            opened.push_async_callback(made.aclose)
            return made

        yield client


async def studio_gets_a_form_for_input_settings_and_output(client):
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


async def a_stateless_run_returns_the_outcome_whatever_is_asked(client, subtests):
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
    "the inbox accepts": ([{"type": "accept", "args": None}], "accepted", "accept", "housing"),
    "the inbox edits, each field as text": ([{"type": "edit", "args": {"action": "a", "args": AS_TEXTS}}], "accepted", "edit", "rents"),
    "the inbox responds": ([{"type": "response", "args": "Take the rents for the matter."}], "accepted", "respond", "rents"),
    "the inbox ignores": ([{"type": "ignore", "args": None}], "needs_review", "ignore", "housing"),
    "LangChain approves": ({"decisions": [{"type": "approve"}]}, "accepted", "accept", "housing"),
    "LangChain edits": (
        {"decisions": [{"type": "edit", "edited_action": {"name": "a", "args": RENTS}}]}, "accepted", "edit", "rents",
    ),
    "LangChain rejects": ({"decisions": [{"type": "reject", "message": "Not ours."}]}, "needs_review", "ignore", "housing"),
    "LangChain responds": (
        {"decisions": [{"type": "respond", "message": "Take the rents for the matter."}]}, "accepted", "respond", "rents",
    ),
    "one response, no list": ({"type": "accept", "by": "Ada"}, "accepted", "accept", "housing"),
    "one edited field": ({"type": "edit", "args": {"matter": "rents"}}, "accepted", "edit", "rents"),
    "the record itself": (RENTS, "accepted", "edit", "rents"),
    "the record as JSON text": (json.dumps(RENTS), "accepted", "edit", "rents"),
    "a word": ("accept", "accepted", "accept", "housing"),
    "another word": ("ignore", "needs_review", "ignore", "housing"),
    "words": ("Take the rents for the matter.", "accepted", "respond", "rents"),
    "nonsense": ([{"type": "dance"}], None, None, None),
}  # fmt: skip


async def test_a_person_is_heard_in_every_shape_by_a_resume_that_brings_nothing_else(client, aegra, subtests):
    """Agent Inbox's, LangChain's and plain payloads, half of them through RemoteGraph; the run's settings hold."""
    await a_person_is_heard(client, subtests.test)
    with subtests.test("on Aegra"):
        await a_person_is_heard(aegra(), lambda case: subtests.test(f"on Aegra: {case}"))


async def a_person_is_heard(client, subtest):
    """Each shape on a thread of its own."""
    remote = RemoteGraph("enrich", client=client)

    async def ask(name, number, reply):
        thread = (await client.threads.create())["thread_id"]
        given = {"text": f"{UNSURE} Case {number}."}
        await client.runs.wait(thread, "enrich", input=given, context={**ROLES, "human_review": True})
        question = (await client.threads.get_state(thread))["interrupts"][0]["value"][0]
        if number % 2:
            config = {"configurable": {"thread_id": thread}}
            await remote.ainvoke(Command(resume=reply), config)
        else:
            await client.runs.wait(thread, "enrich", command={"resume": reply})
        return question, await client.threads.get_state(thread)

    asked = await asyncio.gather(*(ask(name, n, case[0]) for n, (name, case) in enumerate(ANSWERS.items())))
    for (name, (_, status, action, matter)), (question, state) in zip(ANSWERS.items(), asked, strict=True):
        with subtest(name):
            values = state["values"]
            assert set(question) == {"action_request", "config", "description"}
            assert "## Evidence" in question["description"]
            if status is None:
                assert state["next"] == ["review"]
                assert 'unknown type "dance"' in state["interrupts"][0]["value"][0]["description"]
                continue
            assert (values["status"], values["record"]["matter"]) == (status, matter)
            assert values["review"]["action"] == action
            assert values["review"]["by"] == ("Ada" if name == "one response, no list" else "a person")
            assert values["review"]["at"]
            assert {attempt["model"] for attempt in values["attempts"]} == {"openai:cheap"}


USES = {
    "good": {"text": TEXT, "doc_id": "good", "task": "arguments", "meta": {"party": "x"}},
    "good, the text alone": {"text": TEXT},
    "another task": {"text": TEXT, "task": "sentiment", "doc_id": "other"},
    "blank": {"text": " ", "doc_id": "blank"},
    "failing": {"text": f"Fail me. {TEXT}", "doc_id": "failing", "meta": {"party": "y"}},
    "reviewed": {"text": UNSURE, "doc_id": "unsure"},
    "bad": {"text": TEXT, "doc_id": 12, "meta": "x"},
}


async def test_a_thread_that_is_used_again_gives_the_outcome_of_a_fresh_one(client, aegra, subtests):
    """Forty-nine pairs of documents, in every order, under each way a server handles a second input."""
    await a_thread_is_used_again(client, subtests.test)
    with subtests.test("on Aegra"):
        await a_thread_is_used_again(aegra(), lambda case: subtests.test(f"on Aegra: {case}"))


async def a_thread_is_used_again(client, subtest):
    """Every pair on a thread of its own."""
    context = {**ROLES, "human_review": True}

    async def settled(thread):
        state = await client.threads.get_state(thread)
        return steady({name: state["values"].get(name) for name in OUTCOME}), state["next"]

    async def alone(given):
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, "enrich", input=given, context=context, raise_error=False)
        return await settled(thread)

    async def after(first, second, strategy):
        thread = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread, "enrich", input=first, context=context)
        if strategy is None:
            await client.runs.join(thread, run["run_id"])
        second_run = await client.runs.create(
            thread, "enrich", input=second, context=context, multitask_strategy=strategy or "reject"
        )
        await client.runs.join(thread, second_run["run_id"])
        return await settled(thread)

    fresh = dict(zip(USES, await asyncio.gather(*(alone(given) for given in USES.values())), strict=True))
    strategies = itertools.cycle((None, "enqueue", "interrupt", "rollback"))
    pairs = [(a, b, next(strategies)) for a in USES for b in USES]
    used = await asyncio.gather(*(after(USES[a], USES[b], strategy) for a, b, strategy in pairs))
    for (a, b, strategy), outcome in zip(pairs, used, strict=True):
        with subtest(f"{b} after {a}, {strategy or 'one after the other'}"):
            assert outcome == fresh[b]


async def a_fork_on_the_server_goes_on_along_the_routers_edge(client):
    """Change the judge's verdict and go on; the router goes by the settings of the run before."""
    thread = (await client.threads.create())["thread_id"]
    first = await client.runs.wait(thread, "enrich", input={"text": UNSURE}, context=ROLES)
    assert first["status"] == "needs_review"
    verdict = {**first["verdicts"][-1], "verdict": "accepted", "findings": [], "reason": ""}
    await client.threads.update_state(thread, {"verdicts": [verdict]}, as_node="judge")

    assert (await client.threads.get_state(thread))["next"] == ["finish"]
    outcome = await client.runs.wait(thread, "enrich", input=None, context=ROLES)
    assert (outcome["status"], outcome["reasons"]) == ("accepted", [])


async def every_bad_input_is_answered_in_a_sentence_through_every_door(client, server, subtests):
    """Over HTTP, as an MCP tool and through RemoteGraph: what is wrong and what to do, nothing of the machine."""
    remote = RemoteGraph("enrich", client=client)
    cases = {name: (given, ROLES, said) for name, (given, said) in INPUTS.items()}
    cases |= {name: ({"text": TEXT}, {**ROLES, **given}, said) for name, (given, said) in SETTINGS.items()}
    del cases["a key that is not set"]  # the scripted provider sets all

    async def over_mcp(http, given, context):
        called = {"name": "enrich", "arguments": given, "context": context}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
        accepts = {"Accept": "application/json, text/event-stream"}
        told = (await http.post(f"{server}/mcp", json=message, headers=accepts)).json()
        return told["result"]["content"][0]["text"]

    async def heard(http, given, context):
        return await asyncio.gather(
            client.runs.wait(None, "enrich", input=given, context=context, raise_error=False),
            remote.ainvoke(given, context=context),
            over_mcp(http, given, context),
        )

    async with httpx.AsyncClient(timeout=120) as http:
        told = await asyncio.gather(*(heard(http, given, context) for given, context, _ in cases.values()))
    for (name, (_, _, said)), (plain, through, tool) in zip(cases.items(), told, strict=True):
        with subtests.test(name):
            assert said in plain["reasons"][0]
            assert said in through["reasons"][0]
            assert json.loads(tool)["reasons"] == plain["reasons"]
            assert unfit_for_a_client(plain["reasons"][0]) == []


async def traces_leave_the_server_as_they_leave_a_batch(folder):
    """Tagged, priced, with prompt version and feedback; nothing personal, no document twice under one name."""
    prices = ",".join(f"openai:{role}=1/2" for role in ("cheap", "judge"))
    with LangSmith() as langsmith:
        env = {**langsmith.tracing, "CUPEL_TRACE_MASK": "personal", "CUPEL_PRICES": prices}
        with project_server(copied(folder), answer, env) as url:
            async with get_client(url=url, api_key=None) as client:
                documents = {
                    person: f"{TEXT} Write to {person}. {'So it is. ' * 180}"[:2_000] for person in PERSONS
                }
                given = [
                    {"text": text, "doc_id": name, "task": "arguments"} for name, text in documents.items()
                ]
                done = (client.runs.wait(None, "enrich", input=one, context=ROLES) for one in given)
                assert {one["status"] for one in await asyncio.gather(*done)} == {"accepted"}
                thread = (await client.threads.create())["thread_id"]
                context = {**ROLES, "human_review": True}
                await client.runs.wait(thread, "enrich", input={"text": UNSURE}, context=context)
                await client.runs.wait(thread, "enrich", command={"resume": "accept"})
            traces = langsmith.settled(len(PERSONS) + 1)
        assert [person for person in PERSONS if person.encode() in langsmith.bodies()] == []
        roots = [runs[0] for runs in traces.values() if runs[0].id in langsmith.feedback()]
        assert len({root.metadata["doc_id"] for root in roots}) == len(roots) == len(PERSONS) + 1
        assert sum(langsmith.feedback()[root.id].get("person") == "accept" for root in roots) == 1
        for root in roots:
            runs = traces[root.id]
            calls = [run for run in runs if run.fields["run_type"] == "llm"]
            assert root.fields["tags"] == ["task:arguments"]
            assert root.metadata["prompt_version"]
            assert root.metadata["cost_usd"] > 0
            assert all(call.metadata["usage_metadata"]["total_cost"] > 0 for call in calls)
            assert all(call.metadata["prompt_version"] for call in calls)
            assert sum(run.size for run in runs) <= 25_000


async def assistants_follow_the_files_and_stay_as_a_person_left_them(client, subtests, folder):
    """One for each task and profile; a change of a file is a new version, a change of a person is no more ours."""
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    extract = folder / "prompts" / "stance" / "extract.md"

    async def synced():
        done = await sync_assistants(client, folder / "prompts", ["openai", "offline"])
        return {one.name: (one.done, one.version) for one in done}

    async def of(name):
        [one] = await client.assistants.search(name=name)
        return one

    with subtests.test("made, and found as they were"):
        assert set((await synced()).values()) == {("made", 1)}
        assert set((await synced()).values()) == {("as it was", 1)}
        stance = await of("stance openai")
        assert stance["context"]["extract_prompt"] == extract.read_text()
        assert stance["context"]["task"] == "stance"
    with subtests.test(
        "walked: the prompts it shows are the files', and its task is that of a document without one"
    ):
        given = {"text": TEXT, "meta": {"topic": "housing"}}
        walked = await client.runs.wait(None, stance["assistant_id"], input=given, context={"judge": "never"})
        plain = await client.runs.wait(
            None, "enrich", input={**given, "task": "stance"}, context={**ROLES, "judge": "never"}
        )
        assert walked["task"] == "stance"
        assert walked["prompt_version"] == plain["prompt_version"]
    mine = await of("stance offline")
    await client.assistants.update(
        mine["assistant_id"], context={**mine["context"], "extract_prompt": "Mine. {{text}}"}, name="my own"
    )
    back = await of("stance openai")
    extract.write_text(extract.read_text().replace("# user", "Take irony for what it means.\n\n# user"))
    (folder / "prompts" / "stance" / "judge.md").write_text(
        (ROOT / "prompts" / "stance" / "judge.md").read_text() + "\n"
    )
    after = await synced()
    with subtests.test("a file that changed is a new version"):
        assert after["stance openai"] == ("brought up", 2)
        assert "irony" in (await of("stance openai"))["context"]["extract_prompt"]
        assert after["arguments openai"] == ("as it was", 1)
    with subtests.test("what a person changed stays, the rest is brought up"):
        own = await client.assistants.get(mine["assistant_id"])
        assert (own["name"], own["context"]["extract_prompt"]) == ("my own", "Mine. {{text}}")
        assert (own["context"]["judge_prompt"] or "").endswith("\n\n")
    with subtests.test("an older version that a person chose stays chosen"):
        await client.assistants.set_latest(back["assistant_id"], 1)
        assert (await synced())["stance openai"] == ("left to its owner", 1)


async def every_call_of_a_document_can_be_opened(client, server):
    """docs/studio.md, step by step: the stream, the words of the thread, each call, and asking afresh."""
    thread = (await client.threads.create())["thread_id"]
    text = f"{TEXT} {'It is said once more. ' * 90}"[:2_000]
    given = {"text": text, "task": "arguments", "doc_id": "debugged"}

    async def events(**context):
        stream = client.runs.stream(
            thread, "enrich", input=given, context={**ROLES, **context}, stream_mode=["custom"]
        )
        return [part.data async for part in stream if part.event == "custom"]

    first = await events()
    steps = [event["step"] for event in first if event["event"] == "cupel.step"]
    calls = [event for event in first if event["event"] == "cupel.call"]
    assert steps == ["prepare", "extract", "verify", "judge", "finish"]
    assert [call["kind"] for call in calls] == ["extract", "judge"]
    assert all(text in call["messages"][-1]["content"] for call in calls)
    again = [event for event in await events() if event["event"] == "cupel.call"]
    assert [(call["key"], call["reply"], call["cached"]) for call in again] == [
        (call["key"], call["reply"], True) for call in calls
    ]
    state = await client.threads.get_state(thread)
    assert "text" not in state["values"] or not state["values"]["text"]
    sizes = [len(json.dumps(one["values"])) for one in await client.threads.get_history(thread, limit=50)]
    assert max(sizes) <= 10_000
    place = f"{server}/cupel/threads/{thread}"
    async with httpx.AsyncClient() as http:
        whole = (await http.get(place)).json()
        opened = (await http.get(f"{place}/calls")).json()
        one = (await http.get(f"{place}/calls/{calls[1]['key']}")).json()
        lost = await http.get(f"{place}/calls/none")
        elsewhere = await http.get(place, params={"checkpoint_id": "x/"})
    assert whole["text"] == text
    assert whole["attempts"][0]["evidence"][0]["quote"] == CLAIM
    assert whole["verdicts"][0]["findings"][0]["criterion"] == "told_apart"
    assert [call["messages"] for call in opened] == [call["messages"] for call in calls]
    assert [call["of"] for call in opened] == [{"attempt": 1, "tier": "cheap"}, {"verdict": 1, "attempt": 1}]
    assert (one["reply"], one["gone"]) == (calls[1]["reply"], False)
    assert (lost.status_code, "has no call none" in lost.json()["detail"]) == (404, True)
    assert elsewhere.status_code == 404
    afresh = [event for event in await events(ask_afresh=True) if event["event"] == "cupel.call"]
    assert [call["cached"] for call in afresh] == [False, False]
    assert {call["key"] for call in afresh}.isdisjoint(call["key"] for call in calls)
    long = {"text": f"{TEXT} {'It is said once more. ' * 5_000}"[:100_000], "task": "arguments"}
    other = (await client.threads.create())["thread_id"]
    outcome = await client.runs.wait(other, "enrich", input=long, context=ROLES)
    assert len(json.dumps(outcome)) <= 8_000
    assert len(json.dumps(await client.threads.get_history(other, limit=50))) <= 400_000


async def test_what_callers_see_of_the_server_is_whole(client, server, aegra, subtests, langsmith, tmp_path):  # noqa: PLR0917 # fixtures
    """Studio's forms, stateless runs, forks and bad inputs, one after another on one server."""
    with subtests.test("forms"):
        await studio_gets_a_form_for_input_settings_and_output(client)
    await a_stateless_run_returns_the_outcome_whatever_is_asked(client, subtests)
    with subtests.test("forks"):
        await a_fork_on_the_server_goes_on_along_the_routers_edge(client)
    await every_bad_input_is_answered_in_a_sentence_through_every_door(client, server, subtests)
    await assistants_follow_the_files_and_stay_as_a_person_left_them(
        client, subtests, tmp_path / "assistants"
    )
    with subtests.test("a webhook"):
        await a_webhook_is_told_of_a_runs_end(client, ROLES)
    with subtests.test("what is debugged"):
        await every_call_of_a_document_can_be_opened(client, server)
    with subtests.test("a key alone sends nothing"):
        assert langsmith.seen == []
    with subtests.test("traces"):
        await traces_leave_the_server_as_they_leave_a_batch(tmp_path)
    with subtests.test("on Aegra"):
        other = aegra()
        aegra_url = str(other.http.client.base_url).rstrip("/")
        await studio_gets_a_form_for_input_settings_and_output(other)
        await pages_and_counts_are_there(aegra_url)
        await a_stateless_run_returns_the_outcome_whatever_is_asked(other, subtests)
        await a_fork_on_the_server_goes_on_along_the_routers_edge(other)
        await every_bad_input_is_answered_in_a_sentence_through_every_door(other, aegra_url, subtests)
        await every_call_of_a_document_can_be_opened(other, aegra_url)


async def pages_and_counts_are_there(url):
    """The docs, the protocol's description, Prometheus' counts and both health routes, without a key."""
    async with httpx.AsyncClient(base_url=url) as http:
        for path, word in (
            ("/docs", "swagger"),
            ("/openapi.json", "/runs/wait"),
            ("/cupel/metrics", "cupel_runs"),
            ("/ok", "true"),
            ("/cupel/ok", "true"),
        ):
            answer = await http.get(path)
            assert answer.status_code == 200, path
            assert word in answer.text
