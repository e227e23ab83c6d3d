"""The hooks of a LangGraph server: whose a thing is, and which runs begin."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from uuid import UUID, uuid5

import pytest
from langgraph_sdk import Auth
from sqlalchemy import select

from cupel.runlog import tables
from cupel.serve import auth, door
from cupel.serve.auth import LIMITED
from cupel.serve.policy import Policy

GRAPHS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
POLICY = Policy.model_validate({
    "graphs": ["enrich"], "tasks": ["arguments"], "models": ["openai:cheap"], "longest_text": 500,
    "requests": {"webhooks": ["https://hooks.example.org/"]},
    "caps": {"usd_per_key": 1, "usd_per_day": 1, "documents_per_key": 2, "documents_per_day": 9},
})  # fmt: skip


@pytest.fixture(autouse=True)
def kept(monkeypatch, run_log):
    """The door of a process under the policy, and its run log."""

    async def current():
        return SimpleNamespace(run_log=run_log)

    monkeypatch.setattr(auth, "current", current)
    monkeypatch.setattr(door, "_doors", [door.Door(POLICY, ["enrich", "improve"])])


def ctx(owner="k1", *, limited=True):
    """Who asks."""
    return SimpleNamespace(user=SimpleNamespace(identity=owner), permissions=[LIMITED] if limited else [])


def run(graph="enrich", **kwargs):
    """A run as a hook sees it."""
    asked = {
        "input": {"text": "a", "task": "arguments"},
        "context": {},
        "command": None,
        "webhook": None,
        **kwargs,
    }
    return {
        "assistant_id": uuid5(GRAPHS, graph),
        "run_id": "r",
        "thread_id": "t",
        "metadata": {},
        "kwargs": asked,
    }


async def status_of(value, who=None):
    """The status a run is refused with; None where it begins."""
    try:
        await auth.begin_run(ctx=who or ctx(), value=value)
    except Auth.exceptions.HTTPException as refused:
        return refused.status_code
    return None


RUNS = {
    "a document": (run(), None),
    "a webhook that was allowed": (run(webhook="https://hooks.example.org/x"), None),
    "another webhook": (run(webhook="https://hooks.example.org.evil/x"), 403),
    "a webhook to the server itself": (run(webhook="/threads/search"), 403),
    "a webhook to this machine": (run(webhook="http://127.0.0.1:2024/internal/truncate"), 403),
    "a webhook to a cloud's metadata": (run(webhook="http://169.254.169.254/latest/meta-data"), 403),
    "a webhook that climbs out": (run(webhook="https://hooks.example.org/a/../../admin"), 403),
    "a webhook that climbs out in disguise": (run(webhook="https://hooks.example.org/a/%252e%252e/admin"), 403),
    "a webhook with a name before its host": (run(webhook="https://hooks.example.org@evil/"), 403),
    "a webhook in a list": (run(webhook=["https://hooks.example.org/x"]), 403),
    "an answer": (run(input=None, command={"resume": "accept"}), None),
    "an answer too long": (run(input=None, command={"resume": "x" * 501}), 413),
    "an answer that writes": (run(input=None, command={"resume": "accept", "update": {}}), 403),
    "improve": (run("improve", input={"task": "arguments", "documents": "x"}), 403),
    "settings the old way": (run(context=None, config={"configurable": {"policy": "/etc/passwd"}}), 403),
    "a long text to an assistant of one's own": (run("mine", input={"text": "x" * 501}), 413),
}  # fmt: skip


OWN = {
    "within what callers may": ({"context": {"task": "arguments", "cheap_model": "openai:cheap"}}, {}, None),
    "with a task that is not theirs": ({"context": {"task": "stance"}}, {"input": {"text": "a"}}, 403),
    "as the request overrules it": ({"context": {"task": "stance"}}, {"input": {"text": "a"}, "context": {"task": "arguments"}}, None),
    "together too long": ({"context": {"output_language": "x" * 300}}, {"input": {"text": "y" * 300}}, 413),
    "with settings the old way": ({"config": {"configurable": {"policy": "/etc/passwd"}}}, {}, 403),
    "of a graph that is not theirs": ({"graph_id": "improve", "context": {}}, {}, 403),
}  # fmt: skip


@pytest.mark.parametrize(("made", "asked", "status"), OWN.values(), ids=OWN)
async def test_what_an_assistant_of_ones_own_comes_to_is_looked_at_before_it_runs(made, asked, status):
    """Its settings with those of the request over them, and not each alone."""
    value = {**run("mine", **asked), "assistant_id": "mine"}
    found = {"mine": {"assistant_id": "mine", "graph_id": "enrich", **made}}
    token = door.PASSAGE.set(door.Passage(door.Caller("k1", POLICY), made=found))
    try:
        assert await status_of(value) == status
    finally:
        door.PASSAGE.reset(token)


AS_IT_CAME = {
    "a document": ({}, None),
    "a path": ({"context": {"policy": "/etc/passwd"}}, 403),
    "another's name": ({"config": {"configurable": {"langgraph_auth_user_id": "k2"}}}, 403),
    "LangGraph's own": ({"config": {"configurable": {"__pregel_task_id": "x"}}}, 403),
    "a command that writes": ({"input": None, "command": {"resume": 1, "goto": "x"}}, 403),
}


@pytest.mark.parametrize(("more", "status"), AS_IT_CAME.values(), ids=AS_IT_CAME)
async def test_a_run_is_looked_at_as_aegra_shows_it(more, status):
    """The request itself, its graph by name, without what LangGraph's server puts around it."""
    value = {"assistant_id": "enrich", "thread_id": "t", "metadata": None, **run()["kwargs"], **more}
    assert await status_of(value) == status


async def test_a_second_run_may_be_refused_by_its_strategy_where_a_first_is_under_way():
    """LangGraph's server enters nobody here, and decides itself."""
    value = {"assistant_id": "enrich", "thread_id": "busy", **run()["kwargs"], "multitask_strategy": "reject"}
    assert await status_of(value) is None
    walking = asyncio.ensure_future(asyncio.sleep(60))
    auth.turns.enter("busy", "r1", walking, None)
    assert await status_of(value) == 409
    walking.cancel()
    await asyncio.sleep(0.01)
    assert await status_of({**value, "input": {"text": "b", "task": "arguments"}}) is None


@pytest.mark.parametrize(("value", "status"), RUNS.values(), ids=RUNS)
async def test_a_run_begins_or_is_refused_with_its_status(value, status):
    """What is not for callers begins nothing."""
    assert await status_of(value) == status


async def test_documents_are_counted_as_they_are_taken_and_answers_are_none(run_log):
    """The third one of two is a 429; what was refused, and an answer to a question, took nothing."""
    asked = [run(), run(input=None, command={"resume": "accept"}), run(context={"policy": "x"}), run(), run()]

    assert [await status_of(value) for value in asked] == [None, None, 403, None, 429]
    query = select(tables.allowances.c.documents)
    assert await run_log.transact(lambda connection: connection.execute(query).scalars().all()) == [2, 2]


async def test_what_is_made_carries_its_owners_name_whatever_was_said():
    """A filter finds one's own alone, and nobody gives a thing away or claims to be the system."""
    thread = {"thread_id": "t", "metadata": {"owner": "k2"}}
    assistant = {"graph_id": "enrich", "context": {}, "metadata": {"created_by": "system"}}

    assert await auth.own_threads(ctx=ctx(), value=thread) == {"owner": "k1"}
    assert thread["metadata"] == {"owner": "k1"}
    await auth.keep_assistant(ctx=ctx(limited=False), value=assistant)
    assert assistant["metadata"] == {"owner": "k1"}
    assert await auth.see_assistants(ctx=ctx(), value={}) == {
        "$or": [{"created_by": "system"}, {"owner": "k1"}]
    }
    assert await auth.delete_assistant(ctx=ctx(), value={}) == {"owner": "k1"}


async def test_on_ones_own_machine_everything_is_found_and_nothing_is_named():
    """Threads of before there were owners stay in sight of Studio."""
    thread = {"thread_id": "t", "metadata": {}}
    here = ctx("local", limited=False)

    assert await auth.own_threads(ctx=here, value=thread) is None
    assert await status_of(run("improve"), here) is None
    assert await auth.close(ctx=here, value={}) is True
    assert thread["metadata"] == {}


async def test_state_is_written_where_forks_are_allowed_and_the_rest_is_closed(monkeypatch):
    """A write of state has neither metadata nor an action; crons and the store have no rule, so they are nobody's."""
    write = {"thread_id": "t"}
    with pytest.raises(Auth.exceptions.HTTPException):
        await auth.change_thread(ctx=ctx(), value=write)
    assert await auth.change_thread(ctx=ctx(), value={"thread_id": "t", "action": "interrupt"}) == {
        "owner": "k1"
    }
    assert await auth.close(ctx=ctx(), value={}) is False
    assert await auth.close(ctx=ctx(limited=False), value={}) is False
    monkeypatch.setattr(door, "_doors", [door.Door(Policy.model_validate({"requests": {"forks": True}}))])

    assert await auth.change_thread(ctx=ctx(), value=write) == {"owner": "k1"}
