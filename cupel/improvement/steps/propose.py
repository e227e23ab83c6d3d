"""A candidate from an engine, or from a person's file: held to the same guards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cupel.context import RunContext
from cupel.engine import Asking, ask_as
from cupel.improvement.campaign import Campaign, open_campaign
from cupel.improvement.dev_trials import DevTrials
from cupel.improvement.edits import MAX_EDITS
from cupel.improvement.engines import Brief, engine_named
from cupel.improvement.guards import estimate_prompt_tokens, propose
from cupel.improvement.versions import (
    as_version,
    contract_problem,
    is_changed,
    known_version,
    read_candidate,
    rule_rows,
    version_diff,
    version_of,
)
from cupel.state import Candidate, ImproveState, Round
from cupel.task import Rule, TaskSpec
from cupel.text import forbidden

ROUNDS = 3
"""Candidates tried on development documents, unless told otherwise."""

RULES_TOKENS = 600
"""Most tokens all rules of a prompt may take."""

MOST_TOLD = 5
"""Earlier candidates a rewriter is told of."""


async def propose_candidate(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """A candidate from the engine, or from a person's file, or why there is none."""
    campaign = await open_campaign(state, context)
    number = len(state["tried"]) + 1
    if state.get("candidate"):
        candidate, reason = await asyncio.to_thread(_by_hand, campaign, str(state["candidate"]))
    else:
        candidate, reason = await _by_engine(campaign, state, number)
    if candidate is not None and any(turn["version"] == candidate["version"] for turn in state["tried"]):
        candidate, reason = None, "the same candidate as before"
    if candidate is None:
        turn = Round(number=number, version=None, diff="", reason=reason, fixes=0, breaks=0, documents=0)
        await campaign.note("note", f"{campaign.name}:round{number}", {**turn, "stage": "propose"})
        return {"proposal": None, "tried": [turn]}
    await campaign.note("version", candidate["version"], dict(candidate))
    return {"proposal": candidate}


async def _by_engine(campaign: Campaign, state: ImproveState, number: int) -> tuple[Candidate | None, str]:
    name = state.get("engine") or "reflect"
    brief = Brief(
        task=campaign.task,
        context=campaign.context,
        failures=state.get("told", ""),
        shown=state.get("shown", {}),
        mended=state.get("mended", ""),
        tried=_tell_tried(campaign, state["tried"]),
        sample=(state.get("seed") or 0) * 1_000 + number,
        rules_tokens=RULES_TOKENS,
        dev=DevTrials(campaign, state.get("failed_docs", []), state.get("passed_docs", [])),
    )
    with ask_as(Asking(run=campaign.bench.run)):
        said = await engine_named(name).propose(brief)
    if said.trail:
        await campaign.note("note", f"{campaign.name}:round{number}:search", {"engine": name, **said.trail})
    if said.problem:
        return None, said.problem
    made = propose(
        said.reply,
        campaign.task.rules,
        failures={**brief.shown, **said.shown},
        leaks=campaign.leaks,
        token_budget=RULES_TOKENS,
        most_edits=MAX_EDITS * said.steps,
    )
    if made.rules is None:
        return None, made.reason
    edits = [asdict(edit) for edit in made.edits]
    dropped = [asdict(item) for item in made.dropped]
    return _candidate(campaign, made.rules, name, edits=edits, dropped=dropped), ""


def _tell_tried(campaign: Campaign, tried: Sequence[Round]) -> str:
    """What was tried on this prompt, in this campaign and before it began."""
    lines = []
    for entry in campaign.ledger.entries(task=campaign.task.name):
        if entry.data.get("campaign") == campaign.name and entry.key == f"{campaign.name}:begins":
            break
        if (
            entry.kind == "decision"
            and entry.data["against"] == campaign.version
            and entry.data["decision"] != "promote"
        ):
            lines.append(f"{entry.data['diff']}\n({entry.data['decision']})")
    lines += [
        f"{turn['diff']}\n(fixed {turn['fixes']}, broke {turn['breaks']})" for turn in tried if turn["diff"]
    ]
    return "\n\n".join(lines[-MOST_TOLD:])


def _candidate(
    campaign: Campaign,
    rules: Sequence[Rule],
    author: str,
    *,
    edits: list[dict[str, Any]],
    dropped: list[dict[str, str]],
    extract: str = "",
) -> Candidate:
    made = is_changed(campaign.task, rules, extract)
    return Candidate(
        version=version_of(made),
        parent=campaign.version,
        author=author,
        rules=rule_rows(rules),
        extract=made.prompts["extract"],
        edits=[{**edit, "failures": list(edit.get("failures", ()))} for edit in edits],
        dropped=dropped,
        diff=version_diff(campaign.task, made),
    )


def _by_hand(campaign: Campaign, path: str) -> tuple[Candidate | None, str]:
    """The candidate in a file a person edited, or a version of the ledger, such as one brought from Studio."""
    if path.endswith((".toml", ".md")):
        made = read_candidate(campaign.bench.project.folder / path, campaign.task)
    else:
        made = as_version(campaign.task, known_version(campaign.ledger, campaign.task.name, path))
    return candidate_by_hand(campaign, made, path)


def candidate_by_hand(campaign: Campaign, made: TaskSpec, source: str) -> tuple[Candidate | None, str]:
    """A person's edit: held to the same guards, but for citing failures.

    Args:
        campaign: Whose prompt it is compared with.
        made: The task as edited.
        source: Where the edit came from, for the reason.

    Returns:
        The candidate, or None and why there is none.
    """
    task, contract = campaign.task, made.prompts["extract"]
    if problem := contract_problem(task, contract):
        return None, f"{source}: {problem}"
    old = {rule.id: rule.text for rule in task.rules}
    for rule in made.rules:
        if old.get(rule.id) != rule.text and (
            found := forbidden(rule.text) or campaign.leaks.leak(rule.text)
        ):
            return None, f"{source}: rule {rule.id!r}: {found}"
    if (tokens := sum(estimate_prompt_tokens(rule.text) for rule in made.rules)) > RULES_TOKENS:
        return None, f"{source}: the rules take {tokens} tokens, {RULES_TOKENS} are allowed"
    if version_of(made) == campaign.version:
        return None, f"{source}: it says what the prompt says already"
    return _candidate(campaign, made.rules, "human", edits=[], dropped=[], extract=contract), ""
