"""collect: what goes wrong with the prompt as it is, on documents a rewriter may learn from."""

from __future__ import annotations

import asyncio
from typing import Literal

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.engines import engine_named
from cupel.improvement.steps.collect import (
    freeze_split,
    gather_failures,
    list_mended,
    run_dev,
    tell_notes,
    token_growth,
    tokens_of,
)
from cupel.state import CollectUpdate, ImproveState


async def collect(state: ImproveState, runtime: Runtime[RunContext]) -> CollectUpdate:
    """Freeze the split by group, run the development side, score it, and gather its failures.

    Reads `task` and `documents`; of the held-out side nothing is looked at.
    """
    await asyncio.to_thread(engine_named, state.get("engine") or "reflect")  # refused before anything is paid
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        parts = await freeze_split(state, campaign)
        runs = await run_dev(campaign, parts.dev)
        return {
            "campaign": campaign.name, "version": campaign.version, "dev": list(parts.dev),
            "held_out_ids": list(parts.held_out), "held_out_version": parts.version, "groups": dict(parts.groups),
            "failures": gather_failures(campaign, runs), "mended": list_mended(campaign, runs),
            "failed_docs": runs.failed, "passed_docs": runs.passed,
            "tokens_per_document": tokens_of(runs), "token_growth": token_growth(state, campaign, runs),
            "notes": await asyncio.to_thread(lambda: list(tell_notes(campaign, parts, runs))),
        }  # fmt: skip


async def route_after_collect(state: ImproveState) -> Literal["failures", "none"]:
    """Without failures there is nothing to answer; a person's own candidate is tested all the same."""
    return "failures" if state.get("failures") or state.get("candidate") else "none"
