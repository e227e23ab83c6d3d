"""A thread edited as if a node had written it goes on along the edge that its router takes then."""

from __future__ import annotations

import pytest

from cupel.project import load_graph
from tests.integration.cascade import (
    ACCEPTS,
    CANNOT_TELL,
    CLAIM,
    INVENTED,
    LOOK_AT_THE_END,
    PREMISE,
    TEXT,
    record,
)
from tests.integration.threads import Thread, answering, kept

pytestmark = pytest.mark.usefixtures("runtime")

EVIDENT = {"cheap": record(), "strong": record(matter="strong"), "judge": ACCEPTS, "refiner": LOOK_AT_THE_END}


def last(state, **changes):
    """The latest attempt, changed."""
    return {"attempts": [{**state.values["attempts"][-1], **changes}]}


def judged(state, **changes):
    """The latest verdict, changed."""
    return {"verdicts": [{**state.values["verdicts"][-1], **changes}]}


def failing(state):
    """A verdict that rejects."""
    fault = {
        "criterion": "stance_fits",
        "finding": "fail",
        "reasoning": "no",
        "evidence_quote": None,
        "quote_match": None,
    }
    return judged(state, verdict="rejected", findings=[fault])


def told(state, tier):
    """An addendum for a tier."""
    return {
        "addenda": [
            {
                "tier": tier, "round": 1, "after_attempt": 1, "instructions": ["Read on."], "criteria": ["x"],
                "dropped": [], "model": None, "calls": [],
            }
        ]
    }  # fmt: skip


def answered(state):
    """A review as a person's answer leaves it."""
    record_, evidence = state.values["record"], state.values["evidence"]
    return {"review": {"action": "accept", "record": record_, "evidence": evidence, "note": "Fine."}}


FORKS = {
    "prepare, as it is": ("prepare", lambda s: None, "extract"),
    "prepare, the text torn": ("prepare", lambda s: {"problem": "The scan is torn."}, "finish"),
    "route, cheap": ("route", lambda s: {"first_tier": "cheap"}, "extract"),
    "route, strong": ("route", lambda s: {"first_tier": "strong"}, "escalate"),
    "extract": ("extract", lambda s: last(s, record=record(matter="by hand")), "verify"),
    "verify, confident": ("verify", lambda s: last(s, in_doubt=False, calibrated=True), "finish"),
    "verify, in doubt": ("verify", lambda s: last(s, in_doubt=True), "escalate"),
    "verify, to be judged": ("verify", lambda s: last(s, record=record(matter="by hand")), "judge"),
    "escalate": ("escalate", lambda s: last(s, tier="strong"), "verify"),
    "judge, accepted": ("judge", lambda s: judged(s, verdict="accepted", findings=[]), "finish"),
    "judge, rejected": ("judge", failing, "refine"),
    "judge, unknown": ("judge", lambda s: judged(s, verdict="unknown", reason="I cannot tell."), "review"),
    "refine, cheap": ("refine", lambda s: told(s, "cheap"), "extract"),
    "refine, strong": ("refine", lambda s: told(s, "strong"), "escalate"),
    "review, settled": ("review", answered, "finish"),
    "finish": ("finish", lambda s: {"reasons": ["by hand"]}, None),
}


def test_every_node_is_forked_here(project):
    """A node that is added gets its fork."""
    assert {node for node, _, _ in FORKS.values()} == load_graph(project, "enrich").nodes.keys() - {
        "__start__"
    }


@pytest.mark.parametrize("name", FORKS)
async def test_a_fork_goes_on_along_its_routers_edge(project, name):
    """From every node of the enrich graph, to an outcome."""
    node, edit, target = FORKS[name]
    thread = Thread(kept(project), settings={"audit_share": 0.0})
    with answering(**EVIDENT):
        await thread.run({"text": TEXT})
        await thread.fork(node, edit(await thread.state()))

        assert (await thread.state()).next == ((target,) if target else ())
        outcome = await thread.run(None)
    assert outcome["status"] in ("accepted", "needs_review", "failed")
    if target is not None:
        assert outcome["path"][5:6] == [target]
        assert outcome["path"][-1] == "finish"


async def test_a_verdict_that_is_changed_decides(project):
    """A person overrules the judge in Studio, and the record is accepted with its reasons gone."""
    thread = Thread(kept(project))
    with answering(**{**EVIDENT, "judge": CANNOT_TELL}):
        assert (await thread.run({"text": TEXT}))["status"] == "needs_review"
        await thread.fork("judge", judged(await thread.state(), verdict="accepted", findings=[]))
        outcome = await thread.run(None)

    assert (outcome["status"], outcome["reasons"]) == ("accepted", [])


@pytest.mark.parametrize(
    ("node", "checked"), [("extract", "extract"), ("verify", "verify"), ("judge", "judge")]
)
@pytest.mark.parametrize(("claim", "found"), [("open its funds to the cities", True), (INVENTED, False)])
async def test_a_record_that_is_changed_is_judged_by_what_it_says_now(project, node, checked, claim, found):
    """Its evidence is looked up anew, wherever the fork was made: no quote keeps the place of another."""
    thread = Thread(kept(project))
    with answering(**EVIDENT):
        await thread.run({"text": TEXT})
        await thread.fork(node, last(await thread.state(), record=record(claim)))
        outcome = await thread.run(None, strong_model="none", max_refinements=0)

    quotes = {item["quote"]: item["match"] for item in (await thread.whole())["evidence"]}
    if found or node == "judge":  # who forks as the judge has judged it
        assert quotes == {claim: "verbatim" if found else "absent", PREMISE: "verbatim"}
        assert outcome["status"] == "accepted"
    else:
        assert quotes.get(CLAIM) is None
        assert outcome["status"] == "needs_review"


async def test_a_fork_takes_its_own_settings(project):
    """Models of the run before are not asked again where the fork names others."""
    thread = Thread(kept(project))
    with answering(cheap=record(), strong=record(matter="strong"), judge=ACCEPTS):
        await thread.run({"text": TEXT})
        await thread.fork("prepare")
        outcome = await thread.run(None, cheap_model="scripted:strong", judge="never")

    assert [attempt["model"] for attempt in outcome["attempts"]] == ["scripted:cheap", "scripted:strong"]
    assert outcome["path"][-3:] == ["extract", "verify", "finish"]


def turn(reason):
    """A round of proposing, and why it ended."""
    return {
        "number": 1,
        "version": "v1",
        "diff": "",
        "reason": reason,
        "fixes": 0,
        "breaks": 0,
        "documents": 1,
    }


OTHERS = {
    ("improve", "collect"): ({"failures": [{}]}, "diagnose"),
    ("improve", "diagnose"): ({"told": "They are short."}, "propose"),
    ("improve", "propose"): ({"proposal": {"version": "v1"}}, "retest"),
    ("improve", "retest"): ({"tried": [turn("")]}, "weigh"),
    ("improve", "weigh"): ({"decision": {"decision": "promote"}}, "approve"),
    ("improve", "approve"): ({"approved_by": "Ada"}, "promote"),
    ("improve", "revise"): ({"objection": ""}, "weigh"),
    ("improve", "promote"): ({"result": "promoted"}, "conclude"),
    ("improve", "conclude"): ({"reasons": []}, None),
    ("compare", "answer"): ({"outcomes": {}}, "prefer"),
    ("compare", "prefer"): ({"preferred": "tie"}, None),
}


def test_every_node_of_the_other_graphs_is_forked_here(project):
    """A node that is added gets its fork."""
    nodes = {(name, node) for name in ("improve", "compare") for node in load_graph(project, name).nodes}
    assert nodes - {("improve", "__start__"), ("compare", "__start__")} == OTHERS.keys()


@pytest.mark.parametrize(("name", "node"), OTHERS)
async def test_a_fork_of_another_graph_takes_its_routers_edge_too(project, name, node):
    """An edit made as any node is followed by what that node leads to then."""
    values, target = OTHERS[name, node]
    thread = Thread(kept(project, name))
    await thread.fork(node, {"task": "stance", **values})

    assert (await thread.state()).next == ((target,) if target else ())
