"""A person's edit of a nominee: a new version, held to the guards, that must pass the gate itself."""

from __future__ import annotations

import asyncio
from typing import Any

from cupel.context import RunContext
from cupel.errors import TaskError
from cupel.improvement.campaign import open_campaign
from cupel.improvement.steps.propose import candidate_by_hand
from cupel.improvement.steps.retest import candidate_of
from cupel.improvement.versions import is_changed, rules_of
from cupel.state import ImproveState
from cupel.task import parse_rules


async def revise_nominee(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """A candidate from a person's edit of the nominee, held to the guards; the nominee stands by meanwhile."""
    edited = state.get("edited")
    nominee = candidate_of(state)
    if edited is None:
        return {"objection": "there was no edit to read", "edited": None}
    campaign = await open_campaign(state, context)
    try:
        text = edited["rules"]
        rules = rules_of(nominee["rules"]) if text is None else parse_rules(text, "your edit")
    except TaskError as error:
        return {"objection": str(error), "edited": None}
    extract = edited["extract"] or nominee["extract"]
    made = is_changed(campaign.task, rules, extract)
    candidate, problem = await asyncio.to_thread(candidate_by_hand, campaign, made, "your edit")
    if candidate is not None and candidate["version"] == nominee["version"]:
        candidate, problem = None, "your edit says what the nominee says already"
    if candidate is None:
        return {"objection": problem, "edited": None}
    candidate["edited_from"] = nominee["version"]
    await campaign.note("version", candidate["version"], dict(candidate))
    passed = {"proposal": nominee, "decision": state.get("decision")}
    return {"proposal": candidate, "passed": passed, "edited": None, "objection": ""}
