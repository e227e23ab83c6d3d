"""An outcome taken apart into rows: its attempts, verdicts and failures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from cupel.runlog.worker import Row
from cupel.state import Attempt, Call, FindingRecord, Outcome, VerdictRecord

NOBODY = "none"
"""In the place of an attempt's model, where a tier has none."""


def cost_of(calls: Iterable[Call]) -> float | None:
    """Sum of the calls' costs; None as soon as one is unknown."""
    costs = [call["cost_usd"] for call in calls]
    return None if any(cost is None for cost in costs) else float(sum(cost for cost in costs if cost))


def tried(attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """The attempts that had a model; all where none had one, since that is what went wrong then.

    A tier without a model is a choice, and no failure of a document's.

    >>> [attempt["model"] for attempt in tried([{"model": "groq:openai/gpt-oss-20b"}, {"model": "none"}])]
    ['groq:openai/gpt-oss-20b']
    """
    return [attempt for attempt in attempts if attempt["model"] != NOBODY] or attempts


def attempt_rows(key: str, outcome: Outcome) -> list[Row]:
    """One row per attempt."""
    return [
        {
            "outcome_key": key, "number": attempt["number"], "tier": attempt["tier"], "model": attempt["model"],
            "prompt_version": attempt["prompt_version"], "error": attempt["error"],
            "record": None if attempt["record"] is None else json.dumps(attempt["record"], ensure_ascii=False),
            "signals": json.dumps(attempt["signals"]), "score": attempt["score"],
            "confidence": attempt["confidence"], "cost_usd": cost_of(attempt["calls"]),
            "latency_s": sum(call["latency_s"] for call in attempt["calls"]),
        }
        for attempt in outcome["attempts"]
    ]  # fmt: skip


def verdict_rows(key: str, outcome: Outcome) -> list[Row]:
    """One row per verdict."""
    return [
        {
            "outcome_key": key, "number": number, "attempt": verdict["attempt"], "verdict": verdict["verdict"],
            "model": verdict["model"], "reason": verdict["reason"], "cost_usd": cost_of(verdict["calls"]),
            "findings": json.dumps([*verdict["code_findings"], *verdict["findings"]], ensure_ascii=False),
        }
        for number, verdict in enumerate(outcome["verdicts"], start=1)
    ]  # fmt: skip


def failure_rows(key: str, run_id: str, outcome: Outcome, *, created_at: str) -> list[Row]:
    """One row per thing that went wrong with an attempt, and what put it right in the end."""
    failures = [
        (attempt, failure)
        for attempt in tried(outcome["attempts"])
        for failure in _failures_of(attempt, outcome["verdicts"])
    ]
    return [
        {
            "outcome_key": key, "number": number, "run_id": run_id, "doc_id": outcome["doc_id"],
            "task": outcome["task"], "prompt_version": attempt["prompt_version"], "model": attempt["model"],
            "tier": attempt["tier"], "criterion": criterion, "cause": cause, "reasoning": reasoning,
            "quote": quote, **_fix(attempt, outcome), "cost_usd": cost_of(attempt["calls"]),
            "created_at": created_at,
        }
        for number, (attempt, (cause, criterion, reasoning, quote)) in enumerate(failures, start=1)
    ]  # fmt: skip


def _failures_of(
    attempt: Attempt, verdicts: list[VerdictRecord]
) -> Iterator[tuple[str, str, str, str | None]]:
    if attempt["error"] is not None:
        cause = "provider" if attempt["error_kind"] == "provider" else "code"
        yield cause, attempt["error_kind"] or "schema", attempt["error"], None
    elif attempt["in_doubt"]:
        for doubt in attempt["doubts"]:
            yield "doubt", "verify", doubt, None
    for verdict in verdicts:
        if verdict["attempt"] == attempt["number"]:
            yield from _failures(verdict["code_findings"], "code")
            yield from _failures(verdict["findings"], "judge")
            yield from _failures(_audit(verdict), "audit")


def _audit(verdict: VerdictRecord) -> list[FindingRecord]:
    """What an auditor found of a record the judge accepted."""
    sat = verdict.get("jury")
    return sat["jurors"][-1]["findings"] if sat is not None and sat["why"] == "audit" else []


def _failures(findings: list[FindingRecord], cause: str) -> Iterator[tuple[str, str, str, str | None]]:
    for finding in findings:
        if finding["finding"] == "fail":
            yield cause, finding["criterion"], finding["reasoning"], finding["evidence_quote"]


def _fix(attempt: Attempt, outcome: Outcome) -> Row:
    """What came of it: the later attempt that was accepted, and what made the difference."""
    if outcome["review"] and outcome["review"]["action"] in ("accept", "edit"):
        return {"fixed_by": "person", "addendum": None}
    last = outcome["attempts"][-1]
    if outcome["status"] != "accepted" or last["number"] <= attempt["number"]:
        return {"fixed_by": "none", "addendum": None}
    if last["round"] == 0:
        return {"fixed_by": "escalation", "addendum": None}
    written = [a for a in outcome["addenda"] if a["tier"] == last["tier"] and a["round"] == last["round"]]
    instructions = json.dumps(written[-1]["instructions"], ensure_ascii=False) if written else None
    return {"fixed_by": "addendum", "addendum": instructions}
