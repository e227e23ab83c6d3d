"""What every step of a graph stands in: its settings, its edges, and a beginning that remembers no other document."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from inspect import signature
from typing import Annotated, Any, cast, get_type_hints

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph._internal._typing import MISSING
from langgraph.channels import BinaryOperatorAggregate, LastValue, UntrackedValue
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, StateGraph
from langgraph.graph._branch import BranchSpec
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from cupel.cascade.forms import settle_prompts
from cupel.cascade.served import Visit, as_served, visit_of
from cupel.cascade.words import fold, unfold
from cupel.context import RunContext
from cupel.engine import STEP_EVENT, Asking, ask_as, current, current_asking
from cupel.errors import CupelError, tell_client
from cupel.tracing import NODE_TRACE

Node = Callable[..., Awaitable[Any]]
"""An async function of the state, or of the state and the runtime."""

Builder = StateGraph[Any, Any, Any, Any]

_RUNTIME = "__pregel_runtime"
"""Where LangGraph keeps the runtime of a run: `get_runtime` finds it inside a node only, and a router stands beside."""


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

    The edges are LangGraph's own, so that a fork goes on from any node (docs/decisions/0028). Step and router see
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
    step = _noting_settings(_cleaned(node, builder) if begins else node)
    builder.add_node(
        name, _under_settings(_served(step, name, builder, begins=begins), step, builder), metadata={"label": label}, trace_policy=NODE_TRACE,
        input_schema=_with_settings(builder.state_schema),
    )  # fmt: skip
    if route is not None and ends is not None:
        router = _Router(route, builder)
        builder.branches[name][router.name or name] = _Edge(router, dict(ends.items()))


def compile_steps(builder: Builder, name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile a graph whose every input is a whole one: what an input leaves out is absent, not remembered."""
    graph = builder.compile(name=name)
    fields = tuple(get_type_hints(builder.input_schema))
    graph.nodes[START].mapper = lambda given: _whole(given, fields)
    return as_served(graph)


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


def _under_settings(served: Node, plain: Node, builder: Builder) -> Node:
    """The same step, under the settings of the run that asked a person, where this one was resumed by the answer.

    Args:
        served: The step of a document that is served alone.
        plain: The step of one of a batch: nobody looks on, and nothing is kept of its state.
        builder: The graph, whose settings they are.
    """
    plain = _with_runtime(plain)

    async def step(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> Any:
        held = state.get("held")
        if held is not None:
            runtime = runtime.override(context=_settings(builder, held))
        call = served if current_asking().run.served else plain
        try:
            if held is not None and (visit := visit_of(runtime)) is not None:
                visit.check(runtime.context)
            return _Left(await call(state, runtime), state)
        except CupelError as error:
            if runtime.server_info is not None:
                error.args = tuple(tell_client(said) for said in error.args)
                _name_as_told(error)
            raise

    return step


def _settings(builder: Builder, held: Mapping[str, Any]) -> RunContext:
    """Settings that were kept, as the graph takes them."""
    made: RunContext = (builder.context_schema or RunContext)(**held)
    return made


def _name_as_told(error: CupelError) -> None:
    """Have an error's name say what the error says: of a tool that fails, an MCP client is shown the name alone."""
    sentence = str(error).replace("\0", " ") or type(error).__name__
    error.__class__ = type(sentence, (type(error),), {"__module__": type(error).__module__})


def _served(node: Node, name: str, builder: Builder, *, begins: bool) -> Node:
    """The same step of a document that is served: it is told to who looks on, and a thread refers to its words."""
    call = _with_runtime(node)
    refers = "document" in get_type_hints(builder.state_schema)

    async def served(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> Any:
        runtime.stream_writer({"event": STEP_EVENT, "step": name, "doc_id": state.get("doc_id")})
        whole = await unfold(state) if refers and not begins else state
        if isinstance(runtime.context, RunContext) and refers and not begins:
            settled = await settle_prompts(runtime.context, str(state.get("task") or ""), await current())
            runtime = runtime.override(context=settled)
        visit = visit_of(runtime)
        with ask_as(_watched(_asking_of(visit), runtime)):
            update = await _seen(call(whole, runtime), name, visit)
        return await fold(update, state) if refers and _is_on_thread(runtime) else update

    return served


def _asking_of(visit: Visit | None) -> Asking:
    """For whom a step's models are asked: the caller of this run, where a door is kept."""
    asking = current_asking()
    return asking if visit is None else replace(asking, run=visit.run, ledger=visit.ledger)


async def _seen(work: Awaitable[Any], name: str, visit: Visit | None) -> Any:
    """What a step makes, once whoever keeps the door has seen it."""
    try:
        update = await work
    except GraphInterrupt:
        if visit is not None:
            visit.waits = True
        raise
    if visit is not None and isinstance(update, Mapping):
        visit.see(name, update)
    return update


def _watched(asking: Asking, runtime: Runtime[RunContext]) -> Asking:
    """Who looks on is told of each call; where the settings ask afresh, what is stored answers none of this run's."""
    if not getattr(runtime.context, "ask_afresh", False):
        return replace(asking, watch=runtime.stream_writer)
    info = runtime.execution_info
    run = str(info.run_id if info is not None and info.run_id else time.time_ns())
    # a number of its own for every run: the replies it pays for are kept under it
    number = 1 + int.from_bytes(hashlib.sha256(run.encode()).digest()[:6])
    return replace(asking, watch=runtime.stream_writer, retry=number, recalls=False)


def _is_on_thread(runtime: Runtime[RunContext]) -> bool:
    return runtime.execution_info is not None and runtime.execution_info.thread_id is not None


class _Router(Runnable[Any, Hashable]):
    """A router as LangGraph calls one: no task and no trace of its own, and under settings without a run, too.

    While a person forks a thread no run brings settings: those the thread was last walked under decide then.
    """

    def __init__(self, route: Node, builder: Builder) -> None:
        self._builder = builder
        self.name = getattr(route, "__name__", "route")
        self._call = _with_runtime(route)

    def written(self, state: Mapping[str, Any], update: Mapping[str, Any] | None) -> dict[str, Any]:
        """What each channel that a step writes holds after it, as the channel itself says."""
        after = {}
        for name, value in (update or {}).items():
            channel = self._builder.channels[name]
            if isinstance(channel, BinaryOperatorAggregate) and isinstance(value, list) and name in state:
                value = channel.operator(state[name], value)  # noqa: PLW2901  # as it is after the step
            elif type(channel) is not LastValue:
                channel = channel.from_checkpoint(state.get(name, MISSING))
                channel.update([value])
                value = channel.get()  # noqa: PLW2901  # as it is after the step
            after[name] = value
        return after

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Hashable:  # noqa: A002  # langchain's name for it
        runtime = (config or {}).get("configurable", {}).get(_RUNTIME)
        held = input.get("settings") if runtime is None else input.get("held")
        if runtime is None or held is not None:
            runtime = (runtime or Runtime()).override(context=_settings(self._builder, held or {}))
        reason: Hashable = await self._call(await unfold(input) if input.get("document") else input, runtime)
        return reason

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Hashable:  # noqa: A002  # langchain's name for it
        raise NotImplementedError("the steps are asynchronous: use ainvoke, astream and aupdate_state")


class _Left(dict[str, Any]):
    """What a step wrote, with the state it was given."""

    __slots__ = ("before",)

    def __init__(self, update: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        super().__init__(update)
        self.before = before


class _Edge(BranchSpec):
    """LangGraph's conditional edge, which adds what the step wrote to what stood before it.

    LangGraph's own copies every channel of the graph at every edge: a twentieth of what a document costs.
    """

    async def _aroute(self, input: Any, config: RunnableConfig, *, reader: Any, writer: Any) -> Any:  # noqa: A002  # langgraph's name for it
        router = cast("_Router", self.path)
        # beside a fork there was no step, only what a person wrote in its place
        before = (
            input.before
            if isinstance(input, _Left)
            else reader.func(config, select=reader.keywords["select"])
        )
        reason = await router.ainvoke({**before, **router.written(before, input)}, config)
        return self._finish(writer, input, reason, config)


def _noting_settings(node: Node) -> Node:
    """The same step, which notes on a thread the settings it was walked under: a fork's router goes by them."""
    call = _with_runtime(node)

    async def noting(state: Mapping[str, Any], runtime: Runtime[RunContext]) -> Any:
        update = await call(state, runtime)
        if not _is_on_thread(runtime):
            return update
        settings = (runtime.context or RunContext()).model_dump(mode="json", exclude_defaults=True)
        return {**update, "settings": settings}

    return noting


def _with_runtime(function: Node) -> Node:
    """The same function called with state and runtime, also where it takes the state alone."""
    if len(signature(function).parameters) > 1:
        return function
    return lambda state, _runtime: function(state)


def _with_settings(schema: Any) -> type[Any]:
    """The state with the settings it was last walked under, and those a resumed run holds.

    The latter live as long as that run, and no checkpoint has them: a fork off it takes its own.
    """
    fields = get_type_hints(schema, include_extras=True)
    held = Annotated[dict[str, Any], UntrackedValue]
    fields |= {"settings": dict[str, Any], "held": held}
    return TypedDict(schema.__name__, fields, total=False)  # type: ignore[operator,no-any-return]  # made while running


def _lists(schema: Any) -> frozenset[str]:
    """The channels that only grow, as the state's reducers say."""
    hints = get_type_hints(schema, include_extras=True).items()
    return frozenset(name for name, hint in hints if callable(getattr(hint, "__metadata__", (None,))[-1]))
