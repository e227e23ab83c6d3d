"""route: a learnt look at the text alone may send a document straight to the strong model."""

from __future__ import annotations

import asyncio
from typing import Literal

from langgraph.runtime import Runtime
from typing_extensions import NotRequired, TypedDict

from cupel.context import RunContext
from cupel.engine import current
from cupel.state import RunState, Tier


class RouteUpdate(TypedDict):
    """The keys this node writes."""

    first_tier: NotRequired[Tier]
    path: list[str]


async def route(state: RunState, runtime: Runtime[RunContext]) -> RouteUpdate:
    """Ask the pre-router of this run which tier to try first; it reads the text and makes no call."""
    prerouter = await (await current()).policies.prerouter(RunContext.of(runtime).prerouter)
    tier = await asyncio.to_thread(prerouter.choose, state["text"])
    return {"first_tier": tier, "path": ["route"]}


async def route_after_route(state: RunState) -> Literal["cheap first", "strong first"]:
    """The tier the pre-router chose."""
    return "strong first" if state.get("first_tier") == "strong" else "cheap first"
