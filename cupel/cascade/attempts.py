"""Which attempt on a document wins, and when to stop asking for another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cupel.state import Attempt, VerdictName, VerdictRecord

StopReason = Literal[
    "accepted", "unknown", "budget", "rounds", "repeated_record", "repeated_critique", "no_instruction"
]
"""Why refining ends: two are the judge's, the others mean that one more round would teach nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptQuality:
    """What is known about one attempt, for choosing among several.

    Attributes:
        checks_passed: How well the record stands before code, in [0, 1]: 0 for no record, 1 for no objection.
        criteria_passed: Weighted share of the judge's criteria passed, in [0, 1]; None where it was not judged.
        verdict: The judge's verdict, None where it was not judged.
        confidence: Calibrated confidence or, where there is none, the score; in [0, 1].
        strong: Whether the strong tier wrote it.
    """

    checks_passed: float
    criteria_passed: float | None
    verdict: VerdictName | None
    confidence: float
    strong: bool

    def rank(self) -> tuple[float, float, int, float, bool]:
        """Return the ordering key; the greater is the better.

        An attempt that was not judged ranks as if it had passed half of its criteria: above one that
        failed most of them, below one that passed most.
        """
        criteria = 0.5 if self.criteria_passed is None else self.criteria_passed
        accepted = {"accepted": 2, "unknown": 1, None: 1, "rejected": 0}[self.verdict]
        return (self.checks_passed, criteria, accepted, self.confidence, self.strong)


def best_attempt(attempts: Sequence[AttemptQuality]) -> int:
    """Return the position of the best attempt; of equals, the later one.

    Raises:
        ValueError: If there is no attempt.

    >>> first = AttemptQuality(
    ...     checks_passed=1.0, criteria_passed=0.8, verdict="rejected", confidence=0.7, strong=False
    ... )
    >>> second = AttemptQuality(
    ...     checks_passed=1.0, criteria_passed=0.5, verdict="rejected", confidence=0.9, strong=False
    ... )
    >>> best_attempt([first, second])
    0
    """
    if not attempts:
        raise ValueError("no attempt to choose from")
    return max(range(len(attempts)), key=lambda at: (attempts[at].rank(), at))


def attempt_quality(attempt: Attempt, verdict: VerdictRecord | None) -> AttemptQuality:
    """Read an attempt's quality from the state; `verdict` is the one about this attempt, if it was judged."""
    failures = _objections(attempt, verdict)
    known = attempt["confidence"] if attempt["confidence"] is not None else attempt["score"]
    return AttemptQuality(
        checks_passed=0.0 if attempt["record"] is None else 1 / (1 + failures),
        criteria_passed=None if verdict is None else verdict["score"],
        verdict=None if verdict is None else verdict["verdict"],
        confidence=known or 0.0,
        strong=attempt["tier"] == "strong",
    )


def _objections(attempt: Attempt, verdict: VerdictRecord | None) -> int:
    """Count what code found wrong: the judge step's checks, or the quotes where it was not judged."""
    if verdict is not None:
        return sum(finding["finding"] == "fail" for finding in verdict["code_findings"])
    return sum(item["match"] not in {"verbatim", "normalised"} for item in attempt["evidence"])


def record_hash(record: Mapping[str, Any] | None) -> str:
    """Return a short hash of a record's content; key order does not matter."""
    return _hash(json.dumps(record, sort_keys=True, ensure_ascii=False, default=str))


def critique_hash(critique: Iterable[tuple[str, str | None]]) -> str:
    """Return a short hash of what a critique objects to.

    The judge's reasoning is left out: it is worded anew each time, while the objection stays.

    Args:
        critique: Each failed criterion's id with the evidence quoted for it.
    """
    objections = sorted(
        (criterion, " ".join((quote or "").casefold().split())) for criterion, quote in critique
    )
    return _hash(json.dumps(objections, ensure_ascii=False))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def stop_reason(
    *,
    verdict: VerdictName,
    record_hashes: Sequence[str],
    critique_hashes: Sequence[str],
    max_refinements: int,
    budget_left: bool = True,
) -> StopReason | None:
    """Say why this tier refines no further, or None when another round is worth its price.

    Args:
        verdict: The latest verdict.
        record_hashes: `record_hash` of every attempt of this tier, oldest first, the judged one last.
        critique_hashes: `critique_hash` of every rejection on this tier, oldest first.
        max_refinements: Rounds allowed on a tier; the first attempt is no round.
        budget_left: Whether the document may still spend.

    Returns:
        The first reason that applies. `no_instruction` is the caller's: no instruction survived
        `check_addendum`.
    """
    if verdict != "rejected":
        return verdict
    if not budget_left:
        return "budget"
    if len(record_hashes) - 1 >= max_refinements:
        return "rounds"
    if record_hashes and record_hashes[-1] in record_hashes[:-1]:
        return "repeated_record"
    if critique_hashes and critique_hashes[-1] in critique_hashes[:-1]:
        return "repeated_critique"
    return None
