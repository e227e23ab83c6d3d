"""Whether one more round is worth asking for: what the run log has seen of the same faults on the same tier."""

from __future__ import annotations

import asyncio
import time
from weakref import WeakKeyDictionary

from cupel.cascade.routes import failures_of
from cupel.cascade.work import Work
from cupel.engine import Runtime
from cupel.runlog import Refined, count_refinements
from cupel.state import VerdictRecord

MENDS_AT_LEAST = 0.2
"""A fault that a refinement mends less often than this is not refined: a round costs an extraction and a judgement."""

_FRESH_S = 60.0

_seen: WeakKeyDictionary[Runtime, dict[tuple[str, str], tuple[float, dict[str, Refined]]]] = (
    WeakKeyDictionary()
)


async def tell_prospects(work: Work, verdict: VerdictRecord) -> VerdictRecord:
    """The verdict, with why a refinement would not mend what it rejects, where the run log knows.

    Nothing is said where a tier has nowhere to escalate to, or the log has seen too little: then the usual rounds are
    tried.
    """
    tier, models = work.attempt["tier"], work.runtime.models(work.context)
    if (
        verdict["verdict"] != "rejected"
        or tier != "cheap"
        or not models.strong
        or not work.context.max_refinements
    ):
        return verdict
    kinds = {one["criterion"] for one in failures_of(verdict["findings"])}
    if not kinds:
        return verdict
    seen = await _refinements(work.runtime, work.task.name, tier)
    hopeless = {kind: seen[kind] for kind in kinds if kind in seen and is_hopeless(seen[kind])}
    if len(hopeless) < len(kinds):
        return verdict
    told = ", ".join(f"{kind} {one.mended} of {one.tried}" for kind, one in sorted(hopeless.items()))
    return {**verdict, "mending": f"refinements mended {told}"}


def is_hopeless(seen: Refined) -> bool:
    """Whether the upper 95 % bound of the share that was mended lies below `MENDS_AT_LEAST`.

    >>> is_hopeless(Refined(tried=10, mended=0)), is_hopeless(Refined(tried=20, mended=0))
    (False, True)
    """
    from cupel.stats import clopper_pearson  # numpy; a run without rejections needs none

    return clopper_pearson(seen.mended, seen.tried).high < MENDS_AT_LEAST


async def _refinements(runtime: Runtime, task: str, tier: str) -> dict[str, Refined]:
    """What the log knew a minute ago at most; read in a thread, as no step waits for it on the loop."""
    held = _seen.setdefault(runtime, {})
    at, found = held.get((task, tier), (0.0, {}))
    if not at or time.monotonic() - at > _FRESH_S:
        found = await asyncio.to_thread(count_refinements, runtime.run_log, task, tier)
        held[task, tier] = (time.monotonic(), found)
    return found
