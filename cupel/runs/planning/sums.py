"""The plan of a run of several tasks: what each will take, added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cupel.runs.planning.estimates import Estimate
from cupel.runs.planning.plan import CheapOnly, Plan, TierPlan


def add_plans(plans: Sequence[Plan]) -> Plan:
    """What several tasks over the same rows will take together; of one task its own plan.

    Expectations add up. So do the ends of the intervals, as if every task erred the same way: a wider interval than the
    tasks' errors would give if they were independent, and nobody knows that they are. A cost that one task does not know
    stays unknown in its tier; `shares` and `answered` are of a task each, and empty here.
    """
    first = plans[0]
    if len(plans) == 1:
        return first
    return Plan(
        task=",".join(plan.task for plan in plans),
        input_name=first.input_name,
        documents=first.documents,
        sampled=first.sampled,
        unusable=first.unusable,
        repeats=min(plan.repeats for plan in plans),
        windows=max((plan.windows for plan in plans), key=lambda windows: windows.expected),
        document_tokens=first.document_tokens,
        tiers=_add_tiers([tier for plan in plans for tier in plan.tiers]),
        calls=add_estimates(plan.calls for plan in plans),
        input_tokens=add_estimates(plan.input_tokens for plan in plans),
        output_tokens=add_estimates(plan.output_tokens for plan in plans),
        cost_usd=add_estimates(plan.cost_usd for plan in plans),
        cheap_only=CheapOnly(
            add_estimates(plan.cheap_only.calls for plan in plans),
            _add_known(plan.cheap_only.cost_usd for plan in plans),
        ),
        unpriced=tuple(dict.fromkeys(model for plan in plans for model in plan.unpriced)),
        seconds=_add_known(plan.seconds for plan in plans),
        concurrency=first.concurrency,
        shares={},
        history=sum(plan.history for plan in plans),
        answered=None,
        assumptions=tuple(f"{plan.task}: {line}" for plan in plans for line in plan.assumptions),
        seed=first.seed,
    )


def add_estimates(parts: Iterable[Estimate]) -> Estimate:
    """The sum of estimates, end by end.

    >>> add_estimates([Estimate(2, 1, 4), Estimate(3, 3, 3)])
    Estimate(expected=5, low=4, high=7)
    """
    listed = list(parts)
    return Estimate(
        sum(part.expected for part in listed),
        sum(part.low for part in listed),
        sum(part.high for part in listed),
    )


def _add_known(parts: Iterable[Estimate | None]) -> Estimate | None:
    """The sum where every part is known; else None."""
    listed = list(parts)
    known = [part for part in listed if part is not None]
    return add_estimates(known) if len(known) == len(listed) else None


def _add_tiers(tiers: Sequence[TierPlan]) -> tuple[TierPlan, ...]:
    """Tiers of one role and model as one, in the order they come."""
    kinds = dict.fromkeys((tier.tier, tier.model) for tier in tiers)
    return tuple(_add_tier([tier for tier in tiers if (tier.tier, tier.model) == kind]) for kind in kinds)


def _add_tier(tiers: Sequence[TierPlan]) -> TierPlan:
    return TierPlan(
        tier=tiers[0].tier,
        model=tiers[0].model,
        steps_per_document=add_estimates(tier.steps_per_document for tier in tiers),
        calls=add_estimates(tier.calls for tier in tiers),
        input_tokens=add_estimates(tier.input_tokens for tier in tiers),
        output_tokens=add_estimates(tier.output_tokens for tier in tiers),
        cost_usd=_add_known(tier.cost_usd for tier in tiers),
        seconds=_add_known(tier.seconds for tier in tiers),
        seen=sum(tier.seen for tier in tiers),
    )
