"""Where a document goes next: the decisions behind the arrows of the graph, as plain functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from cupel.context import RunContext
from cupel.runlog import cost_of
from cupel.state import Attempt, FindingRecord, RunState, VerdictName, VerdictRecord, calls_of

StopReason = Literal["accepted", "unknown", "budget", "rounds", "repeated_record", "repeated_critique"]
"""Why refining ends: two are the judge's, the others mean that one more round would teach nothing."""


def is_judged(attempt: Attempt, context: RunContext, doc_id: str) -> bool:
    """Whether the judge sees this record.

    `auto` judges every record of the strong tier and every uncalibrated one, and of the calibrated ones a
    sample that depends on the document alone, so that a rerun audits the same ones.
    """
    if context.judge == "never":
        return False
    if context.judge == "always" or attempt["tier"] == "strong" or not attempt["calibrated"]:
        return True
    return is_audited(doc_id, context.audit_share)


def is_audited(doc_id: str, share: float) -> bool:
    """Whether a document belongs to the audit sample of this share.

    >>> sum(is_audited(str(n), 0.1) for n in range(10_000)) in range(900, 1100)
    True
    """
    digest = hashlib.sha256(f"audit:{doc_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def usd_left(state: RunState, context: RunContext) -> float | None:
    """What the document may still cost; None without a limit of its own."""
    if context.max_usd_per_document is None:
        return None
    return context.max_usd_per_document - (cost_of(call for _, call in calls_of(state)) or 0.0)


def decides(verdict: VerdictRecord) -> bool:
    """An advisory judge is shown and decides nothing; that it is unknown, or what code found, always does."""
    return not verdict["advisory"] or verdict["verdict"] == "unknown" or bool(verdict["code_findings"])


def refining_ends(state: RunState, context: RunContext) -> StopReason | None:
    """Why the tier of the latest attempt refines no further; None when one more round may teach something."""
    tier, verdicts, left = state["attempts"][-1]["tier"], state["verdicts"], usd_left(state, context)
    on_tier = [attempt for attempt in state["attempts"] if attempt["tier"] == tier]
    numbers = {attempt["number"] for attempt in on_tier}
    about = [v for v in verdicts if v["attempt"] in numbers and v["verdict"] == "rejected"]
    return stop_reason(
        verdict=verdicts[-1]["verdict"],
        record_hashes=[record_hash(attempt["record"]) for attempt in on_tier],
        critique_hashes=[critique_hash(critique(verdict)) for verdict in about],
        max_refinements=context.max_refinements,
        budget_left=left is None or left > 0,
    )


def critique(verdict: VerdictRecord) -> list[tuple[str, str | None]]:
    """What a verdict objects to: each failed criterion with the evidence for it."""
    by_code = [
        (item["criterion"], item["evidence_quote"] or item["reasoning"])
        for item in failures_of(verdict["code_findings"])
    ]
    return [
        *by_code,
        *((item["criterion"], item["evidence_quote"]) for item in failures_of(verdict["findings"])),
    ]


def failures_of(findings: Sequence[FindingRecord]) -> list[FindingRecord]:
    """The findings that are failures."""
    return [finding for finding in findings if finding["finding"] == "fail"]


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
        The first reason that applies.
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
