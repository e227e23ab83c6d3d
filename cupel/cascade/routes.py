"""Where a document goes next: the decisions behind the arrows of the graph, as plain functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cupel.cascade.attempts import StopReason, critique_hash, record_hash, stop_reason
from cupel.context import RunContext
from cupel.state import Attempt, FindingRecord, Tier, VerdictRecord
from cupel.task import TaskSpec

EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Whether a record is in doubt, how sure we are, and why."""

    score: float | None
    confidence: float | None
    calibrated: bool
    in_doubt: bool
    doubts: list[str]


def basic_signals(attempt: Attempt, task: TaskSpec) -> dict[str, float | None]:
    """The free signals: does it fit the schema, do the quotes stand in the text, are the fields filled.

    Each is in [0, 1]; `quotes_grounded` is None for a record without quotes. Cost: no call.
    """
    record, evidence = attempt["record"], attempt["evidence"]
    if record is None:
        return {"schema_valid": 0.0, "quotes_grounded": None, "fields_filled": 0.0}
    grounded = [entry["match"] in ("verbatim", "normalised") for entry in evidence]
    filled = [record.get(name) not in EMPTY for name in task.must_fill]
    return {
        "schema_valid": 1.0,
        "quotes_grounded": sum(grounded) / len(grounded) if grounded else None,
        "fields_filled": sum(filled) / len(filled) if filled else 1.0,
    }


def plain_rule(attempt: Attempt, signals: Mapping[str, float | None], task: TaskSpec) -> Doubt:
    """The rule before any calibration: accept what fits the schema, is grounded and complete.

    The score is the product of the free signals; it is raw and says nothing about probability.
    """
    doubts = [*_record_doubts(attempt), *_quote_doubts(attempt), *_gaps(attempt, task)]
    score = 1.0
    for name in ("schema_valid", "quotes_grounded", "fields_filled", "agreement"):
        value = signals.get(name)
        score *= 1.0 if value is None else value
    return Doubt(
        score=round(score, 4), confidence=None, calibrated=False, in_doubt=bool(doubts), doubts=doubts
    )


def _record_doubts(attempt: Attempt) -> list[str]:
    return [attempt["error"] or "no record"] if attempt["record"] is None else []


def _quote_doubts(attempt: Attempt) -> list[str]:
    return [
        f"{entry['path']}: the quote is {entry['match']}" + (f" ({entry['diff']})" if entry["diff"] else "")
        for entry in attempt["evidence"]
        if entry["match"] not in ("verbatim", "normalised")
    ]


def _gaps(attempt: Attempt, task: TaskSpec) -> list[str]:
    record = attempt["record"]
    if record is None:
        return []
    return [f"/{name} is empty" for name in task.must_fill if record.get(name) in EMPTY]


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


AfterVerify = Literal["in doubt", "to be judged", "confident"]
AfterJudge = Literal["accepted", "rejected", "rounds spent", "for a person"]


def after_verify(attempt: Attempt, context: RunContext, doc_id: str) -> AfterVerify:
    """Doubt on the cheap tier goes to the strong model, the rest to the judge or straight to the end."""
    if attempt["in_doubt"] and attempt["tier"] == "cheap":
        return "in doubt"
    return "to be judged" if is_judged(attempt, context, doc_id) else "confident"


def after_judge(
    attempts: Sequence[Attempt], verdicts: Sequence[VerdictRecord], context: RunContext, *, budget_left: bool
) -> AfterJudge:
    """Accepted ends; rejected is refined while it helps, then escalated, then a person's."""
    attempt, verdict = attempts[-1], verdicts[-1]
    reason = refining_ends(attempt["tier"], attempts, verdicts, context, budget_left=budget_left)
    if verdict["advisory"] and verdict["verdict"] != "unknown" and not verdict["code_findings"]:
        return "accepted"
    if reason is None:
        return "rejected"
    if reason == "accepted":
        return "accepted"
    if reason in ("unknown", "budget") or attempt["tier"] == "strong":
        return "for a person"
    return "rounds spent"


def refining_ends(
    tier: Tier,
    attempts: Sequence[Attempt],
    verdicts: Sequence[VerdictRecord],
    context: RunContext,
    *,
    budget_left: bool,
) -> StopReason | None:
    """Why this tier refines no further; None when one more round may teach something."""
    on_tier = [attempt for attempt in attempts if attempt["tier"] == tier]
    numbers = {attempt["number"] for attempt in on_tier}
    about = [v for v in verdicts if v["attempt"] in numbers and v["verdict"] == "rejected"]
    return stop_reason(
        verdict=verdicts[-1]["verdict"],
        record_hashes=[record_hash(attempt["record"]) for attempt in on_tier],
        critique_hashes=[critique_hash(critique(verdict)) for verdict in about],
        max_refinements=context.max_refinements,
        budget_left=budget_left,
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
