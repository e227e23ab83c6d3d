"""A graph as a LangGraph server walks it: traced Cupel's way, where a person asked for tracing, and not at all elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from cupel.cascade.forms import FormedGraph
from cupel.engine import current
from cupel.tracing import is_served, take_over

Graph = CompiledStateGraph[Any, Any, Any, Any]


def as_served(graph: Graph) -> Graph:
    """The same graph with its forms; in a server's process one whose runs are watched by Cupel's tracer alone."""
    if not is_served():
        return FormedGraph(**vars(graph))
    take_over(Path.cwd())
    return _Watched(**vars(graph))


class _Watched(FormedGraph):
    """A compiled graph that tells the tracer of each of its runs; nothing else of it is different."""

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002  # langgraph's name for it
        tracer = (await current()).tracer
        watched: Any = tracer.serve(config, _about(input)) if tracer.on else config
        async with aclosing(super().astream(input, watched, **kwargs)) as parts:  # type: ignore[type-var]  # an async generator, typed as an iterator
            async for part in parts:
                yield part


def _about(given: Any) -> dict[str, Any]:
    """What is known of a document before its first step."""
    if not isinstance(given, Mapping):
        return {}
    return {name: given[name] for name in ("task", "doc_id") if isinstance(given.get(name), str)}
