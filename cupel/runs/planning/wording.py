"""What a plan rests on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from cupel.models import TierModels
from cupel.runs.planning.assumptions import ROUNDS, escalated_of
from cupel.runs.planning.estimates import PRIOR_DOCUMENTS
from cupel.runs.planning.history import History
from cupel.runs.planning.plan import TierPlan
from cupel.runs.planning.sizes import THINKING_TOKENS, thinks


def assumptions_of(
    tiers: Sequence[TierPlan], history: History, models: TierModels, *, sampled: int, documents: int
) -> tuple[str, ...]:
    """Every assumption, as a sentence, the weightiest first."""
    said = [_shares(history, models), _tokens(tiers)]
    unseen = [tier.model for tier in tiers if not tier.seen and thinks(tier.model)]
    if unseen:
        said.append(
            f"{', '.join(dict.fromkeys(unseen))} may think before answering: {THINKING_TOKENS} tokens more a call, billed as output"
        )
    if sampled < documents:
        said.append(
            f"sizes come from {sampled} of {documents:,} rows, drawn uniformly and rendered with the real prompts"
        )
    said.append(_time(tiers))
    said.append(
        "figures are for a run from nothing; answers in the run log are not paid again; "
        "no discount for a provider's prompt cache is assumed before it has been seen"
    )
    return tuple(said)


def _shares(history: History, models: TierModels) -> str:
    seen = len(history.walks)
    steps = []
    if models.strong:
        escalated = escalated_of(models)
        steps.append(f"{escalated.likely:.0%} escalated ({escalated.low:.0%}–{escalated.high:.0%})")
    steps.append("every record judged" if models.judge else "none judged")
    if models.judge and models.refiner:
        steps.append(f"{ROUNDS.likely:g} refinement rounds a document ({ROUNDS.low:g}–{ROUNDS.high:g})")
    default = ", ".join(steps)
    if not seen:
        return (
            f"how far documents go is assumed, for lack of history: {default}; the intervals reach to a run in which "
            "everything is refined and escalated"
        )
    return (
        f"how far documents go: {seen} earlier documents of this task, these prompts and models in the run log, which "
        "may have been easier or harder, "
        f"and the defaults with the weight of {PRIOR_DOCUMENTS} more ({default})"
    )


def _tokens(tiers: Sequence[TierPlan]) -> str:
    seen = [f"{tier.tier} n={tier.seen}" for tier in tiers if tier.seen]
    unseen = [tier.tier for tier in tiers if not tier.seen]
    parts = []
    if seen:
        parts.append(f"tokens are corrected by the usage returned before ({', '.join(seen)})")
    if unseen:
        parts.append(
            f"tokens of {', '.join(unseen)} are guessed: prompts at 4 bytes a token (rather too many), "
            "answers from the size of the task's examples"
        )
    return "; ".join(parts)


def _time(tiers: Sequence[TierPlan]) -> str:
    unknown = [tier.tier for tier in tiers if tier.seconds is None]
    if unknown:
        return f"time is unknown: no answer of {', '.join(unknown)} was ever timed here; `cupel run --limit 5` first"
    return "time is waiting for answers at the latency seen before; a provider's limits and this machine's own work are not counted"
