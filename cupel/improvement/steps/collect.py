"""What goes wrong on development documents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cupel.context import RunContext
from cupel.improvement.campaign import Campaign, open_campaign
from cupel.improvement.dev_trials import failures_of
from cupel.improvement.engines import engine_named
from cupel.improvement.gate import detection, look_alpha
from cupel.improvement.guards import LeakGuard
from cupel.improvement.splits import HELD_OUT, Split, SplitDocument, split
from cupel.improvement.versions import rule_rows, version_of
from cupel.metrics import Scored
from cupel.models import resolve_models
from cupel.runs import scores_of
from cupel.state import ImproveState, Outcome
from cupel.task import TaskSpec
from cupel.text import forbidden


async def collect_failures(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """Freeze the split, run the prompt as it is on the development side, and gather what went wrong."""
    await asyncio.to_thread(engine_named, state.get("engine") or "reflect")  # refused before anything is paid
    campaign = await open_campaign(state, context)
    parts = split(
        [SplitDocument(d.doc_id, d.group, d.text) for d in campaign.documents.values()],
        held_out=state.get("held_out") or HELD_OUT,
    )
    await _begin(campaign, state, parts)
    setting = (
        campaign.context if campaign.by_gold else campaign.context.model_copy(update={"judge": "always"})
    )
    judged = await campaign.outcomes(campaign.task, setting, parts.dev)
    plain = await campaign.outcomes(campaign.task, campaign.trial, parts.dev)
    # where gold grades, whatever is not as good as it could be is raw material
    scores, unknown = scores_of(plain, campaign.chosen(parts.dev), campaign.task, graded=campaign.graded)
    failed = sorted(doc_id for doc_id, run in scores.items() if run.score < 1)
    found = [failure for doc_id in failed for failure in failures_of(judged[doc_id], plain[doc_id], campaign)]
    return {
        "campaign": campaign.name,
        "version": campaign.version,
        "dev": list(parts.dev),
        "held_out_ids": list(parts.held_out),
        "held_out_version": parts.version,
        "failures": [asdict(failure) for failure in found],
        "mended": _mend(judged, campaign.leaks),
        "failed_docs": failed,
        "passed_docs": sorted(scores.keys() - set(failed)),
        "notes": _notes(campaign, parts, scores, unknown, failed),
    }


async def _begin(campaign: Campaign, state: ImproveState, parts: Split) -> None:
    data = {"dev": list(parts.dev), "held_out": list(parts.held_out), "documents": state["documents"]}
    await campaign.note("split", parts.version, {**data, "version": parts.version})
    await campaign.note("version", campaign.version, _version_data(campaign.task, None, "file"))
    settings = {
        "version": campaign.version, "held_out": parts.version, "engine": state.get("engine") or "reflect",
        "models": resolve_models(campaign.context, campaign.bench.runtime.env).all(), "gate_judge": campaign.gate_judge, "jury": list(campaign.jury),
        "decided_by": "gold" if campaign.by_gold else "judge",
    }  # fmt: skip
    await campaign.note("note", f"{campaign.name}:begins", settings)


def _version_data(task: TaskSpec, parent: str | None, author: str) -> dict[str, Any]:
    return {
        "version": version_of(task),
        "parent": parent,
        "author": author,
        "rules": rule_rows(task.rules),
        "extract": task.prompts["extract"],
    }


def _notes(
    campaign: Campaign,
    parts: Split,
    scores: Mapping[str, Scored],
    unknown: Sequence[str],
    failed: Sequence[str],
) -> list[str]:
    look = campaign.ledger.looks(campaign.task.name, parts.version) + 1
    notes = [f"{len(parts.dev)} development and {len(parts.held_out)} held-out documents"]
    notes.append(f"at look {look}, {_tell_power(campaign, len(parts.held_out), look)}")
    if unknown:
        notes.append(f"{len(unknown)} development documents could not be scored and are left out")
    notes += campaign.warnings
    return notes + _tell_scores(campaign, scores, failed)


def _tell_power(campaign: Campaign, held_out: int, look: int) -> str:
    if not campaign.graded:
        return detection(held_out, look_alpha(look))
    by_right = detection(held_out, look_alpha(look))
    return f"{campaign.task.metric!r} is compared document by document; by right and wrong alone, {by_right}"


def _tell_scores(campaign: Campaign, scores: Mapping[str, Scored], failed: Sequence[str]) -> list[str]:
    if campaign.graded and scores:
        mean = sum(run.score for run in scores.values()) / len(scores)
        return [
            f"{campaign.task.metric!r} is {mean:.3f} on average on the {len(scores)} development documents"
        ]
    by = "their gold" if campaign.by_gold else "the judge"
    if scores and len(failed) == len(scores):
        return [f"every development document fails by {by}: look at it before trusting it"]
    return [f"no development document fails by {by}"] if scores and not failed else []


def _mend(outcomes: Mapping[str, Outcome], leaks: LeakGuard) -> str:
    """Instructions that mended single records, as far as a rewriter may read them: the best source of a rule."""
    written = [
        text
        for outcome in outcomes.values()
        if outcome["status"] == "accepted"
        for addendum in outcome["addenda"]
        for text in addendum["instructions"]
        if forbidden(text) is None and leaks.leak(text) is None
    ]
    return "\n".join(f"- {text}" for text in list(dict.fromkeys(written))[:MOST_MENDED])


MOST_MENDED = 5
"""Instructions that mended single records which a rewriter is told."""
