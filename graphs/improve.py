"""One task prompt: failures → diagnosis → edits → re-test → gate → a person → promoted, or not.

START → collect → diagnose → propose → retest → weigh → approve → promote → conclude → END
           │                  ▲  │ ▲     │ no    ▲│        │ ▲ │                ▲
           │                  └──┘ └─────┘ better││ not    │ │ │ edited         │
           │                 none, again         ││ passed │ └─revise           │
           │                                     └┼────────┼────┘               │
           └ no failures ─────────────────────────┴────────┴ nobody approved ───┘
"""

from langgraph.graph import END, START, StateGraph

from cupel.cascade.forms import ImproveSettings
from cupel.cascade.steps import add_step, compile_steps
from cupel.state import ImproveInput, ImproveResult, ImproveState
from nodes.approve import approve, route_after_approve
from nodes.collect import collect, route_after_collect
from nodes.conclude import conclude
from nodes.diagnose import diagnose
from nodes.promote import promote
from nodes.propose import propose, route_after_propose
from nodes.retest import retest, route_after_retest
from nodes.revise import revise, route_after_revise
from nodes.weigh import route_after_weigh, weigh

builder = StateGraph(
    ImproveState, input_schema=ImproveInput, output_schema=ImproveResult, context_schema=ImproveSettings
)
add_step(
    builder,
    collect,
    "What goes wrong?",
    route_after_collect,
    {"failures": "diagnose", "none": "conclude"},
    begins=True,
)
add_step(builder, diagnose, "Why?")
add_step(
    builder,
    propose,
    "Edits of the prompt",
    route_after_propose,
    {"candidate": "retest", "again": "propose", "given up": "conclude"},
)
add_step(
    builder,
    retest,
    "Better where it failed?",
    route_after_retest,
    {"better": "weigh", "again": "propose", "given up": "conclude"},
)
add_step(
    builder,
    weigh,
    "The gate: held-out documents",
    route_after_weigh,
    {"passed": "approve", "stopped": "conclude"},
)
add_step(
    builder,
    approve,
    "Ask a person",
    route_after_approve,
    {"approved": "promote", "edited": "revise", "to be asked": "approve", "not approved": "conclude"},
)
add_step(builder, revise, "A person's edit", route_after_revise, {"candidate": "weigh", "refused": "approve"})
add_step(builder, promote, "Write it down")
add_step(builder, conclude, "Say what became of it")

builder.add_edge(START, "collect")
builder.add_edge("diagnose", "propose")
builder.add_edge("promote", "conclude")
builder.add_edge("conclude", END)

graph = compile_steps(builder, "improve")
