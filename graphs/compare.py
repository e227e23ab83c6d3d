"""One document done twice, by two models or with two prompts; a third model says which record is better.

START → answer (a and b) → prefer (both orders) → END
"""

from langgraph.graph import END, START, StateGraph

from cupel.cascade.forms import CompareSettings
from cupel.cascade.steps import add_step, compile_steps
from cupel.state import CompareInput, CompareResult, CompareState
from nodes.answer import answer
from nodes.prefer import prefer

builder = StateGraph(
    CompareState, input_schema=CompareInput, output_schema=CompareResult, context_schema=CompareSettings
)
add_step(builder, answer, "Both sides", begins=True)
add_step(builder, prefer, "Which is better?")

builder.add_edge(START, "answer")
builder.add_edge("answer", "prefer")
builder.add_edge("prefer", END)

graph = compile_steps(builder, "compare")
