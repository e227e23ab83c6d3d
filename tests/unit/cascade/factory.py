"""A document half way through the cascade, and the runtime its steps are called with."""

from __future__ import annotations

from typing import Any

from cupel.cascade.work import Work
from cupel.context import RunContext
from cupel.engine.run import Asking, Run
from cupel.engine.runtime import Runtime
from cupel.state.enrich import Attempt, FindingRecord, RunState, VerdictRecord
from cupel.text.evidence import ground_record
from tests.integration.cascade import MODELS, TEXT, record


def asking(**changes: Any) -> Asking:
    """A run of its own, whose notes and calls a test reads."""
    return Asking(run=Run(run_id="test"), **changes)


def attempt(**changes: Any) -> Attempt:
    """The cheap model's record, with both quotes in the text."""
    return {
        **Attempt(
            number=1, tier="cheap", round=0, model="scripted:cheap", fallback_for=None, prompt_version="v1",
            record=record(), error=None, error_kind=None, evidence=[], calls=[], signals={}, score=1.0,
            confidence=None, calibrated=False, in_doubt=False, doubts=[],
        ),
        **changes,
    }  # type: ignore[return-value]  # fmt: skip


def failed(criterion: str, quote: str | None = None, reasoning: str = "it is wrong") -> FindingRecord:
    """A criterion that was not met."""
    return FindingRecord(
        criterion=criterion, finding="fail", reasoning=reasoning, evidence_quote=quote, quote_match=None
    )


def verdict(name: str = "rejected", **changes: Any) -> VerdictRecord:
    """What the judge said of the first attempt."""
    return {
        **VerdictRecord(
            attempt=1, verdict=name, findings=[failed("nothing_missing")] if name == "rejected" else [],
            code_findings=[], advisory=False, model="scripted:judge", score=None, reason="because", calls=[],
        ),
        **changes,
    }  # type: ignore[return-value,typeddict-item]  # fmt: skip


def state(*attempts: Attempt, verdicts: tuple[VerdictRecord, ...] = (), **changes: Any) -> RunState:
    """The state of one speech, prepared."""
    return {
        "text": TEXT, "task": "arguments", "doc_id": "d1", "meta": {}, "windows": [[0, len(TEXT)]], "problem": None,
        "language": "en", "attempts": list(attempts), "verdicts": list(verdicts), "addenda": [], "path": ["prepare"],
        **changes,
    }  # type: ignore[typeddict-item,return-value]  # fmt: skip


def context(**settings: Any) -> RunContext:
    """Scripted models in every role, and what a test sets."""
    return RunContext(**{**MODELS, "max_retries": 0, **settings})


async def work(runtime: Runtime, document: RunState, **settings: Any) -> Work:
    """What a stage is called with."""
    return Work(document, await runtime.task(document, asking()), context(**settings), runtime)


async def grounded(runtime: Runtime, **changes: Any) -> Attempt:
    """An attempt whose quotes were looked for in the text."""
    written = attempt(**changes)
    task = await runtime.task({"task": "arguments"}, asking())
    return {**written, "evidence": ground_record(written["record"] or {}, task.schema, TEXT)}
