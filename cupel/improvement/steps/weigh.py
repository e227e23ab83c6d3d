"""A candidate tried, once, on the documents held out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cupel.improvement.campaign import Campaign
from cupel.improvement.gate import GateSettings, gate
from cupel.improvement.versions import as_version
from cupel.metrics import Pair, Scored, pair_up
from cupel.models import resolve_models
from cupel.runlog import now
from cupel.runs import slices_of
from cupel.state import Candidate, ImproveState, Outcome
from cupel.stats import bounded_mean

MOST_UNDECIDED = 0.1
"""Share of held-out documents without a score beyond which nothing is promoted."""

SHOWN = 5
"""Regressions and fixes that whoever approves is shown."""


@dataclass(frozen=True, slots=True)
class BothPrompts:
    """The held-out documents under the prompt as it is and under the candidate.

    Attributes:
        asked: How many they are.
        old: Outcomes under the prompt as it is; `new` under the candidate.
        before: Scores under the one, of documents that could be scored under both; `after` under the other.
    """

    asked: int
    old: Mapping[str, Outcome]
    new: Mapping[str, Outcome]
    before: Mapping[str, Scored]
    after: Mapping[str, Scored]


async def spend_look(state: ImproveState, campaign: Campaign, candidate: Candidate) -> int:
    """The number of the look this candidate takes at the held-out documents; in the ledger before any of them is run."""
    look = await asyncio.to_thread(
        campaign.ledger.look, task=campaign.task.name, held_out=state["held_out_version"],
        version=candidate["version"], at=now(),
    )  # fmt: skip
    return look.number


async def run_both(state: ImproveState, campaign: Campaign, candidate: Candidate) -> BothPrompts:
    """Every held-out document under both prompts, as the gate's own judges see them."""
    ids = state["held_out_ids"]
    old = await campaign.outcomes(campaign.task, campaign.confirmation, ids)
    new = await campaign.outcomes(as_version(campaign.task, candidate), campaign.confirmation, ids)
    before, after = campaign.scores(old, ids), campaign.scores(new, ids)
    scored = sorted(before.keys() & after.keys())
    return BothPrompts(len(ids), old, new, {d: before[d] for d in scored}, {d: after[d] for d in scored})


def decide(campaign: Campaign, both: BothPrompts, look: int) -> dict[str, Any]:
    """The gate's decision as plain JSON; where too few documents could be scored it is inconclusive."""
    if not both.before:
        reasons = ["no held-out document could be scored"]
        return {"decision": "inconclusive", "reasons": reasons, "n": 0, "look": look}
    documents = campaign.chosen(list(both.before))
    groups = {document.doc_id: document.group for document in documents}
    slices = {document.doc_id: slices_of(document) for document in documents}
    pairs = pair_up(both.before, both.after, groups=groups, slices=slices)
    judge = resolve_models(campaign.context, campaign.bench.runtime.env).judge
    tuned_by = campaign.metric if campaign.by_gold else f"judge:{judge}"
    weighed = gate(pairs, look=look, settings=GateSettings(metric=campaign.metric, dev_metric=tuned_by))
    interval = [weighed.interval.low, weighed.interval.high]
    decision: dict[str, Any] = json.loads(json.dumps(asdict(weighed))) | {"interval": interval}
    decision |= {"metric": campaign.metric} | _levels(pairs)
    if undecided := both.asked - len(pairs):
        decision["notes"].append(f"{undecided} held-out documents could not be scored under both prompts")
    if undecided > MOST_UNDECIDED * both.asked and weighed.decision == "promote":
        decision["decision"] = "inconclusive"
        decision["reasons"].insert(0, f"{undecided} of {both.asked} held-out documents could not be scored")
    return decision


def _levels(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Both prompts' means with their 95 % intervals by group, and what a document costs under each."""
    groups = [pair.group for pair in pairs]
    levels: dict[str, list[float]] = {}
    cost: dict[str, float | None] = {}
    for name, runs in (("before", [pair.old for pair in pairs]), ("after", [pair.new for pair in pairs])):
        interval = bounded_mean([run.score for run in runs], groups)
        levels[f"{name}_interval"] = [interval.low, interval.high]
        prices = [run.usd for run in runs if run.usd is not None]
        cost[f"usd_{name}"] = sum(prices) / len(runs) if len(prices) == len(runs) else None
        cost[f"tokens_{name}"] = sum(run.tokens for run in runs) / len(runs)
    return {**levels, "cost": cost}


async def note_decision(
    state: ImproveState, campaign: Campaign, candidate: Candidate, both: BothPrompts, decision: dict[str, Any]
) -> dict[str, Any]:
    """The decision with what it is about, noted in the ledger; returned with the records that changed most."""
    changes = {d: both.after[d].score - before.score for d, before in both.before.items()}
    order = sorted(changes, key=lambda d: (-abs(changes[d]), d))
    better = [d for d in order if changes[d] > 0][:SHOWN]
    worse = [d for d in order if changes[d] < 0][:SHOWN]
    held_out = state["held_out_version"]
    data = {
        **decision, "version": candidate["version"], "against": campaign.version, "held_out": held_out,
        "diff": candidate["diff"], "better": better, "worse": worse,
    }  # fmt: skip
    await campaign.note("decision", f"{candidate['version']}:{campaign.version}:{held_out}", data)
    side_by_side = [
        {
            "doc_id": d, "change": change, "before": both.old[d]["record"], "after": both.new[d]["record"],
            "before_score": both.before[d].score, "after_score": both.after[d].score,
        }
        for change, ids in (("worse", worse), ("better", better)) for d in ids
    ]  # fmt: skip
    return {**data, "side_by_side": side_by_side}
