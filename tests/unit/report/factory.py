"""Outcomes and runs to report on, without a run."""

import itertools
from datetime import UTC, datetime
from typing import Any

from cupel.report.summary import RunSummary
from cupel.state.enrich import (
    AddendumRecord,
    Attempt,
    Call,
    Evidence,
    FindingRecord,
    Outcome,
    VerdictRecord,
)

TEXT = "😀 We must act now. Prices rose by 12.5 per cent. Nobody asked us."


_numbers = itertools.count()


def call(**changes: Any) -> Call:
    """An extraction by the cheap model."""
    plain: Call = {
        "key": f"{next(_numbers):064}",
        "kind": "extract",
        "model": "groq:cheap",
        "input_tokens": 1000,
        "cached_tokens": 250,
        "output_tokens": 100,
        "cost_usd": 0.001,
        "latency_s": 0.5,
        "cached": False,
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def evidence(quote: str, text: str = TEXT, path: str = "/claims/0/quote", **changes: Any) -> Evidence:
    """A verbatim quote of the text."""
    start = text.index(quote)
    plain: Evidence = {
        "path": path,
        "quote": quote,
        "match": "verbatim",
        "start": start,
        "end": start + len(quote),
        "parts": [[start, start + len(quote)]],
        "similarity": 1.0,
        "diff": "",
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def attempt(**changes: Any) -> Attempt:
    """A first attempt of the cheap tier, without doubt."""
    plain: Attempt = {
        "number": 1,
        "tier": "cheap",
        "round": 0,
        "model": "groq:cheap",
        "fallback_for": None,
        "prompt_version": "p1",
        "record": {"claims": [{"quote": "We must act now."}]},
        "error": None,
        "error_kind": None,
        "evidence": [evidence("We must act now.")],
        "calls": [call()],
        "signals": {"schema_valid": 1.0, "quotes_grounded": 0.75, "agreement": None},
        "score": 0.75,
        "confidence": None,
        "calibrated": False,
        "in_doubt": False,
        "doubts": [],
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def finding(**changes: Any) -> FindingRecord:
    """A criterion that failed."""
    plain: FindingRecord = {
        "criterion": "premises_support",
        "finding": "fail",
        "reasoning": "It gives no ground.",
        "evidence_quote": "Nobody asked us.",
        "quote_match": "verbatim",
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def verdict(**changes: Any) -> VerdictRecord:
    """A rejection of the first attempt."""
    plain: VerdictRecord = {
        "attempt": 1,
        "verdict": "rejected",
        "findings": [finding(), finding(criterion="stance_fits", finding="pass", reasoning="It does.")],
        "code_findings": [],
        "advisory": False,
        "model": "openai:judge",
        "score": 0.5,
        "reason": "failed: premises_support",
        "calls": [call(kind="judge", model="openai:judge", cost_usd=0.002, latency_s=2.0)],
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def addendum(**changes: Any) -> AddendumRecord:
    """The instructions after the first attempt."""
    plain: AddendumRecord = {
        "tier": "cheap",
        "round": 1,
        "after_attempt": 1,
        "instructions": ["Give only reasons as premises."],
        "criteria": ["premises_support"],
        "dropped": ["a quote too long"],
        "model": "groq:refiner",
        "calls": [call(kind="refine", model="groq:refiner", cost_usd=None, cached=True)],
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def outcome(**changes: Any) -> Outcome:
    """Accepted at once."""
    first = attempt()
    plain: Outcome = {
        "doc_id": "speech-1",
        "task": "arguments",
        "status": "accepted",
        "record": first["record"],
        "evidence": first["evidence"],
        "confidence": None,
        "score": 0.75,
        "calibrated": False,
        "model": "groq:cheap",
        "tier": "cheap",
        "prompt_version": "p1",
        "reasons": [],
        "cost_usd": 0.001,
        "latency_s": 0.5,
        "language": "en",
        "attempts": [first],
        "verdicts": [],
        "addenda": [],
        "review": None,
        "path": ["prepare", "extract", "verify", "finish"],
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


def refined(**changes: Any) -> Outcome:
    """Rejected, refined, extracted again, accepted."""
    second = attempt(number=2, round=1, record={"claims": []}, evidence=[], score=1.0)
    plain = outcome(
        doc_id="speech-2",
        record=second["record"],
        evidence=[],
        score=1.0,
        attempts=[attempt(in_doubt=True, doubts=["/claims/0/quote: the quote is altered"]), second],
        verdicts=[verdict(), verdict(attempt=2, verdict="accepted", reason="", findings=[])],
        addenda=[addendum()],
        path=["prepare", "extract", "verify", "judge", "refine", "extract", "verify", "judge", "finish"],
    )
    return {**plain, **changes}  # type: ignore[typeddict-item]


def unusable(**changes: Any) -> Outcome:
    """A row without a text."""
    plain = outcome(
        doc_id="speech-3",
        status="failed",
        record=None,
        evidence=[],
        score=None,
        model=None,
        tier=None,
        prompt_version="",
        reasons=["no text: the cell is empty"],
        cost_usd=0.0,
        latency_s=0.0,
        language=None,
        attempts=[],
        path=["prepare", "finish"],
    )
    return {**plain, **changes}  # type: ignore[typeddict-item]


def run(**changes: Any) -> RunSummary:
    """The run of the three."""
    plain: dict[str, Any] = {
        "run_id": "5c1f02ab77d1",
        "task": "arguments",
        "started_at": datetime(2025, 3, 10, 14, 3, tzinfo=UTC),
        "statuses": {"accepted": 2, "failed": 1},
        "calls": {"groq:cheap": 3, "openai:judge": 2},
        "cost_usd": {"groq:cheap": 0.003, "openai:judge": 0.004},
        "cost_usd_total": 0.0071,
        "cache_hits": 1,
        "wall_s": 4.2,
        "models": {"cheap": "groq:cheap"},
    }
    return RunSummary(**{**plain, **changes})
