"""Why development documents fail, in words that hold no document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cupel.improvement.campaign import Campaign
from cupel.improvement.failure_clusters import Cluster


async def note_causes(campaign: Campaign, clusters: Sequence[Cluster], told: str) -> list[dict[str, Any]]:
    """The causes as plain JSON, noted in the ledger with what the rewriter is told of them."""
    causes = [
        {
            "criterion": group.criterion, "cause": group.cause, "prompt_version": group.prompt_version,
            "failures": len(group.failures), "documents": group.documents, "cost_usd": group.cost_usd,
        }
        for group in clusters
    ]  # fmt: skip
    await campaign.note("note", f"{campaign.name}:diagnosis", {"causes": causes, "told": told})
    return causes
