"""A step of the cascade that says itself where its document goes next (docs/decisions/0012)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from inspect import signature
from typing import Any, get_type_hints

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from cupel.context import RunContext
from cupel.state import RunState
from cupel.tracing import NODE_TRACE

Node = Callable[..., Awaitable[Any]]
"""An async function of the state, or of the state and the runtime."""


def add_step(
    builder: StateGraph[Any, Any, Any, Any],
    node: Node,
    label: str,
    route: Node | None = None,
    ends: Mapping[str, str] | None = None,
) -> None:
    """Add a node under its own name; with a router, what it answers decides which node comes next.

    The drawing is that of a conditional edge. For such an edge LangGraph copies every channel of the state and
    starts a task for the router: a fifth of its CPU a document.

    Args:
        builder: The graph.
        node: The step; its name is the node's.
        label: What Studio shows beside it.
        route: Looks at the state as the step leaves it and answers with a reason.
        ends: The node each reason leads to.
    """
    shown: dict[str, Any] = {"metadata": {"label": label}, "trace_policy": NODE_TRACE}
    name = getattr(node, "__name__", label)
    if route is None or ends is None:
        builder.add_node(name, node, **shown)
        return
    labels = {target: reason for reason, target in ends.items()}
    builder.add_node(name, _decide(node, route, ends), destinations=labels, **shown)


def _decide(node: Node, route: Node, ends: Mapping[str, str]) -> Node:
    step, router = _with_runtime(node), _with_runtime(route)

    async def decided(state: RunState, runtime: Runtime[RunContext]) -> Command[str]:
        update = await step(state, runtime)
        reason = await router(left_by(state, update), runtime)
        return Command(update=update, goto=ends[reason])

    return decided


def _with_runtime(function: Node) -> Node:
    """The same function called with state and runtime, also where it takes the state alone."""
    if len(signature(function).parameters) > 1:
        return function
    return lambda state, _runtime: function(state)


def left_by(state: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """The state after an update, as LangGraph makes it of `RunState`: reduced where the field says how.

    >>> left_by({"path": ["prepare"], "text": "a"}, {"path": ["extract"], "problem": None})
    {'path': ['prepare', 'extract'], 'text': 'a', 'problem': None}
    """
    reducers = _reducers()
    reduced = {
        name: reducers[name](state[name], value) if name in reducers and name in state else value
        for name, value in update.items()
    }
    return {**state, **reduced}


@cache
def _reducers() -> dict[str, Callable[[Any, Any], Any]]:
    marks = {
        name: getattr(hint, "__metadata__", (None,))[-1]
        for name, hint in get_type_hints(RunState, include_extras=True).items()
    }
    return {name: mark for name, mark in marks.items() if callable(mark)}
