"""One document through the cascade.

START → prepare → extract (cheap) → verify → judge → finish → END
                      ▲               │ ▲       │
                      │         doubt ▼ │       ▼ rejected
                      │      escalate (strong)  refine → the same tier again, with the addendum
                      └─────────────────────────┘
              judge → review, when nothing else is left to try: a person's instruction is tried like a refinement

    With a learnt pre-router set: prepare → route → extract or escalate.
"""

from langgraph.graph import END, START, StateGraph

from cupel.cascade.forms import EnrichSettings
from cupel.cascade.steps import add_step, compile_steps
from cupel.state import DocumentInput, Outcome, RunState
from nodes.escalate import escalate
from nodes.extract import extract
from nodes.finish import finish
from nodes.judge import judge, route_after_judge
from nodes.prepare import prepare, route_after_prepare
from nodes.refine import refine, route_after_refine
from nodes.review import review, route_after_review
from nodes.route import route, route_after_route
from nodes.verify import route_after_verify, verify

builder = StateGraph(
    RunState, input_schema=DocumentInput, output_schema=Outcome, context_schema=EnrichSettings
)
add_step(
    builder,
    prepare,
    "Check, name, cut into windows",
    route_after_prepare,
    {"ready": "extract", "to be routed": "route", "unusable": "finish"},
    begins=True,
)
add_step(
    builder,
    route,
    "Which tier first?",
    route_after_route,
    {"cheap first": "extract", "strong first": "escalate"},
)
add_step(builder, extract, "Cheap model")
add_step(
    builder,
    verify,
    "How sure are we?",
    route_after_verify,
    {"in doubt": "escalate", "to be judged": "judge", "confident": "finish"},
)
add_step(builder, escalate, "Strong model")
add_step(
    builder,
    judge,
    "Is it right?",
    route_after_judge,
    {"accepted": "finish", "rejected": "refine", "rounds spent": "escalate", "for a person": "review"},
)
add_step(
    builder,
    refine,
    "Instructions for this document",
    route_after_refine,
    {"cheap": "extract", "strong": "escalate"},
)
add_step(
    builder,
    review,
    "Ask a person",
    route_after_review,
    {"to be asked": "review", "cheap again": "extract", "strong again": "escalate", "settled": "finish"},
)
add_step(builder, finish, "Settle the outcome")

builder.add_edge(START, "prepare")
builder.add_edge("extract", "verify")
builder.add_edge("escalate", "verify")
builder.add_edge("finish", END)

graph = compile_steps(builder, "enrich")
