"""The run a call belongs to: its money, its counts, and which sample or retry is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from cupel.engine.money import SharedBudget
from cupel.limits import Budget
from cupel.task import TaskSpec


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

    def paid(self, model: str, usd: float | None) -> None:
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

    task: TaskSpec | None = None
    """Stands in for the folder of that name: a version of its prompt that is only being tried."""


_run: ContextVar[Run | None] = ContextVar("cupel_run", default=None)
current_retry: ContextVar[int] = ContextVar("cupel_retry", default=0)
"""Above 0 while a document is asked about anew: old replies are passed over, the new ones kept under it."""

current_sample: ContextVar[int] = ContextVar("cupel_sample", default=0)
"""Above 0 while a further sample of the same question is drawn: every number is a reply of its own."""


@contextmanager
def sampling(number: int) -> Iterator[None]:
    """What is asked inside is the n-th further sample of its question; 0 is the question itself."""
    token = current_sample.set(number)
    try:
        yield
    finally:
        current_sample.reset(token)


_served = Run()


def current_run() -> Run:
    """The run this task belongs to; a shared one with no cap for documents served one by one."""
    return _run.get() or _served


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Everything called inside belongs to this run."""
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)
