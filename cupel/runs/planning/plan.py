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
        return {
            "tier": self.tier,
            "model": self.model,
            "steps_per_document": self.steps_per_document.to_json(3),
            "calls": self.calls.to_json(1),
            "input_tokens": self.input_tokens.to_json(0),
            "output_tokens": self.output_tokens.to_json(0),
            "cost_usd": None if self.cost_usd is None else self.cost_usd.to_json(6),
            "seconds": None if self.seconds is None else self.seconds.to_json(1),
            "seen": self.seen,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a whole run will take, starting from nothing."""

    task: str
    input_name: str
    documents: int
    sampled: int
    unusable: int
    """Rows of the sample whose text cannot be used; they cost nothing."""

    windows: Estimate
    document_tokens: Estimate
    """Of the texts alone."""

    tiers: tuple[TierPlan, ...]
    calls: Estimate
    input_tokens: Estimate
    output_tokens: Estimate
    cost_usd: Estimate
    """Of the tiers whose price is known."""

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
        return {
            "task": self.task,
            "input": self.input_name,
            "documents": self.documents,
            "sampled": self.sampled,
            "unusable": self.unusable,
            "windows": self.windows.to_json(0),
            "document_tokens": self.document_tokens.to_json(0),
            "tiers": [tier.to_json() for tier in self.tiers],
            "calls": self.calls.to_json(1),
            "input_tokens": self.input_tokens.to_json(0),
            "output_tokens": self.output_tokens.to_json(0),
            "cost_usd": self.cost_usd.to_json(6),
            "unknown_price": list(self.unpriced),
            "seconds": None if self.seconds is None else self.seconds.to_json(1),
            "concurrency": self.concurrency,
            "shares": {name: share.to_json(3) for name, share in self.shares.items()},
            "history_documents": self.history,
            "answered_in_sample": self.answered,
            "assumptions": list(self.assumptions),
            "seed": self.seed,
        }
