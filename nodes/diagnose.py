"""diagnose: why did they fail?"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.failure_clusters import tell_rewriter
from cupel.improvement.steps.diagnose import cluster_failures, note_causes
from cupel.state import ImproveState


class DiagnoseUpdate(TypedDict):
    """The keys this node writes."""

    causes: list[dict[str, Any]]
    told: str
    shown: dict[str, str]


async def diagnose(state: ImproveState, runtime: Runtime[RunContext]) -> DiagnoseUpdate:
    """Cluster failures by criterion and cause, and tell them in words that hold no document."""
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        clusters = cluster_failures(state)
        told, shown = tell_rewriter(clusters, leaks=campaign.leaks)
        causes = await note_causes(campaign, clusters, told)
    return {"causes": causes, "told": told, "shown": dict(shown)}
