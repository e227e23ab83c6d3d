"""One document through a server's graph: on a thread of an id that is always the same, so that nothing is asked twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from pydantic import TypeAdapter, ValidationError

from cupel.engine import Run, current_asking
from cupel.errors import StoppedError
from cupel.limits import Budget
from cupel.runs.job import failed_outcome
from cupel.runs.server.connection import AwayError, DocumentRefusedError, Server
from cupel.state import Call, Outcome
from cupel.tables import Row
from cupel.text import document_id, usable_text

_THREADS = UUID("b6f1c7a2-5d0e-5a59-8f5d-2c9f0b6f3a11")
_TRIES = 3
"""Runs of a document on the server that may end in an error of the graph's before the row says so."""

_LOOKS = 40
"""Looks at a thread that is neither done nor at work, before the row says so."""

_APART_S, _FURTHEST_APART_S = 0.25, 5.0
_LOST_AFTER_S = 20.0
"""A run begun by an earlier invocation, or before its server was lost, is waited for so long; then it is begun anew."""

_STATUSES = ("accepted", "needs_review", "failed")
_AT_WORK = ("pending", "running")


class ServerDocuments:
    """Stands where a compiled graph would: `ainvoke` gives a document's outcome, and the server walks the graph.

    Args:
        server: Where.
        graph: Its graph's name.
        run: The run these documents are of.
        settings: What is sent as context.
        is_known: The server may know some of them from an earlier invocation.
        budget: The run's cap, if any.
        most_usd: The most one of them can cost, set aside while it is under way.
    """

    def __init__(
        self,
        server: Server,
        *,
        graph: str,
        run: Run,
        settings: Mapping[str, Any],
        is_known: bool,
        budget: Budget | None = None,
        most_usd: float = 0.0,
    ) -> None:
        self._server, self._graph, self._run = server, graph, run
        self._settings, self._is_known = settings, is_known
        self._budget, self._most_usd = budget, most_usd
        self._stopping = asyncio.Event()
        self._begun: Counter[str] = Counter()
        """How often the server was asked to begin with a thread."""

        self._known: set[str] = set()
        """Threads it had begun with before it was asked to."""

    def stop(self) -> None:
        """Wait for nothing more: the server goes on with what it has, and the same command fetches it."""
        self._stopping.set()

    async def ainvoke(self, given: Mapping[str, Any], _config: Any, *, context: Any = None) -> Outcome:  # noqa: ARG002 - as a graph is called
        """The outcome of a document.

        Raises:
            StoppedError: Once the run is to stop.
            CupelError: What ends the run.
        """
        work = asyncio.ensure_future(self._one(given))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise StoppedError
            return work.result()
        finally:
            work.cancel()
            stopping.cancel()

    async def _one(self, given: Mapping[str, Any]) -> Outcome:
        text, problem = usable_text(given.get("text"))
        if problem is not None:
            return self._failed(given, problem)
        sent = {**given, "text": text}
        if not _is_sendable(sent):
            return self._failed(given, "half a character (a lone surrogate) in it cannot be sent to a server")
        thread = self.thread_of(sent)
        if self._budget is None:
            return await self._answered(thread, sent)
        held, cost = await self._budget.reserve(self._most_usd), 0.0
        try:
            outcome = await self._answered(thread, sent)
            cost = sum(call["cost_usd"] or 0.0 for call in _calls(outcome) if not call.get("elsewhere"))
        except BaseException:
            cost = self._most_usd if self._begun[thread] else 0.0  # it may have been paid for
            raise
        finally:
            held.settle(cost)
        return outcome

    def thread_of(self, sent: Mapping[str, Any]) -> str:
        """The id of a document's thread: of this run, this key and this try, and nobody else's."""
        retry = current_asking().retry
        decides = json.dumps([self._run.run_id, self._server.caller, retry, sent], sort_keys=True)
        return str(uuid5(_THREADS, hashlib.sha256(decides.encode()).hexdigest()))

    async def _answered(self, thread: str, sent: Mapping[str, Any]) -> Outcome:
        is_known, errors = self._is_known, 0
        for look in range(_LOOKS):
            fault: str | None = None
            try:
                if not (is_known and await self._is_begun(thread)):
                    fault = await self._begin(thread, sent)
                if fault is None and (outcome := await self._read(thread)) is not None:
                    return self._counted(outcome, thread)
                fault = fault or await self._begin(thread, sent)  # it was begun, and ended without an outcome
            except (
                AwayError
            ) as away:  # it was lost on the way, or is at work, or gone with a server that was killed
                fault = str(away) if away.of_request else None
                await asyncio.sleep(min(_APART_S * 1.25**look, _FURTHEST_APART_S))
            except DocumentRefusedError as refusal:
                return self._failed(sent, str(refusal))
            errors += fault is not None
            if errors >= _TRIES:
                return self._failed(sent, f"the server failed at it: {fault}")
            is_known = True
        return self._failed(
            sent, f"thread {thread} of the server is neither done nor at work; delete it there"
        )

    async def _is_begun(self, thread: str) -> bool:
        """Whether the server has begun with a thread before; where it is at it, it is done when this returns."""
        body = {"thread_id": thread, "if_exists": "do_nothing", "metadata": {"cupel_run": self._run.run_id}}
        shown = await self._server.post("/threads", body)
        is_busy = shown.get("status") == "busy"
        if is_busy:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOST_AFTER_S * 2 ** self._begun[thread]):
                    await self._join(thread)
        is_begun = is_busy or shown.get("status") != "idle" or "graph_id" in (shown.get("metadata") or {})
        if is_begun:
            self._known.add(thread)
        return is_begun

    async def _join(self, thread: str) -> None:
        """Wait for what is at work on a thread; for a server that was killed, and forgot it, that would be for ever."""
        runs = await self._server.get(f"/threads/{thread}/runs", limit=10)
        for one in (run for run in runs if run.get("status") in _AT_WORK):
            await self._server.get(f"/threads/{thread}/runs/{one['run_id']}/join")

    async def _read(self, thread: str) -> Outcome | None:
        """What became of a thread's document, with every word; None where it was not finished."""
        return _read_outcome(await self._server.get(f"/cupel/threads/{thread}"))

    async def _begin(self, thread: str, sent: Mapping[str, Any]) -> str | None:
        """Have the server do it, and wait till it has; what went wrong where its graph failed.

        Raises:
            AwayError: If nobody can say whether it was begun.
        """
        retry = current_asking().retry
        body = {
            "assistant_id": self._graph, "input": sent,
            "context": {**self._settings, **({"ask_afresh": True} if retry else {})},
            "metadata": {"cupel_run": self._run.run_id}, "if_not_exists": "create", "on_disconnect": "continue",
            # what was waited for in vain is put an end to; what it has in flight is kept, and found by the new one
            "multitask_strategy": "interrupt" if thread in self._known else "reject",
        }  # fmt: skip
        self._begun[thread] += 1
        answer = await self._server.begin(f"/threads/{thread}/runs/wait", body)
        if isinstance(answer, Mapping) and (fault := answer.get("__error__")) is not None:
            said = fault if isinstance(fault, Mapping) else {"message": fault}
            return f"{said.get('message') or said.get('error')}"[:400]
        return None

    def _counted(self, outcome: Outcome, thread: str) -> Outcome:
        """The outcome, its calls counted; what was not paid for this run's sake is marked as found."""
        may_be_ours = (
            thread in self._known
        )  # an earlier try of ours on this thread paid for what this one found
        for call in _calls(outcome):
            if call["cached"]:
                self._run.tally.cache_hits += 1
                if not may_be_ours:
                    call["elsewhere"] = True
            else:
                self._run.tally.count(call["model"], call["cost_usd"])
        return outcome

    def _failed(self, given: Mapping[str, Any], reason: str) -> Outcome:
        text, _ = usable_text(given.get("text"))
        named = given.get("doc_id") or document_id(text, given.get("meta"))
        row = Row(position=current_asking().row or 0, values={}, text=text, doc_id=str(named))
        return failed_outcome(str(given.get("task") or "ad-hoc"), row, reason)


def _calls(outcome: Outcome) -> Iterator[Call]:
    """Every call as the outcome lists it; one that is listed twice was sent once, and the second is as cached."""
    for attempt in outcome["attempts"]:
        yield from attempt["calls"]
    for verdict in outcome["verdicts"]:
        yield from verdict["calls"]
    for addendum in outcome["addenda"]:
        yield from addendum["calls"]
    yield from outcome.get("other_calls", ())


def _is_sendable(sent: Mapping[str, Any]) -> bool:
    try:
        json.dumps(sent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_outcome(told: Any) -> Outcome | None:
    """An outcome from what a server's thread has; None for a thread that was never finished.

    Raises:
        DocumentRefusedError: If it is none that can be read.
    """
    if not isinstance(told, Mapping) or told.get("status") not in _STATUSES:
        return None
    try:
        return _outcomes().validate_python(dict(told))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DocumentRefusedError(f"the server's outcome cannot be read: {place}: {first['msg']}") from None


@cache
def _outcomes() -> TypeAdapter[Outcome]:
    return TypeAdapter(Outcome)
