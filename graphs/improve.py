"""One task prompt: failures → diagnosis → edits → re-test → gate → a person → promoted, or not.

START → collect → diagnose → propose → retest → weigh → approve → promote → conclude → END
           │                  ▲  │ ▲     │ no    ▲│        │ ▲ │                ▲
           │                  └──┘ └─────┘ better││ not    │ │ │ edited         │
           │                 none, again         ││ passed │ └─revise           │
           │                                     └┼────────┼────┘               │
           └ no failures ─────────────────────────┴────────┴ nobody approved ───┘
"""

from langgraph.graph import END, START, StateGraph

from cupel.context import RunContext
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
    ImproveState, input_schema=ImproveInput, output_schema=ImproveResult, context_schema=RunContext
)
builder.add_node(collect, metadata={"label": "What goes wrong?"})
builder.add_node(diagnose, metadata={"label": "Why?"})
builder.add_node(propose, metadata={"label": "Edits of the rules"})
builder.add_node(retest, metadata={"label": "Better where it failed?"})
builder.add_node(weigh, metadata={"label": "The gate: held-out documents"})
builder.add_node(approve, metadata={"label": "Ask a person"})
builder.add_node(revise, metadata={"label": "A person's edit"})
builder.add_node(promote, metadata={"label": "Write it down"})
builder.add_node(conclude, metadata={"label": "Say what became of it"})

builder.add_edge(START, "collect")
builder.add_conditional_edges("collect", route_after_collect, {"failures": "diagnose", "none": "conclude"})
builder.add_edge("diagnose", "propose")
builder.add_conditional_edges(
    "propose", route_after_propose, {"candidate": "retest", "again": "propose", "given up": "conclude"}
)
builder.add_conditional_edges(
    "retest", route_after_retest, {"better": "weigh", "again": "propose", "given up": "conclude"}
)
builder.add_conditional_edges("weigh", route_after_weigh, {"passed": "approve", "stopped": "conclude"})
builder.add_conditional_edges(
    "approve",
    route_after_approve,
    {"approved": "promote", "edited": "revise", "unclear": "approve", "not approved": "conclude"},
)
builder.add_conditional_edges("revise", route_after_revise, {"candidate": "weigh", "refused": "approve"})
builder.add_edge("promote", "conclude")
builder.add_edge("conclude", END)

graph = builder.compile(name="improve")
