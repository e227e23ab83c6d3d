"""What a run took, role by role, counted outcome by outcome: what a plan is held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from cupel.state import Call, Outcome, calls_of


@dataclass(slots=True)
class RoleUsage:
    """What one role took; answers from the run log count as what they cost when they were paid."""

    calls: float = 0.0
    """A call about several documents counts in parts, one with each of them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    found_calls: float = 0.0
    """Of the calls, those that another run paid for, or another row of this one."""

    found_usd: float = 0.0
    latency_s: float = 0.0

    def add(self, call: Call) -> None:
        """Count one call."""
        together = call.get("packed", 1)
        self.calls += 1 / together
        self.input_tokens += call["input_tokens"]
        self.output_tokens += call["output_tokens"]
        self.cost_usd += call["cost_usd"] or 0.0
        self.unpriced += call["cost_usd"] is None
        if call.get("elsewhere"):
            self.found_calls += 1 / together
            self.found_usd += call["cost_usd"] or 0.0
        self.latency_s += call["latency_s"] / together

    def to_json(self, concurrency: int) -> dict[str, Any]:
        """As a plan's tier has it; `seconds` is waiting for answers, shared by the documents at work at once."""
        return {
            "calls": round(self.calls, 3),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": None if self.unpriced else round(self.cost_usd, 8),
            "seconds": round(self.latency_s / concurrency, 3),
        }


@dataclass(slots=True)
class Usage:
    """What all documents so far took, by role: cheap, verify, answer, strong, judge, refine, and other calls of one's own."""

    roles: dict[str, RoleUsage] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one document."""
        for role, call in calls_of(outcome):
            used = call["kind"] if call["kind"] in ("verify", "answer") else role
            self.roles.setdefault(used, RoleUsage()).add(call)

    @classmethod
    def sum_of(cls, parts: Iterable[Usage]) -> Usage:
        """What several took together."""
        whole = cls()
        for part in parts:
            for role, used in part.roles.items():
                held = whole.roles.setdefault(role, RoleUsage())
                for each in fields(RoleUsage):
                    setattr(held, each.name, getattr(held, each.name) + getattr(used, each.name))
        return whole

    def to_json(self, concurrency: int) -> dict[str, Any]:
        """Plain JSON, by role."""
        return {role: self.roles[role].to_json(concurrency) for role in sorted(self.roles)}
