"""promote: the approved version becomes the prompt."""

from __future__ import annotations

from typing import Any

from cupel.improvement.sessions import step
from cupel.improvement.steps.promote import promote_nominee
from cupel.state import ImproveState


async def promote(state: ImproveState) -> dict[str, Any]:
    """Move the ledger's pointer and write rules.toml; doing it twice changes nothing."""
    async with step():
        return await promote_nominee(state)
