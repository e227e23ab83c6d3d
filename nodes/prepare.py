"""prepare: make sure there is a text to work on, name it, and cut it into windows."""

from __future__ import annotations

from typing import Literal

from cupel.preparation import Prepared, prepared
from cupel.state import RunState


class PrepareUpdate(Prepared):
    """The keys this node writes."""

    path: list[str]


async def prepare(state: RunState) -> PrepareUpdate:
    """Check the text, give it a stable id, and cut a long one into overlapping windows.

    Reads `text`, `task` and `meta`; the text itself is never changed, only decoded where a column holds bytes.
    What cannot be used at all gets a `problem` and goes straight to `finish`.
    """
    return {**await prepared(state), "path": ["prepare"]}


async def route_after_prepare(state: RunState) -> Literal["ready", "unusable"]:
    """A text that cannot be used ends here; every other one goes on."""
    return "unusable" if state.get("problem") else "ready"
