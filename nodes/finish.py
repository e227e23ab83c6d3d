"""finish: settle the outcome. Every document has one."""

from __future__ import annotations

from cupel.cascade.finish import choose_best, name_language, say_status, settle
from cupel.cascade.work import with_edits
from cupel.engine import current_asking
from cupel.state import RunState, Settled


class FinishUpdate(Settled):
    """The keys this node writes."""

    language: str | None
    path: list[str]


async def finish(state: RunState) -> FinishUpdate:
    """The best attempt, or the person's answer, with its status, evidence, cost and reasons."""
    state = await with_edits(state, current_asking())
    language = await name_language(state)
    best, verdict = choose_best(state)
    status, reasons = say_status(state, best, verdict)
    return {**settle(state, best, status, reasons), "language": language, "path": ["finish"]}
