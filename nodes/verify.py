"""verify: how sure can we be of the latest record, and is that enough?"""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from cupel.cascade.ask_back import confirm
from cupel.cascade.routes import is_judged
from cupel.cascade.verify import find_policy, measure, observe_costly, observe_free, rate_fields, weigh
from cupel.cascade.work import standing_verdicts, take_up
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import Attempt, RunState, VerdictRecord


class VerifyUpdate(TypedDict):
    """The keys this node writes."""

    attempts: list[Attempt]
    verdicts: list[VerdictRecord] | Overwrite
    path: list[str]


async def verify(state: RunState, runtime: Runtime[RunContext]) -> VerifyUpdate:
    """Turn the signals of the latest attempt into a score, a confidence where calibrated, and doubts.

    Reads the last of `attempts` and completes it in place. Free signals come first: does it fit, do its
    quotes stand in the text, is it complete; then those that cost a call, where they are configured. Where the
    task asks its questions back, that comes before all: what it finds is part of the record.
    """
    asking = current_asking()
    work = await take_up(state, RunContext.of(runtime), asking)
    work = await confirm(work, asking)
    seen, calls = await observe_costly(work, observe_free(work.attempt), asking)
    policy = await find_policy(work, asking)
    signals = measure(work, seen, policy)
    doubt = weigh(work, signals, policy)
    signals |= await rate_fields(work, signals)
    attempt: Attempt = {
        **work.attempt,
        "calls": [*work.attempt["calls"], *calls],
        "signals": signals,
        **doubt,
    }
    return {"attempts": [attempt], "verdicts": standing_verdicts(work), "path": ["verify"]}


async def route_after_verify(
    state: RunState, runtime: Runtime[RunContext]
) -> Literal["in doubt", "to be judged", "confident"]:
    """Doubt on the cheap tier goes to the strong model, the rest to the judge or straight to the end."""
    attempt = state["attempts"][-1]
    if attempt["in_doubt"] and attempt["tier"] == "cheap":
        return "in doubt"
    judged = is_judged(attempt, RunContext.of(runtime), state.get("doc_id", ""))
    return "to be judged" if judged else "confident"
