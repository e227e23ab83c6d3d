"""Why development documents fail, in words that hold no document."""

from __future__ import annotations

from typing import Any

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.failure_clusters import Failure, cluster, tell_rewriter
from cupel.state import ImproveState


async def diagnose_failures(state: ImproveState, context: RunContext) -> dict[str, Any]:
    """Cluster the failures, and put them into words that hold no document."""
    campaign = await open_campaign(state, context)
    failures = [Failure(**row) for row in state.get("failures", [])]
    clusters = cluster(failures)
    told, shown = tell_rewriter(clusters, leaks=campaign.leaks)
    causes = [
        {
            "criterion": group.criterion, "cause": group.cause, "prompt_version": group.prompt_version,
            "failures": len(group.failures), "documents": group.documents, "cost_usd": group.cost_usd,
        }
        for group in clusters
    ]  # fmt: skip
    await campaign.note("note", f"{campaign.name}:diagnosis", {"causes": causes, "told": told})
    return {"causes": causes, "told": told, "shown": dict(shown)}
