"""A candidate tried, once, on the documents held out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cupel.context import RunContext
from cupel.improvement.campaign import Campaign, open_campaign
from cupel.improvement.gate import GateDecision, GateSettings, gate
from cupel.improvement.steps.retest import candidate_of
from cupel.improvement.versions import is_changed, rules_of
from cupel.metrics import Pair, Scored, pair_up
from cupel.models import resolve_models
from cupel.runlog import now
from cupel.runs import slices_of
from cupel.state import Candidate, ImproveState
from cupel.stats import bootstrap_mean

MOST_UNDECIDED = 0.1
"""Share of held-out documents without a score beyond which nothing is promoted."""

SHOWN = 5
"""Regressions and fixes that whoever approves is shown."""


async def weigh_candidate(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """Both prompts on the held-out documents; the look is spent before anything of them is seen."""
    campaign = await open_campaign(state, context)
    candidate, ids = candidate_of(state), state["held_out_ids"]
    look = await asyncio.to_thread(
        campaign.ledger.look,
        task=campaign.task.name,
        held_out=state["held_out_version"],
        version=candidate["version"],
        at=now(),
    )
    task = is_changed(campaign.task, rules_of(candidate["rules"]), candidate["extract"])
    old = await campaign.outcomes(campaign.task, campaign.confirmation, ids)
    new = await campaign.outcomes(task, campaign.confirmation, ids)
    before, after = campaign.scores(old, ids), campaign.scores(new, ids)
    both = sorted(before.keys() & after.keys())
    decision = _decision(
        campaign, {d: before[d] for d in both}, {d: after[d] for d in both}, len(ids), look.number
    )
    changes = {d: after[d].score - before[d].score for d in both}
    better = sorted((d for d in both if changes[d] > 0), key=lambda d: (-changes[d], d))[:SHOWN]
    worse = sorted((d for d in both if changes[d] < 0), key=lambda d: (changes[d], d))[:SHOWN]
    data = {
        **decision, "version": candidate["version"], "against": campaign.version, "held_out": state["held_out_version"],
        "diff": candidate["diff"], "better": better, "worse": worse,
    }  # fmt: skip
    await campaign.note(
        "decision", f"{candidate['version']}:{campaign.version}:{state['held_out_version']}", data
    )
    side_by_side = [
        {
            "doc_id": d, "change": "worse" if d in worse else "better", "before": old[d]["record"], "after": new[d]["record"],
            "before_score": before[d].score, "after_score": after[d].score,
        }
        for d in (*worse, *better)
    ]  # fmt: skip
    cost = round(await campaign.bench.runtime.run_log.spent_usd(campaign.name), 8)
    return {"cost_usd": cost} | _standing(state, candidate, {**data, "side_by_side": side_by_side})


def _standing(state: ImproveState, candidate: Candidate, decision: dict[str, Any]) -> dict[str, Any]:
    """The decision; where a person's edit did not pass, that of the nominee it was made from, which still stands."""
    passed = state.get("passed")
    if passed is None or decision["decision"] == "promote":
        return {"decision": decision, "passed": None}
    told = f"{candidate['version']}, your edit, did not pass the gate ({decision['decision']}): {decision['reasons'][0]}"
    return {**passed, "passed": None, "objection": told}


def _decision(
    campaign: Campaign, before: Mapping[str, Scored], after: Mapping[str, Scored], asked: int, look: int
) -> dict[str, Any]:
    """The gate's decision as plain JSON; where too few documents could be scored it is inconclusive."""
    undecided = asked - len(before)
    if not before:
        return {
            "decision": "inconclusive",
            "reasons": ["no held-out document could be scored"],
            "n": 0,
            "look": look,
        }
    groups = {doc_id: campaign.documents[doc_id].group for doc_id in before}
    slices = {doc_id: slices_of(campaign.documents[doc_id]) for doc_id in before}
    judge = resolve_models(campaign.context, campaign.bench.runtime.env).judge
    settings = GateSettings(
        metric=campaign.metric, dev_metric=campaign.metric if campaign.by_gold else f"judge:{judge}"
    )
    pairs = pair_up(before, after, groups=groups, slices=slices)
    made = gate(pairs, look=look, settings=settings)
    told = _as_json(made) | {"metric": settings.metric} | _levels(pairs)
    if undecided:
        told["notes"] = [
            *told["notes"],
            f"{undecided} held-out documents could not be scored under both prompts",
        ]
    if undecided > MOST_UNDECIDED * asked and made.decision == "promote":
        told["decision"] = "inconclusive"
        told["reasons"] = [f"{undecided} of {asked} held-out documents could not be scored", *told["reasons"]]
    return told


def _levels(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Both prompts' means with their 95 % intervals by group, and what a document costs under each."""
    groups = [pair.group for pair in pairs]
    intervals = (
        bootstrap_mean([getattr(pair, name) for pair in pairs], groups) for name in ("before", "after")
    )
    before, after = ([interval.low, interval.high] for interval in intervals)
    cost = {}
    for name, runs in (("before", [pair.old for pair in pairs]), ("after", [pair.new for pair in pairs])):
        known = [run.usd for run in runs if run.usd is not None]
        cost[f"usd_{name}"] = sum(known) / len(runs) if len(known) == len(runs) else None
        cost[f"tokens_{name}"] = sum(run.tokens for run in runs) / len(runs)
    return {"before_interval": before, "after_interval": after, "cost": cost}


def _as_json(made: GateDecision) -> dict[str, Any]:
    told = asdict(made)
    return json.loads(json.dumps(told)) | {"interval": [made.interval.low, made.interval.high]}  # type: ignore[no-any-return]  # plain JSON
