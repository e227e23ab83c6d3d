"""The plan of a run: what it will take, tier by tier, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cupel.runs.planning.estimates import Estimate
from cupel.runs.planning.sizes import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPlan:
    """What one tier will take; None where it cannot be known."""

    tier: Role
    model: str
    steps_per_document: Estimate
    calls: Estimate
    input_tokens: Estimate
    output_tokens: Estimate
    cost_usd: Estimate | None
    seconds: Estimate | None
    """Waiting for its answers, at the planned concurrency."""

    seen: int
    """Steps of this model in the run log that it was estimated from."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return _to_json(self)


@dataclass(frozen=True, slots=True)
class CheapOnly:
    """What the cheap model alone would take: no strong model, no judge."""

    calls: Estimate
    cost_usd: Estimate | None
    """None where its price is unknown."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "calls": self.calls.to_json(_DIGITS["calls"]),
            "cost_usd": None if self.cost_usd is None else self.cost_usd.to_json(_DIGITS["cost_usd"]),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a whole run will take, starting from nothing."""

    task: str
    input_name: str
    documents: int
    sampled: int
    unusable: int
    """Rows whose text cannot be used; they cost nothing."""

    repeats: int
    """Rows whose text an earlier one has; they cost nothing either."""

    windows: Estimate
    document_tokens: Estimate
    """Of the texts alone."""

    tiers: tuple[TierPlan, ...]
    calls: Estimate
    input_tokens: Estimate
    output_tokens: Estimate
    cost_usd: Estimate
    """Of the tiers whose price is known."""

    cheap_only: CheapOnly
    unpriced: tuple[str, ...]
    """Models nobody has said the price of."""

    seconds: Estimate | None
    concurrency: int
    shares: Mapping[str, Estimate]
    history: int
    """Documents of the run log the shares come from."""

    answered: int | None
    """How many of the sample have their first answer in the run log; None without one."""

    assumptions: tuple[str, ...]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; an estimate is `{"expected", "low", "high"}`, its interval at 95 %."""
        return _to_json(self)


_DIGITS = {"steps_per_document": 3, "shares": 3, "calls": 1, "seconds": 1, "cost_usd": 6}
"""Decimals an estimate is rounded to; none where it is not named."""

_RENAMED = {
    "input_name": "input", "unpriced": "unknown_price", "history": "history_documents", "answered": "answered_in_sample",
}  # fmt: skip


def _to_json(plan: TierPlan | Plan) -> dict[str, Any]:
    fields = plan.__dataclass_fields__
    return {_RENAMED.get(name, name): _plain(getattr(plan, name), _DIGITS.get(name, 0)) for name in fields}


def _plain(value: object, digits: int) -> Any:
    match value:
        case Estimate():
            return value.to_json(digits)
        case TierPlan() | CheapOnly():
            return value.to_json()
        case tuple():
            return [_plain(each, digits) for each in value]
        case Mapping():
            return {name: _plain(each, digits) for name, each in value.items()}
    return value
