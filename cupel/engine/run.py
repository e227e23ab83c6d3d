"""For whom a model is asked: the run with its money and counts, and which reply is wanted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from cupel.engine.money import KeptBudget
from cupel.errors import tell_client
from cupel.limits import Budget
from cupel.state import Call
from cupel.task import TaskSpec

if TYPE_CHECKING:
    from cupel.engine.bundle.terms import Bundle
    from cupel.engine.packing.packs import Place
    from cupel.engine.requests import Request


@dataclass(slots=True)
class Tally:
    """What one invocation has done so far, per model."""

    calls: Counter[str] = field(default_factory=Counter)
    cost_usd: dict[str, float] = field(default_factory=dict)
    unknown_price: set[str] = field(default_factory=set)
    cache_hits: int = 0
    notes: set[str] = field(default_factory=set)
    """What a person should know about this run, each once."""

    in_flight: int = 0

    def count(self, model: str, usd: float | None) -> None:
        """Count one call that was sent and answered."""
        self.calls[model] += 1
        self.cost_usd[model] = self.cost_usd.get(model, 0.0) + (usd or 0.0)
        if usd is None:
            self.unknown_price.add(model)

    @property
    def total_usd(self) -> float:
        """Cost of this invocation, models of unknown price left out."""
        return sum(self.cost_usd.values())


@dataclass(slots=True)
class Run:
    """The run under way: its name in the run log, its money and its counts."""

    run_id: str = "served"
    budget: Budget | KeptBudget | None = None
    tally: Tally = field(default_factory=Tally)
    stops: bool = False
    """A wrong key or reached cap ends the run; a served document records it instead."""

    served: bool = False
    """Whoever reads its outcomes speaks to a server: no command line, and no business with its folders."""

    task: TaskSpec | None = None
    """Stands in for the folder of that name: a version of its prompt that is only being tried."""

    stopping: Callable[[], bool] = lambda: False
    """Whether it is to start nothing more; asked while a provider is waited for."""


_SERVED = Run(served=True)
"""Whose the documents are that are served one by one: no cap, and a count of all of them."""


class Seat:
    """One document's place among those at work; it gets up while it waits for a provider, so that another may work.

    Args:
        room: As many places as documents are worked on at once.
    """

    __slots__ = ("_away", "_is_done", "_is_taken", "_is_wanted", "_room")

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self._away = 0
        self._is_taken = self._is_wanted = self._is_done = False

    async def __aenter__(self) -> Self:
        await self._room.acquire()
        self._is_taken = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_done = True
        self._leave()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Away from the seat inside; it is taken again, once there is one, when the document's last wait is over."""
        self._leave()
        self._away += 1
        try:
            yield
        finally:
            self._away -= 1
        if not (self._away or self._is_taken or self._is_wanted):
            await self._come_back()

    async def _come_back(self) -> None:
        # one of the document's calls waits for the place, however many go on
        self._is_wanted = True
        try:
            await self._room.acquire()
        finally:
            self._is_wanted = False
        self._is_taken = True
        if self._is_done:  # it ended by another call's error meanwhile
            self._leave()

    def _leave(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._room.release()


@dataclass(slots=True)
class Ledger:
    """What was asked for one document, whatever its graph makes of it."""

    calls: list[Call] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)
    """Those whose schema was refused, which may turn out to be the run's fault."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asking:
    """For whom a model is asked, and which of its replies is wanted."""

    run: Run = field(default_factory=lambda: _SERVED)
    retry: int = 0
    """Above 0 while a document is asked about anew: replies of no use are passed over, the new ones kept under it."""

    recalls: bool = True
    """While a document is asked about anew: whether what earlier tries paid for is used where it is of use."""

    sample: int = 0
    """Above 0 for a further sample of the same question: every number is a reply of its own."""

    place: Place | None = None
    """Where in a pack the document is; None for one that is asked alone."""

    bundle: Bundle | None = None
    """Tasks that are asked about this document in one request; None where each asks alone."""

    ledger: Ledger | None = None
    """Where the document's calls are written down; None where nobody keeps that."""

    row: int | None = None
    """The input's row this is asked for: a batch is sent when every row that is walked waits."""

    watch: Callable[[dict[str, Any]], None] | None = None
    """Is told of every call as it is answered; None where nobody looks on."""

    seat: Seat | None = None
    """The document's place among those at work; None where nobody counts."""

    def tell(self, said: object) -> str:
        """An error in words, for whoever reads this run's outcomes."""
        return tell_client(said) if self.run.served else str(said)


_asking: ContextVar[Asking] = ContextVar("cupel_asking")


def current_asking() -> Asking:
    """What whoever started this document said; a node reads it once, and all below is told by the node."""
    return _asking.get(None) or Asking()


def is_asked_within() -> bool:
    """Whether a graph is walked for another one or a batch, which said for whom: a server's own runs begin without."""
    return _asking.get(None) is not None


@contextmanager
def ask_as(asking: Asking) -> Iterator[None]:
    """The graphs started inside ask so: the one thing that reaches their nodes beside state and context."""
    token = _asking.set(asking)
    try:
        yield
    finally:
        _asking.reset(token)
