"""promote: the approved version becomes the prompt."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from cupel.engine import current
from cupel.improvement import ledger_of
from cupel.improvement.campaign import hold_task
from cupel.improvement.steps.promote import promote_nominee
from cupel.state import ImproveState


class PromoteUpdate(TypedDict):
    """The keys this node writes."""

    result: Literal["promoted"]


async def promote(state: ImproveState) -> PromoteUpdate:
    """Move the ledger's pointer and write rules.toml; doing it twice changes nothing."""
    project = (await current()).project
    async with hold_task(ledger_of(project.state), state["task"], state.get("campaign") or ""):
        await promote_nominee(state, project)
    return {"result": "promoted"}
