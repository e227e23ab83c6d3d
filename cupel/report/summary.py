"""What a report says of a run as a whole: totals, and costs and latency by tier."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from cupel.judging import audits_in
from cupel.runlog import RoleUsage, Usage
from cupel.state import Call, Outcome, VerdictName, calls_of

STATUSES = ("accepted", "needs_review", "failed")
ROLES = ("cheap", "strong", "judge", "refiner")
BINS = 20
"""Of the histograms, over [0, 1]."""


class Expected(NamedTuple):
    """An expectation with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTier:
    """What was expected of one role; None where it could not be told."""

    role: str
    """cheap, verify, strong, judge or refine."""

    calls: Expected
    input_tokens: Expected
    output_tokens: Expected
    cost_usd: Expected | None
    seconds: Expected | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What was expected of the whole run as it started; None where it could not be told."""

    cost_usd: float | None = None
    wall_s: float | None = None
    calls: int | None = None
    tiers: Sequence[PlannedTier] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run, as `cupel run --json` prints it."""

    run_id: str
    task: str
    started_at: datetime
    """With its time zone; shown in UTC."""

    statuses: Mapping[str, int]
    """Rows by status; `pending` for those a stopped run did not reach."""

    calls: Mapping[str, int]
    """Calls sent and answered within `scope`, by model."""

    cost_usd: Mapping[str, float]
    """What they cost, by model."""

    cost_usd_total: float | None
    """What the run paid over all its invocations; None when a price is unknown."""

    cache_hits: int
    """Answers found in the run log within `scope`."""

    wall_s: float
    """Of `scope`."""

    scope: str = "this invocation"
    """What calls, their cost and the time are of: this invocation, or all of them."""

    models: Mapping[str, str] = field(default_factory=dict)
    """`cheap | strong | judge | refiner` → model id."""

    planned: Planned | None = None
    output: str | None = None
    notes: Sequence[str] = ()
    """What a reader must know, such as that a tier was a smoke-test baseline."""

    @property
    def documents(self) -> int:
        """How many rows the run has."""
        return sum(self.statuses.values())


class DocumentEntry(NamedTuple):
    """One document for the report: its outcome, its text as given, its further inputs."""

    outcome: Outcome
    text: str
    inputs: Mapping[str, str] = {}
    gold: Mapping[str, Any] | None = None
    """What the record was held against: `gold`, `score`, `right`, `differences`."""

    own: Mapping[str, Any] = {}
    """The other columns of its row in the run's input, where they are known."""


@dataclass(slots=True)
class RoleTotals(RoleUsage):
    """All that one tier took (or the judge, or the refiner), with what only a report shows of it."""

    models: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    """Of these calls, those answered from the run log."""

    cached_tokens: int = 0
    latencies: array[float] = field(default_factory=lambda: array("d"))

    def add(self, call: Call) -> None:
        """Count one call."""
        RoleUsage.add(self, call)  # `super()` does not know a class that `slots=True` made anew
        self.models[call["model"]] += 1
        self.reused += call["cached"]
        self.cached_tokens += call["cached_tokens"]
        self.latencies.append(call["latency_s"])


@dataclass(slots=True)
class Totals:
    """Everything counted while outcomes pass by; its size does not depend on how many."""

    documents: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    """Documents that walked a node at least once."""

    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Steps from one node to the next, over all documents."""

    matches: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    audits: Counter[VerdictName] = field(default_factory=Counter)
    """What second judges said of a random sample of what the judge accepted."""

    roles: dict[str, RoleTotals] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    latencies: array[float] = field(default_factory=lambda: array("d"))
    confidence: dict[str, list[int]] = field(default_factory=dict)
    """By status, a count for each of `BINS` equal bins of the calibrated confidence."""

    score: dict[str, list[int]] = field(default_factory=dict)
    """The same of the raw score, for documents without a confidence."""

    def add(self, outcome: Outcome) -> None:
        """Count one document."""
        self.documents += 1
        self.statuses[outcome["status"]] += 1
        self.nodes.update(set(outcome["path"]))
        self.edges.update(pairwise(outcome["path"]))
        self.matches.update(item["match"] for item in outcome["evidence"])
        self.languages[outcome["language"] or "?"] += 1
        self.latencies.append(outcome["latency_s"])
        self.usage.add(outcome)
        self.audits.update(audits_in(outcome))
        for role, call in calls_of(outcome):
            self.roles.setdefault("refiner" if role == "refine" else role, RoleTotals()).add(call)
        self._bin(outcome)

    def _bin(self, outcome: Outcome) -> None:
        sure = outcome["confidence"] is not None
        value = outcome["confidence"] if sure else outcome["score"]
        if value is not None and math.isfinite(value):
            bins = (self.confidence if sure else self.score).setdefault(outcome["status"], [0] * BINS)
            bins[min(max(int(value * BINS), 0), BINS - 1)] += 1


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that at least this share of the values do not exceed; None without values.

    Args:
        values: In any order.
        share: In (0, 1]; 0.5 is the median. This is the nearest-rank definition.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5), percentile([3.0, 1.0, 2.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
