"""Where a document goes next: the decisions behind the arrows of the graph, as plain functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

from cupel.context import RunContext
from cupel.runlog import cost_of
from cupel.state import Attempt, FindingRecord, Record, RunState, VerdictRecord, calls_of

StopReason = Literal[
    "accepted", "unknown", "budget", "rounds", "repeated_record", "repeated_critique", "worse", "unmendable"
]
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
    """Why the tier of the latest attempt refines no further; None when one more round is worth its price.

    The first reason that applies; a tier's first attempt is no round. What repeats itself has nothing to learn from
    one more of the same.
    """
    tier, verdict, left = state["attempts"][-1]["tier"], state["verdicts"][-1], usd_left(state, context)
    if verdict["verdict"] != "rejected":
        return verdict["verdict"]
    if left is not None and left <= 0:
        return "budget"
    attempts = [attempt for attempt in state["attempts"] if attempt["tier"] == tier]
    if len(attempts) > context.max_refinements:
        return "rounds"
    if _is_repeated([_content(attempt["record"]) for attempt in attempts]):
        return "repeated_record"
    return _has_no_more_to_teach(state, attempts)


def _has_no_more_to_teach(state: RunState, attempts: Sequence[Attempt]) -> StopReason | None:
    """Why the verdicts on one tier's attempts hold nothing that one more of them would learn from."""
    if state["verdicts"][-1].get("mending"):
        return "unmendable"
    numbers = {attempt["number"] for attempt in attempts}
    rejections = [v for v in state["verdicts"] if v["attempt"] in numbers and v["verdict"] == "rejected"]
    if _got_worse(rejections):
        return "worse"
    return "repeated_critique" if _is_repeated([critique(v) for v in rejections]) else None


def _got_worse(verdicts: Sequence[VerdictRecord]) -> bool:
    """Whether the latest of a tier's records is estimated below an earlier one, which then is the better to go on with."""
    estimates = [verdict["estimate"]["score"] for verdict in verdicts if "estimate" in verdict]
    return len(estimates) > 1 and "estimate" in verdicts[-1] and estimates[-1] < max(estimates[:-1])


def _is_repeated(said: Sequence[object]) -> bool:
    """Whether the last of several is the same as an earlier one."""
    return any(each == said[-1] for each in said[:-1])


def _content(record: Record | None) -> str:
    """What a record says, whatever the order of its keys."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False, default=str)


def critique(verdict: VerdictRecord) -> list[tuple[str, str]]:
    """What a verdict objects to: each failed criterion with the evidence for it, in an order of its own.

    The judge's reasoning is left out: it is worded anew each time, while the objection stays. Code's stays the same.
    """
    by_code = [
        (item["criterion"], item["evidence_quote"] or item["reasoning"])
        for item in failures_of(verdict["code_findings"])
    ]
    by_judge = [(item["criterion"], item["evidence_quote"]) for item in failures_of(verdict["findings"])]
    return sorted(
        (criterion, " ".join((quote or "").casefold().split())) for criterion, quote in (*by_code, *by_judge)
    )


def failures_of(findings: Sequence[FindingRecord]) -> list[FindingRecord]:
    """The findings that are failures."""
    return [finding for finding in findings if finding["finding"] == "fail"]
