"""A candidate from an engine, or from a person's file: held to the same guards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from cupel.engine import Asking, ask_as
from cupel.improvement.campaign import Campaign
from cupel.improvement.candidates import RULES_TOKENS, candidate_by_hand, make_candidate
from cupel.improvement.dev_trials import DevTrials
from cupel.improvement.edits import MAX_EDITS, locked_parts
from cupel.improvement.engines import Brief, engine_named
from cupel.improvement.guards import MAX_TOKEN_GROWTH, propose, room_of
from cupel.improvement.versions import as_version, is_path, known_version, read_candidate
from cupel.state import Candidate, ImproveState, Round

ROUNDS = 3
"""Candidates tried on development documents, unless told otherwise."""

MOST_TOLD = 5
"""Earlier candidates a rewriter is told of."""


def out_of_rounds(state: ImproveState) -> bool:
    """Whether no further candidate may be tried: all rounds are used, or a person's own was the only one."""
    return bool(state.get("candidate")) or len(state["tried"]) >= (state.get("rounds") or ROUNDS)


async def take_by_hand(state: ImproveState, campaign: Campaign) -> tuple[Candidate | None, str]:
    """The candidate in a file a person edited, or a version of the ledger, such as one brought from Studio."""
    return await asyncio.to_thread(_read_by_hand, campaign, state["candidate"])


def _read_by_hand(campaign: Campaign, path: str) -> tuple[Candidate | None, str]:
    if is_path(path, campaign.bench.project.folder):
        task = read_candidate(campaign.bench.project.folder / path, campaign.task)
    else:
        task = as_version(campaign.task, known_version(campaign.ledger, campaign.task.name, path).data)
    return candidate_by_hand(campaign, task, path)


async def ask_engine(state: ImproveState, campaign: Campaign) -> tuple[Candidate | None, str]:
    """What is left of an engine's edits behind the guards; what it searched is noted in the ledger."""
    name, number = state.get("engine") or "reflect", len(state["tried"]) + 1
    room = room_of(
        campaign.task, RULES_TOKENS, growth=state.get("token_growth") or MAX_TOKEN_GROWTH,
        tokens_per_document=state.get("tokens_per_document") or 0.0,
    )  # fmt: skip
    locked = locked_parts(campaign.task, by_gold=campaign.by_gold)
    tried = await asyncio.to_thread(_tell_tried, campaign, state["tried"])
    brief = Brief(
        task=campaign.task, context=campaign.context, failures=state.get("told") or "", shown=state.get("shown") or {},
        mended=state.get("mended") or "", tried=tried,
        sample=(state.get("seed") or 0) * 1_000 + number, room=room, locked=locked,
        dev=DevTrials(campaign, state.get("failed_docs") or [], state.get("passed_docs") or []),
    )  # fmt: skip
    with ask_as(Asking(run=campaign.bench.run)):
        answer = await engine_named(name).propose(brief)
    if answer.trail:
        await campaign.note("note", f"{campaign.name}:round{number}:search", {"engine": name, **answer.trail})
    if answer.problem:
        return None, answer.problem
    proposal = propose(
        answer.reply, campaign.task, failures={**brief.shown, **answer.shown}, leaks=campaign.leaks,
        room=room, most_edits=MAX_EDITS * answer.steps, locked=locked,
    )  # fmt: skip
    if proposal.task is None:
        return None, proposal.reason
    edits, dropped = [edit.to_json() for edit in proposal.edits], [asdict(each) for each in proposal.dropped]
    made = make_candidate(
        campaign, proposal.task.rules, name, edits=edits, dropped=dropped, edited=proposal.task
    )
    return made, ""


def _tell_tried(campaign: Campaign, tried: Sequence[Round]) -> str:
    """What was tried on this prompt, in this campaign and before it began."""
    lines = []
    for entry in campaign.ledger.entries(task=campaign.task.name):
        # what follows is in `tried`, and a campaign resumed after its gate must ask what it asked before
        if entry.key == f"{campaign.name}:begins":
            break
        stopped = entry.kind == "decision" and entry.data["decision"] != "promote"
        if stopped and entry.data["against"] == campaign.version:
            # of a clone's decision only the figures came along
            lines.append(f"{entry.data.get('diff') or entry.data.get('version')}\n({entry.data['decision']})")
    lines += [
        f"{turn['diff']}\n(fixed {turn['fixes']}, broke {turn['breaks']})" for turn in tried if turn["diff"]
    ]
    return "\n\n".join(lines[-MOST_TOLD:])


async def settle(
    state: ImproveState, campaign: Campaign, candidate: Candidate | None, reason: str
) -> tuple[Candidate | None, list[Round]]:
    """The candidate, noted in the ledger; else the round that brought none, with the reason."""
    if candidate is not None and candidate["version"] in [turn["version"] for turn in state["tried"]]:
        candidate, reason = None, "the same candidate as before"
    if candidate is not None:
        await campaign.note("version", candidate["version"], dict(candidate))
        return candidate, []
    number = len(state["tried"]) + 1
    turn = Round(number=number, version=None, diff="", reason=reason, fixes=0, breaks=0, documents=0)
    await campaign.note("note", f"{campaign.name}:round{number}", {**turn, "stage": "propose"})
    return None, [turn]
