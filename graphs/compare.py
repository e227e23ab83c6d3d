"""One document done twice, by two models or with two prompts; a third model says which record is better.

START → answer (a and b) → prefer (both orders) → END
"""

from langgraph.graph import END, START, StateGraph

from cupel.context import RunContext
from cupel.state import CompareInput, CompareResult, CompareState
from nodes.answer import answer
from nodes.prefer import prefer

builder = StateGraph(
    CompareState, input_schema=CompareInput, output_schema=CompareResult, context_schema=RunContext
)
builder.add_node(answer, metadata={"label": "Both sides"})
builder.add_node(prefer, metadata={"label": "Which is better?"})

builder.add_edge(START, "answer")
builder.add_edge("answer", "prefer")
builder.add_edge("prefer", END)

graph = builder.compile(name="compare")
