"""Steps draw and walk as LangGraph's conditional edges do."""

from typing import Any

from langgraph.graph import END, START, StateGraph

from cupel.cascade.steps import add_step
from cupel.context import RunContext
from cupel.state.enrich import DocumentInput, Outcome, RunState
from cupel.tracing.tracer import NODE_TRACE

ENDS = {"again": "extract", "enough": "finish"}


async def extract(state: RunState) -> dict[str, Any]:
    number = len(state["attempts"]) + 1
    return {"attempts": [{"number": number, "score": None}], "path": ["extract"]}


async def verify(state: RunState, runtime: object) -> dict[str, Any]:
    assert runtime is not None
    return {"attempts": [{**state["attempts"][-1], "score": 0.5}], "path": ["verify"]}


async def route_after_verify(state: RunState) -> str:
    """It sees the attempt as `verify` left it, in its place, and the whole path."""
    assert [attempt["score"] for attempt in state["attempts"]] == [0.5] * len(state["attempts"])
    assert state["path"][-1] == "verify"
    return "again" if len(state["attempts"]) < 3 else "enough"


async def finish(state: RunState) -> dict[str, Any]:
    return {"status": "accepted", "path": ["finish"]}


def built(*, by_step: bool):
    builder = StateGraph(
        RunState, input_schema=DocumentInput, output_schema=Outcome, context_schema=RunContext
    )
    for node in (extract, finish):
        add_step(builder, node, node.__name__)
    if by_step:
        add_step(builder, verify, "verify", route_after_verify, ENDS)
    else:
        builder.add_node(verify, metadata={"label": "verify"}, trace_policy=NODE_TRACE)
        builder.add_conditional_edges("verify", route_after_verify, ENDS)
    builder.add_edge(START, "extract")
    builder.add_edge("extract", "verify")
    builder.add_edge("finish", END)
    return builder.compile()


def drawn(graph):
    return {(edge.source, edge.target, edge.data, edge.conditional) for edge in graph.get_graph().edges}


async def test_the_walk_is_that_of_conditional_edges():
    """A document takes the same way as along LangGraph's own edges."""
    step, edge = [
        await built(by_step=by_step).ainvoke({"text": "a"}, context=RunContext()) for by_step in (True, False)
    ]
    assert step == edge
    assert step["path"] == [*["extract", "verify"] * 3, "finish"]


def test_the_drawing_is_that_of_conditional_edges():
    """Studio shows a step with its router edge for edge as LangGraph's own."""
    assert drawn(built(by_step=True)) == drawn(built(by_step=False))
    assert ("verify", "extract", "again", True) in drawn(built(by_step=True))
