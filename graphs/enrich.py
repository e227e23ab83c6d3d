"""One document through the cascade.

START → prepare → extract (cheap) → verify → judge → finish → END
                      ▲               │ ▲       │
                      │         doubt ▼ │       ▼ rejected
                      │      escalate (strong)  refine → the same tier again, with the addendum
                      └─────────────────────────┘
                                        judge → review, when nothing else is left to try

    With a learnt pre-router set: prepare → route → extract or escalate.
"""

from langgraph.graph import END, START, StateGraph

from cupel.context import RunContext
from cupel.state import DocumentInput, Outcome, RunState
from cupel.tracing import NODE_TRACE
from nodes.escalate import escalate
from nodes.extract import extract
from nodes.finish import finish
from nodes.judge import judge, route_after_judge
from nodes.prepare import prepare, route_after_prepare
from nodes.refine import refine, route_after_refine
from nodes.review import review
from nodes.route import route, route_after_route
from nodes.verify import route_after_verify, verify

builder = StateGraph(RunState, input_schema=DocumentInput, output_schema=Outcome, context_schema=RunContext)
builder.add_node(prepare, metadata={"label": "Check, name, cut into windows"}, trace_policy=NODE_TRACE)
builder.add_node(route, metadata={"label": "Which tier first?"}, trace_policy=NODE_TRACE)
builder.add_node(extract, metadata={"label": "Cheap model"}, trace_policy=NODE_TRACE)
builder.add_node(verify, metadata={"label": "How sure are we?"}, trace_policy=NODE_TRACE)
builder.add_node(escalate, metadata={"label": "Strong model"}, trace_policy=NODE_TRACE)
builder.add_node(judge, metadata={"label": "Is it right?"}, trace_policy=NODE_TRACE)
builder.add_node(refine, metadata={"label": "Instructions for this document"}, trace_policy=NODE_TRACE)
builder.add_node(review, metadata={"label": "Ask a person"}, trace_policy=NODE_TRACE)
builder.add_node(finish, metadata={"label": "Settle the outcome"}, trace_policy=NODE_TRACE)

builder.add_edge(START, "prepare")
builder.add_conditional_edges(
    "prepare", route_after_prepare, {"ready": "extract", "to be routed": "route", "unusable": "finish"}
)
builder.add_conditional_edges(
    "route", route_after_route, {"cheap first": "extract", "strong first": "escalate"}
)
builder.add_edge("extract", "verify")
builder.add_edge("escalate", "verify")
builder.add_conditional_edges(
    "verify",
    route_after_verify,
    {"in doubt": "escalate", "to be judged": "judge", "confident": "finish"},
)
builder.add_conditional_edges(
    "judge",
    route_after_judge,
    {"accepted": "finish", "rejected": "refine", "rounds spent": "escalate", "for a person": "review"},
)
builder.add_conditional_edges("refine", route_after_refine, {"cheap": "extract", "strong": "escalate"})
builder.add_edge("review", "finish")
builder.add_edge("finish", END)

graph = builder.compile(name="enrich")
