"""The graph on a thread that is kept, as a server keeps it: what the tests of threads and people are written in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from cupel.cascade.words import unfold
from cupel.project import load_graph
from cupel.testing.models import scripted
from tests.integration.cascade import MODELS

UNSTEADY = ("cost_usd", "latency_s", "__interrupt__")


def steady(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome without what the clock and the run log decide; what is not settled yet is no difference."""
    plain = {name: value for name, value in outcome.items() if name not in UNSTEADY and value is not None}
    for part in ("attempts", "verdicts", "addenda"):
        plain[part] = [{**item, "calls": len(item["calls"]), "words": ""} for item in plain[part]]
    if plain.get("review"):
        plain["review"] = {**plain["review"], "at": "", "words": ""}
    return plain


@dataclass
class Thread:
    """One thread of a graph with a checkpointer."""

    graph: Any
    name: str = "t"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """Which thread is meant."""
        return {"configurable": {"thread_id": self.name}}

    async def run(self, given: Any, *, stop_before: str = "", **settings: Any) -> dict[str, Any]:
        """A new input, or None to go on, under these settings."""
        context = {**MODELS, "max_retries": 0, **self.settings, **settings}
        halt = [stop_before] if stop_before else None
        return await self.graph.ainvoke(given, self.config, context=context, interrupt_before=halt)

    async def resume(self, answer: Any, **context: Any) -> dict[str, Any]:
        """An answer and, unless said otherwise, nothing else."""
        return await self.graph.ainvoke(Command(resume=answer), self.config, context=context or None)

    async def fork(self, node: str, values: Any = None) -> None:
        """Edit the state as if a node had written it."""
        await self.graph.aupdate_state(self.config, values, as_node=node)

    async def state(self) -> Any:
        """The latest checkpoint."""
        return await self.graph.aget_state(self.config)

    async def whole(self) -> dict[str, Any]:
        """All that the latest checkpoint refers to."""
        return await unfold((await self.state()).values)

    async def question(self) -> dict[str, Any]:
        """What the person is asked."""
        [interrupt] = (await self.state()).interrupts
        return interrupt.value[0]


def kept(project: Any, name: str = "enrich") -> Any:
    """A graph of the project whose threads are kept in memory."""
    return load_graph(project, name).copy({"checkpointer": InMemorySaver()})


@contextmanager
def answering(**scripts: Any) -> Any:
    """Scripted models by role; a role that is not scripted may not be asked."""
    with scripted(
        {f"scripted:{role}": scripts.get(role, []) for role in ("cheap", "strong", "judge", "refiner")}
    ):
        yield
