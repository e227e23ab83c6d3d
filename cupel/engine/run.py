"""For whom a model is asked: the run with its money and counts, and which reply is wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cupel.engine.money import SharedBudget
from cupel.errors import tell_client
from cupel.limits import Budget
from cupel.task import TaskSpec

if TYPE_CHECKING:
    from cupel.engine.packing.packs import Place


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
    budget: Budget | SharedBudget | None = None
    tally: Tally = field(default_factory=Tally)
    stops: bool = False
    """A wrong key or reached cap ends the run; a served document records it instead."""

    served: bool = False
    """Whoever reads its outcomes speaks to a server: no command line, and no business with its folders."""

    task: TaskSpec | None = None
    """Stands in for the folder of that name: a version of its prompt that is only being tried."""


_SERVED = Run(served=True)
"""Whose the documents are that are served one by one: no cap, and a count of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asking:
    """For whom a model is asked, and which of its replies is wanted."""

    run: Run = field(default_factory=lambda: _SERVED)
    retry: int = 0
    """Above 0 while a document is asked about anew: old replies are passed over, the new ones kept under it."""

    sample: int = 0
    """Above 0 for a further sample of the same question: every number is a reply of its own."""

    place: Place | None = None
    """Where in a pack the document is; None for one that is asked alone."""

    row: int | None = None
    """The input's row this is asked for: a batch is sent when every row that is walked waits."""

    def tell(self, said: object) -> str:
        """An error in words, for whoever reads this run's outcomes."""
        return tell_client(said) if self.run.served else str(said)


_asking: ContextVar[Asking] = ContextVar("cupel_asking")


def current_asking() -> Asking:
    """What whoever started this document said; a node reads it once, and all below is told by the node."""
    return _asking.get(None) or Asking()


@contextmanager
def ask_as(asking: Asking) -> Iterator[None]:
    """The graphs started inside ask so: the one thing that reaches their nodes beside state and context."""
    token = _asking.set(asking)
    try:
        yield
    finally:
        _asking.reset(token)
