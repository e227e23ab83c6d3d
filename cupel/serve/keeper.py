"""A run as it begins: settings as they come to, the caller's money, and a row that says what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from langgraph.types import Command

from cupel.cascade import LOCAL, Graph, Visit
from cupel.context import RunContext, ServedContext
from cupel.engine import DEFAULT_TASK, AllowanceBudget, Run, Runtime, current, take_documents
from cupel.errors import CupelError, UsageError
from cupel.models import resolve_models
from cupel.serve.auth import LIMITED
from cupel.serve.door import door
from cupel.serve.keys import caps_of
from cupel.serve.policy import CLOSED, Policy
from cupel.serve.record import begin_row, end_row, note
from cupel.serve.refusal import FORMS, check_models_of, refuse
from cupel.serve.turns import turns
from cupel.state import Mention, mentions_of

_FILES = ("policy", "prerouter")
_OF_USERS = ("identity", "permissions")
_NOTHING = 1e-12
"""US dollars that buy nothing: what a cap of 0 leaves a request, as a setting takes no 0."""


class Keeper:
    """Admits the runs of a process: the last look at what a request, an assistant and a thread come to together."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[float, str]] = {}

    async def admit(
        self, graph: Graph, given: Any, config: Mapping[str, Any], context: Any
    ) -> tuple[Visit, Any, Any]:
        """The visit, and input and settings as they hold.

        Raises:
            UsageError: If the caller may not have what the run would do.
        """
        runtime, said = await current(), config.get("configurable") or {}
        owner, permissions = _whose(said)
        visit = Visit(id=str(said.get("run_id") or config.get("run_id") or uuid4()), run=Run(served=True))
        await turns.wait(visit.id)
        settings = _read(graph, context)
        policy = door().policy if door().policy is not None else _closed(permissions)
        if policy is not None:
            given, settings = await _limit(
                policy, visit, given, settings, graph=graph.name or "", owner=owner, runtime=runtime
            )
        visit.task = _task_of(given, settings)
        thread = said.get("thread_id")
        await begin_row(
            runtime.run_log,
            visit,
            thread=str(thread) if thread else None,
            owner=owner,
            graph=graph.name or "",
        )
        self._since[visit.id] = (time.monotonic(), await asyncio.to_thread(_strong, settings, runtime))
        note(
            "begun",
            run_id=visit.id,
            thread_id=thread,
            caller=owner,
            graph=graph.name,
            task=visit.task,
            **_doc(given),
        )
        return visit, given, settings if settings is not None else context

    async def see_off(self, visit: Visit, error: BaseException | None) -> None:
        """Note how a visit ended: in its row, and in a line of the log."""
        since, strong = self._since.pop(visit.id)
        wall_s = time.monotonic() - since
        ended = (
            "waiting" if visit.waits else "failed" if error is not None or visit.status is None else "done"
        )
        await asyncio.shield(
            end_row((await current()).run_log, visit, state=ended, wall_s=wall_s, strong=strong)
        )
        sent = [call for call in visit.ledger.calls if not call["cached"]]
        note(
            "ended", run_id=visit.id, state=ended, status=visit.status, task=visit.task, steps=dict(visit.steps),
            calls=len(sent), cost_usd=round(sum(call["cost_usd"] or 0.0 for call in sent), 6), wall_s=round(wall_s, 3),
            error=type(error).__name__ if error is not None else None,
        )  # fmt: skip


async def _limit(
    policy: Policy,
    visit: Visit,
    given: Any,
    settings: RunContext | None,
    *,
    graph: str,
    owner: str,
    runtime: Runtime,
) -> tuple[Any, RunContext | None]:
    """Input and settings within what callers may have, and the visit with its money.

    Raises:
        UsageError: If something of it is not for callers, or a day has no room for it.
    """
    given, settings = await _hold_to(policy, graph, given, settings)
    # an answer goes on under the settings that asked, and unreadable ones are told by the first step
    if settings is not None and not getattr(settings, "fault", "") and not isinstance(given, Command):
        await asyncio.to_thread(check_models_of, settings, policy, runtime.env)
    visit.check = lambda kept: check_models_of(kept, policy, runtime.env)
    visit.run.budget = AllowanceBudget(runtime.run_log, caps_of(owner, policy))
    if graph == "improve" and isinstance(given, Mapping):
        await _take_campaign(policy, owner, runtime)
    return given, settings


def _task_of(given: Any, settings: RunContext | None) -> str:
    if not isinstance(given, Mapping):
        return ""  # the first step that knows it says it
    return str(given.get("task") or getattr(settings, "task", "") or DEFAULT_TASK)


def _whose(said: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Who asks, by the one name that both servers set themselves whatever a request says, and with which permissions.

    Permissions count wherever they stand: the only one there is takes away.
    """
    user = said.get("langgraph_auth_user")
    known = user if isinstance(user, Mapping) else {name: getattr(user, name, None) for name in _OF_USERS}
    listed = [known.get("permissions"), said.get("langgraph_auth_permissions")]
    return str(known.get("identity") or LOCAL), [name for names in listed for name in names or ()]


def _closed(permissions: Sequence[str]) -> Policy | None:
    return CLOSED if LIMITED in permissions else None


def _read(graph: Graph, context: Any) -> RunContext | None:
    """The settings as the graph takes them; None where they are another's than ours."""
    form = graph.context_schema
    if isinstance(context, RunContext) or not (isinstance(form, type) and issubclass(form, RunContext)):
        return context if isinstance(context, RunContext) else None
    known = context if isinstance(context, Mapping) else {}
    return form(**{str(name): value for name, value in known.items()})


async def _hold_to(
    policy: Policy, graph: str, given: Any, settings: RunContext | None
) -> tuple[Any, RunContext | None]:
    """Input and settings within what the owner allows: files by their names there, the first profile for `auto`.

    Raises:
        UsageError: If something of it is not for callers.
    """
    if isinstance(settings, ServedContext) and settings.fault:
        return given, settings  # the first step says what is wrong with them
    known = settings.model_dump(exclude_unset=True) if settings is not None else {}
    refusal = refuse(policy, graph, given, known)
    if refusal is not None:
        raise UsageError(refusal.why)
    if settings is not None:
        settings = settings.model_copy(update=_settled(policy, settings))
    form = FORMS[graph][0] if graph in FORMS else None
    if isinstance(given, Mapping) and form is not None:
        files = [name for name, mention in mentions_of(form).items() if mention is Mention.FILE]
        given = {**given, **{name: policy.files[given[name]] for name in files if given.get(name)}}
        if graph == "improve":
            given["max_usd"] = min(
                given.get("max_usd") or policy.caps.usd_per_request, policy.caps.usd_per_request
            )
    return given, settings


def _settled(policy: Policy, settings: RunContext) -> dict[str, Any]:
    caps, own = policy.caps, settings.max_usd_per_document
    sides = 2  # of a comparison each is a document
    most = caps.usd_per_request / (sides if type(settings) is FORMS["compare"][1] else 1)
    update: dict[str, Any] = {
        name: policy.files[getattr(settings, name)]  # from the project's folder, where a server stands
        for name in _FILES
        if getattr(settings, name) in policy.files
    }
    if settings.profile == "auto" and policy.profiles:
        update["profile"] = policy.profiles[0]
    update["max_usd_per_document"] = max(most if own is None else min(own, most), _NOTHING)
    return update


async def _take_campaign(policy: Policy, owner: str, runtime: Runtime) -> None:
    """A campaign keeps its own cap, so the most it can cost is spent as it begins.

    Raises:
        UsageError: If a day has no room for it.
    """
    short = await take_documents(runtime.run_log, caps_of(owner, policy), 0, usd=policy.caps.usd_per_request)
    if short is not None:
        raise UsageError(short)


def _strong(settings: RunContext | None, runtime: Runtime) -> str:
    try:
        return resolve_models(settings or RunContext(), runtime.env).strong
    except CupelError:
        return ""


def _doc(given: Any) -> dict[str, Any]:
    doc_id = given.get("doc_id") if isinstance(given, Mapping) else None
    return {"doc_id": doc_id[:200]} if isinstance(doc_id, str) else {}
