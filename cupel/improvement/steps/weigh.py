"""A candidate tried, once, on the documents held out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cupel.errors import NotEnoughDataError
from cupel.improvement.campaign import Campaign
from cupel.improvement.entries import Look, digest
from cupel.improvement.gate import GateSettings, gate, missing_groups
from cupel.improvement.guards import MAX_TOKEN_GROWTH
from cupel.improvement.versions import as_version
from cupel.metrics import Pair, Scored, pair_up
from cupel.models import resolve_models
from cupel.runs import slices_of
from cupel.state import Candidate, ImproveState, Nominee, Outcome
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


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A look, and the documents it is at.

    Attributes:
        look: Its number and its level.
        ids: The documents, sorted.
    """

    look: Look
    ids: tuple[str, ...]


async def spend_look(state: ImproveState, campaign: Campaign, candidate: Candidate) -> HeldOut:
    """The look this candidate takes at held-out documents; in the ledger before any of them is run.

    Documents that were shown since the campaign began, and those of their groups, are not looked at. A person's edit of
    a nominee that passed takes the nominee's documents, without those they were shown: a prompt that is no better comes
    that far only where the nominee passed, which its look has paid for.

    Raises:
        NotEnoughDataError: If too few are left for the gate to pass anything; no look is spent then.
    """
    task, key = campaign.task.name, f"{campaign.name}:{candidate['version']}"
    book = await asyncio.to_thread(campaign.ledger.book, task)
    nominee = state.get("passed")
    follows, shown = _look_of(nominee) if nominee else ((), frozenset[str]())
    known = book.look(key)
    ids = (
        _ids_of(state, campaign, known.docs)
        if known
        else _unseen(state, campaign, book.seen(without=follows), shown)
    )
    groups = {state["groups"][doc_id] for doc_id in ids}
    if known is None and (missing := missing_groups(len(groups), book.next_alpha)):
        raise NotEnoughDataError(
            f"no look was spent: {len(state['held_out_ids']) - len(ids)} of the {len(state['held_out_ids'])} held-out documents "
            f"or their groups were seen since the campaign began; at least {missing} new groups are missing"
        )
    look = await asyncio.to_thread(
        campaign.ledger.spend_look, task=task, key=key, version=candidate["version"], against=campaign.version,
        docs={campaign.hashes[doc_id] for doc_id in ids}, follows=follows,
    )  # fmt: skip
    return HeldOut(look, ids)


def _look_of(nominee: Nominee) -> tuple[tuple[str, ...], frozenset[str]]:
    """The key of a nominee's look with those it came after, and the documents that were shown side by side."""
    decision = nominee["decision"] or {}
    shown = frozenset(
        [*decision.get("better", ()), *decision.get("worse", ()), *decision.get("left_out", ())]
    )
    return (decision["look_key"], *decision.get("follows", ())), shown


def _ids_of(state: ImproveState, campaign: Campaign, docs: Collection[str]) -> tuple[str, ...]:
    wanted = set(docs)
    return tuple(doc_id for doc_id in state["held_out_ids"] if campaign.hashes[doc_id] in wanted)


def _unseen(
    state: ImproveState, campaign: Campaign, seen: Collection[str], shown: Collection[str]
) -> tuple[str, ...]:
    groups = state["groups"]
    known = {groups[doc_id] for doc_id in state["held_out_ids"] if campaign.hashes[doc_id] in seen}
    return tuple(
        doc_id for doc_id in state["held_out_ids"] if groups[doc_id] not in known and doc_id not in shown
    )


async def run_both(campaign: Campaign, candidate: Candidate, ids: Sequence[str]) -> BothPrompts:
    """Every document of the look under both prompts, as the gate's own judges see them."""
    old = await campaign.outcomes(campaign.task, campaign.confirmation, ids)
    new = await campaign.outcomes(as_version(campaign.task, candidate), campaign.confirmation, ids)
    before, after = campaign.scores(old, ids), campaign.scores(new, ids)
    scored = sorted(before.keys() & after.keys())
    return BothPrompts(len(ids), old, new, {d: before[d] for d in scored}, {d: after[d] for d in scored})


def decide(
    state: ImproveState, campaign: Campaign, candidate: Candidate, both: BothPrompts, held: HeldOut
) -> dict[str, Any]:
    """The gate's decision as plain JSON; where too few documents could be scored it is inconclusive."""
    look = held.look
    rests_on = {
        "look": look.number, "look_key": look.key, "made_of": dict(campaign.made_of),
        "evidence": campaign.evidence(candidate["version"], held.ids).parts(),
    }  # fmt: skip
    if not both.before:
        reasons = ["no held-out document could be scored"]
        return {"decision": "inconclusive", "reasons": reasons, "n": 0, "p": 1.0, **rests_on}
    documents = campaign.chosen(list(both.before))
    # as they were split: groups that share a text are one
    groups = state["groups"]
    slices = {document.doc_id: slices_of(document) for document in documents}
    pairs = pair_up(both.before, both.after, groups=groups, slices=slices)
    judge = resolve_models(campaign.context, campaign.bench.runtime.env).judge
    tuned_by = campaign.metric if campaign.by_gold else f"judge:{judge}"
    growth = state.get("token_growth")
    settings = GateSettings(
        metric=campaign.metric,
        dev_metric=tuned_by,
        max_token_growth=MAX_TOKEN_GROWTH if growth is None else growth,
    )
    weighed = gate(pairs, look=look.number, settings=settings)
    interval = [weighed.interval.low, weighed.interval.high]
    decision: dict[str, Any] = json.loads(json.dumps(asdict(weighed))) | {"interval": interval}
    decision |= {"metric": campaign.metric, **rests_on} | _levels(pairs)
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
    nominee = state.get("passed")
    follows, left_out = _look_of(nominee) if nominee else ((), frozenset[str]())
    data = {
        **decision, "version": candidate["version"], "against": campaign.version, "held_out": state["held_out_version"],
        "diff": candidate["diff"], "better": better, "worse": worse, "follows": list(follows), "left_out": sorted(left_out),
    }  # fmt: skip
    # by all that made it: where anything of it changed, this is another decision
    await campaign.note("decision", digest([decision["evidence"], campaign.name]), data)
    side_by_side = [
        {
            "doc_id": d, "change": change, "before": both.old[d]["record"], "after": both.new[d]["record"],
            "before_score": both.before[d].score, "after_score": both.after[d].score,
        }
        for change, ids in (("worse", worse), ("better", better)) for d in ids
    ]  # fmt: skip
    return {**data, "side_by_side": side_by_side}
