"""Who owns what on a LangGraph server, and which runs may begin: named as `auth` in langgraph.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from langgraph_sdk import Auth

from cupel.engine import current, take_documents
from cupel.runlog import RunLog
from cupel.serve.door import CALLER, PASSAGE, Caller, door
from cupel.serve.keys import caps_of
from cupel.serve.policy import CLOSED, Policy
from cupel.serve.record import close_questions, note
from cupel.serve.refusal import Refusal, is_told, refuse, texts_in
from cupel.serve.turns import turns

auth = Auth()

OWNER = "owner"
LIMITED = "limited"
"""Among a user's permissions: what they ask for is held against the owner's policy."""

_SYSTEM = {"created_by": "system"}
_OF_NO_STATE = {"metadata", "action", "run_id", "run_ids", "status"}
"""What a change of a thread says that does not write its state: metadata, or which runs are to end."""

_ITS_OWN = re.compile(r"__pregel_")
_ITS_SERVERS = re.compile(r"__|langgraph_")
"""How names begin that LangGraph and its servers write into a run's configuration, and no request may."""


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes], scope: dict[str, Any] | None = None) -> dict[str, Any]:
    """Say who asks: whom the door let in, or, where a server has no such middleware, whom it would."""
    passage = PASSAGE.get() if scope is None else None  # Aegra shows its hooks headers alone
    caller = passage.caller if passage is not None else (scope or {}).get(CALLER)
    if caller is None:
        client = (scope or {}).get("client")
        known = {_small(name): _raw(value) for name, value in headers.items()}
        found = await door().let_in(known, client[0] if client else None)
        if isinstance(found, Refusal):
            raise Auth.exceptions.HTTPException(status_code=found.status, detail=found.why)
        caller = found
    return {"identity": caller.id, "permissions": [LIMITED] if caller.policy is not None else []}


@auth.on
async def close(ctx: Auth.types.AuthContext, value: Any) -> bool:  # noqa: ARG001 - LangGraph passes it by name
    """What has no rule below is nobody's but the owner's: crons, the store, and whatever comes to be."""
    return _policy(ctx) is None and not _owns(ctx)


@auth.on.threads(actions=["create", "read", "search"])
async def own_threads(ctx: Auth.types.AuthContext, value: Any) -> Any:
    """A thread is its owner's: made in their name, found by nobody else."""
    return _owned(ctx, value)


@auth.on.threads.update
async def change_thread(ctx: Auth.types.AuthContext, value: Any) -> Any:
    """A thread's metadata may be changed, and its runs ended; its state only where forks are allowed."""
    policy = _policy(ctx)
    writes_state = _OF_NO_STATE.isdisjoint(value)
    if policy is not None and writes_state and not policy.requests.forks:
        _turn_away(Refusal(403, "the state of a thread is not written by callers here"))
    return _owned(ctx, value)


@auth.on.threads.delete
async def delete_thread(ctx: Auth.types.AuthContext, value: Any) -> Any:
    """A thread that goes takes its question to a person along."""
    run_log, thread, owner = (await current()).run_log, str(value.get("thread_id")), ctx.user.identity
    mine = None if not _owns(ctx) else owner
    await run_log.transact(lambda connection: close_questions(connection, thread, mine))
    return _owned(ctx, value)


@auth.on.threads.create_run
async def begin_run(ctx: Auth.types.AuthContext, value: Any) -> Any:
    """A run begins where nothing it asks for is refused and a cap has room for one document more."""
    policy, filters = _policy(ctx), _owned(ctx, value)
    if value.get("multitask_strategy") == "reject" and turns.is_busy(str(value.get("thread_id"))):
        _turn_away(
            Refusal(
                409,
                "a run is under way on this thread; wait for it, or begin with another multitask_strategy",
            )
        )
    if policy is None:
        return filters
    kwargs: Mapping[str, Any] = value.get("kwargs") or value  # Aegra shows a request as it came
    given, command = kwargs.get("input"), kwargs.get("command")
    refusal = _look_at_run(policy, value, kwargs)
    if refusal is None and command is None:
        refusal = await _take_one(policy, ctx.user.identity)
    if refusal is not None:
        note(
            "refused",
            status=refusal.status,
            caller=ctx.user.identity,
            run_id=str(value.get("run_id")),
            why=refusal.why[:200],
        )
        _turn_away(refusal)
    note("taken", caller=ctx.user.identity, run_id=str(value.get("run_id")), resumes=given is None)
    return filters


@auth.on.assistants(actions=["create", "update"])
async def keep_assistant(ctx: Auth.types.AuthContext, value: Any) -> Any:
    """An assistant of a caller's own says nothing that a request of theirs may not."""
    policy = _policy(ctx)
    if policy is not None:
        if not policy.requests.assistants:
            _turn_away(Refusal(403, "assistants are not made by callers here"))
        settings, graph = _settings_of(value), value.get("graph_id")
        checked = [graph] if graph else [name for name in policy.graphs if name != "improve"]
        refusals = [refuse(policy, str(name), None, settings) for name in checked]
        if not refusals or all(refusals):
            _turn_away(
                refusals[0] if refusals and refusals[0] else Refusal(403, "no graph is for callers here")
            )
    if isinstance(value.get("metadata"), dict):
        value["metadata"].pop("created_by", None)
    return _owned(ctx, value)


@auth.on.assistants(actions=["read", "search"])
async def see_assistants(ctx: Auth.types.AuthContext, value: Any) -> Any:  # noqa: ARG001 - LangGraph passes it by name
    """The graphs' own assistants are everybody's, the others their owners'."""
    return {"$or": [_SYSTEM, {OWNER: ctx.user.identity}]} if _owns(ctx) else None


@auth.on.assistants.delete
async def delete_assistant(ctx: Auth.types.AuthContext, value: Any) -> Any:  # noqa: ARG001 - LangGraph passes it by name
    """Nobody deletes an assistant of others."""
    return {OWNER: ctx.user.identity} if _owns(ctx) else None


def _policy(ctx: Auth.types.AuthContext) -> Policy | None:
    return (door().policy or CLOSED) if LIMITED in ctx.permissions else None


def _owns(ctx: Auth.types.AuthContext) -> bool:
    return Caller(ctx.user.identity, None).owns


def _owned(ctx: Auth.types.AuthContext, value: Any) -> dict[str, Any] | None:
    """The filter of what is the caller's; what they make or change carries their name, whatever they said."""
    if not _owns(ctx):
        return None
    if "metadata" in value:
        value["metadata"] = value["metadata"] if isinstance(value["metadata"], dict) else {}
        value["metadata"][OWNER] = ctx.user.identity
    return {OWNER: ctx.user.identity}


def _look_at_run(policy: Policy, value: Any, kwargs: Mapping[str, Any]) -> Refusal | None:
    command, webhook = kwargs.get("command"), kwargs.get("webhook")
    if command is not None and set(command) - {"resume"}:
        return Refusal(403, "a command may resume a thread here, and do nothing else")
    if webhook and not is_told(webhook, policy.requests.webhooks):
        return Refusal(403, "this address is not told of runs: webhooks are not taken from requests here")
    if sum(map(len, texts_in(command))) > policy.longest_text:
        return Refusal(413, f"the answer is too long; at most {policy.longest_text} characters are taken")
    config = kwargs.get("config") or {}
    configurable = config.get("configurable") or {}
    # LangGraph's server has refused the second kind, and written its own, by now; Aegra takes whatever comes
    reserved = _ITS_OWN if "kwargs" in value else _ITS_SERVERS
    written = [name for name in (*config, *configurable) if reserved.match(str(name))]
    if written:
        return Refusal(403, f"{written[0][:60]} is the server's own to write; leave it out")
    settings = kwargs.get("context") or configurable
    assistant = str(value.get("assistant_id"))
    graph = door().graph_of(assistant)
    if graph is None:  # somebody made it: what counts is what a run comes to with its settings
        passage = PASSAGE.get()
        made = passage.made.get(assistant, {}) if passage is not None else {}
        graph, settings = str(made.get("graph_id")), {**_settings_of(made), **settings}
        if not made:  # the server says so; nothing of it is the caller's, or it is not there
            return _look_at_length(policy, kwargs, settings)
    return refuse(policy, graph, kwargs.get("input"), settings)


def _settings_of(assistant: Mapping[str, Any]) -> Mapping[str, Any]:
    return assistant.get("context") or (assistant.get("config") or {}).get("configurable") or {}


def _look_at_length(policy: Policy, kwargs: Mapping[str, Any], settings: Mapping[str, Any]) -> Refusal | None:
    said = sum(map(len, texts_in([kwargs.get("input"), settings])))
    if said <= policy.longest_text:
        return None
    return Refusal(413, f"at most {policy.longest_text} characters are taken")


async def _take_one(policy: Policy, owner: str) -> Refusal | None:
    run_log: RunLog = (await current()).run_log
    caps = caps_of(owner, policy)
    short = await take_documents(run_log, caps, 1)
    if short is not None:
        return Refusal(429, f"{short}; the count begins anew at midnight UTC")
    passage = PASSAGE.get()
    if passage is not None:
        passage.taken.append(caps)
    return None


def _turn_away(refusal: Refusal) -> None:
    raise Auth.exceptions.HTTPException(
        status_code=refusal.status, detail=refusal.why, headers=refusal.headers
    )


def _small(name: Any) -> bytes:
    return (name if isinstance(name, bytes) else str(name).encode()).lower()


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
