"""Why development documents fail, in words that hold no document."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cupel.improvement.campaign import Campaign
from cupel.improvement.failure_clusters import Cluster
from cupel.improvement.seen import document_hash, note_seen


async def note_causes(campaign: Campaign, clusters: Sequence[Cluster], told: str) -> list[dict[str, Any]]:
    """The causes as plain JSON, noted in the ledger with what the rewriter is told of them."""
    causes = [
        {
            "criterion": group.criterion, "cause": group.cause, "prompt_version": group.prompt_version,
            "failures": len(group.failures), "documents": group.documents, "cost_usd": group.cost_usd,
        }
        for group in clusters
    ]  # fmt: skip
    if campaign.production is not None:
        told_of = {failure.doc_id for group in clusters for failure in group.failures}
        hashes = [
            document_hash(text) for doc_id, text in campaign.production.texts.items() if doc_id in told_of
        ]
        log = campaign.bench.runtime.run_log
        await asyncio.to_thread(note_seen, log, campaign.task.name, hashes, how="rewriter")
    await campaign.note("note", f"{campaign.name}:diagnosis", {"causes": causes, "told": told})
    return causes
