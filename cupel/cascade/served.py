"""A graph as a LangGraph server walks it: traced Cupel's way, and under the eyes of whoever keeps its door."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from cupel.cascade.forms import FormedGraph
from cupel.context import RunContext
from cupel.engine import Ledger, Run, current, is_asked_within
from cupel.tracing import is_served, take_over

Graph = CompiledStateGraph[Any, Any, Any, Any]


@dataclass(slots=True)
class Visit:
    """One run of a graph on a server: for whom it is, and what is seen of it on the way."""

    id: str
    run: Run
    check: Callable[[RunContext], None] = lambda _: None
    """Raises for settings that are not the caller's to use: those a thread kept are no request's."""

    ledger: Ledger = field(default_factory=Ledger)
    """The calls of this run alone, those that the run log answered among them."""

    steps: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    task: str = ""
    status: str | None = None
    waits: bool = False
    """It stopped for a person."""

    def see(self, step: str, update: Mapping[str, Any]) -> None:
        """Take in what a step wrote."""
        self.steps[step] += 1
        if step == "judge":
            listed = update.get("verdicts") or ()
            verdicts = listed if isinstance(listed, list) else getattr(listed, "value", ())
            self.verdicts.update(one["verdict"] for one in verdicts[-1:])
        self.task = str(update.get("task") or self.task)
        self.status = update.get("status") or update.get("result") or self.status


class Doorkeeper(Protocol):
    """Who lets runs begin on a server, and hears how they ended."""

    async def admit(
        self, graph: Graph, given: Any, config: Mapping[str, Any], context: Any
    ) -> tuple[Visit, Any, Any]:
        """The visit, and the input and settings as they hold.

        Raises:
            UsageError: If the run may not begin.
        """

    async def see_off(self, visit: Visit, error: BaseException | None) -> None:
        """Note how a visit ended."""


_doorkeepers: list[Doorkeeper] = []
_visits: dict[str, Visit] = {}


def keep_door(doorkeeper: Doorkeeper) -> None:
    """Have this process's served runs admitted by it, from now on."""
    _doorkeepers[:] = [doorkeeper]


def visit_of(runtime: Runtime[RunContext]) -> Visit | None:
    """The visit a step is part of; None in a batch, in a graph within a graph, and where nobody keeps the door."""
    info = runtime.execution_info
    return _visits.get(str(info.run_id)) if info is not None else None


def as_served(graph: Graph) -> Graph:
    """The same graph with its forms; in a server's process one whose runs are watched by Cupel's tracer alone."""
    if not is_served():
        return FormedGraph(**vars(graph))
    take_over(Path.cwd())
    return _Watched(**vars(graph))


class _Watched(FormedGraph):
    """A compiled graph whose runs the tracer and the doorkeeper know of; nothing else of it is different."""

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002  # langgraph's name for it
        if not _doorkeepers or is_asked_within():
            async for part in self._walk(input, config, kwargs):
                yield part
            return
        keeper = _doorkeepers[0]
        visit, given, context = await keeper.admit(self, input, config or {}, kwargs.get("context"))
        _visits[visit.id] = visit
        if str((config or {}).get("run_id")) != visit.id:
            # Aegra takes a request's word for it: the steps of a run under another id would find no visit, and no cap
            config = {**(config or {}), "run_id": UUID(visit.id)}
        ended: BaseException | None = None
        try:
            async for part in self._walk(given, config, {**kwargs, "context": context}):
                yield part
        except BaseException as error:
            ended = error
            raise
        finally:
            _visits.pop(visit.id, None)
            await keeper.see_off(visit, ended)

    async def _walk(self, given: Any, config: Any, kwargs: Mapping[str, Any]) -> AsyncIterator[Any]:
        tracer = (await current()).tracer
        watched: Any = tracer.serve(config, _about(given)) if tracer.on else config
        async with aclosing(super().astream(given, watched, **kwargs)) as parts:  # type: ignore[type-var]  # an async generator, typed as an iterator
            async for part in parts:
                yield part


def _about(given: Any) -> dict[str, Any]:
    """What is known of a document before its first step."""
    if not isinstance(given, Mapping):
        return {}
    return {name: given[name] for name in ("task", "doc_id") if isinstance(given.get(name), str)}
