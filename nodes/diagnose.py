"""diagnose: why did they fail?"""

from __future__ import annotations

from langgraph.runtime import Runtime

from cupel.context import RunContext
from cupel.improvement.campaign import open_campaign
from cupel.improvement.failure_clusters import Failure, cluster, tell_rewriter
from cupel.improvement.steps.diagnose import note_causes
from cupel.state import DiagnoseUpdate, ImproveState


async def diagnose(state: ImproveState, runtime: Runtime[RunContext]) -> DiagnoseUpdate:
    """Cluster failures by criterion and cause, and tell them in words that hold no document."""
    async with open_campaign(state, RunContext.of(runtime)) as campaign:
        clusters = cluster(Failure(**row) for row in state.get("failures") or [])
        told, shown = tell_rewriter(clusters, leaks=campaign.leaks)
        causes = await note_causes(campaign, clusters, told)
    return {"causes": causes, "told": told, "shown": dict(shown)}
