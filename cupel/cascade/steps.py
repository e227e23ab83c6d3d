"""What every step of a graph stands in: its settings, its edges, and a beginning that remembers no other document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from inspect import signature
from typing import Annotated, Any, get_type_hints

from langgraph.channels import UntrackedValue
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.tracing import NODE_TRACE

Node = Callable[..., Awaitable[Any]]
"""An async function of the state, or of the state and the runtime."""

Builder = StateGraph[Any, Any, Any, Any]


def add_step(
    builder: Builder,
    node: Node,
    label: str,
    route: Node | None = None,
    ends: Mapping[str, str] | None = None,
    *,
    begins: bool = False,
) -> None:
    """Add a node under its own name; with a router, what it answers decides which node comes next.

    The edges are LangGraph's own, so that a fork goes on from any node (docs/decisions/0033). Step and router see
    the settings of the run, or those of the run a person's answer resumed.

    Args:
        builder: The graph.
        node: The step; its name is the node's.
        label: What Studio shows beside it.
        route: Looks at the state as the step leaves it and answers with a reason.
        ends: The node each reason leads to.
        begins: It is the first step: nothing of an earlier input of the thread reaches it.
    """
    name = getattr(node, "__name__", label)
    step = _cleaned(node, builder) if begins else node
    builder.add_node(
        name, _under_settings(step), metadata={"label": label}, trace_policy=NODE_TRACE,
        input_schema=_with_held(builder.state_schema),
    )  # fmt: skip
    if route is not None and ends is not None:
        targets: dict[Hashable, str] = {reason: target for reason, target in ends.items()}
        builder.add_conditional_edges(name, _under_settings(route), targets)


def compile_steps(builder: Builder, name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile a graph whose every input is a whole one: what an input leaves out is absent, not remembered."""
    graph = builder.compile(name=name)
    fields = tuple(get_type_hints(builder.input_schema))
    graph.nodes[START].mapper = lambda given: _whole(given, fields)
    return graph


def _whole(given: Any, fields: Iterable[str]) -> Any:
    return {field: given.get(field) for field in fields} if isinstance(given, Mapping) else given


def _cleaned(node: Node, builder: Builder) -> Node:
    """The first step, which forgets all that a thread has beside the input of this run."""
    kept = frozenset(get_type_hints(builder.input_schema))
    lists = _lists(builder.state_schema)
    first = _with_runtime(node)

    async def cleaned(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> dict[str, Any]:
        given = {name: value for name, value in state.items() if name in kept} | dict.fromkeys(lists, ())
        update = await first(given, runtime)
        stale = [
            name
            for name, value in state.items()
            if name not in kept and value is not None and (value or name not in lists)
        ]
        if not stale:
            return dict(update)
        emptied = {name: [] if name in lists else None for name in stale} | dict(update)
        return {name: Overwrite(value) if name in lists else value for name, value in emptied.items()}

    return cleaned


def _under_settings(function: Node) -> Node:
    """The same function, called with the settings that hold now."""
    call = _with_runtime(function)

    async def called(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> Any:
        held = state.get("held")
        if held is not None:
            runtime = runtime.override(context=RunContext(**held))
        return await call(state, runtime)

    called.__name__ = getattr(function, "__name__", "step")
    return called


def _with_runtime(function: Node) -> Node:
    """The same function called with state and runtime, also where it takes the state alone."""
    if len(signature(function).parameters) > 1:
        return function
    return lambda state, _runtime: function(state)


def _with_held(schema: Any) -> type[Any]:
    """The state with the settings a resumed run holds: they live as long as that run, and no checkpoint has them."""
    fields = get_type_hints(schema, include_extras=True)
    held = Annotated[dict[str, Any], UntrackedValue]
    return TypedDict(schema.__name__, {**fields, "held": held}, total=False)  # type: ignore[operator,no-any-return]


def _lists(schema: Any) -> frozenset[str]:
    """The channels that only grow, as the state's reducers say."""
    hints = get_type_hints(schema, include_extras=True).items()
    return frozenset(name for name, hint in hints if callable(getattr(hint, "__metadata__", (None,))[-1]))
