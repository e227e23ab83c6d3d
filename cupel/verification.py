"""The two looks at a record: the signals that say how sure we are, and the judge."""

from __future__ import annotations

from typing import Any

from cupel.cascade import Doubt, basic_signals, failed, plain_rule
from cupel.confidence.agreement import record_agreement
from cupel.context import RunContext
from cupel.documents import wrap
from cupel.extraction import attempt_record, prompt_for, usd_left
from cupel.grounding import Grounder
from cupel.judging import aggregate, code_checks, judge_schema, read_judgement
from cupel.models import resolve_models
from cupel.prompts import compact, messages, template_of
from cupel.runtime import current
from cupel.state import Attempt, Call, FindingRecord, RunState, VerdictRecord
from cupel.structured import Answer, Question, ask
from cupel.tasks import TaskSpec


async def verified(state: RunState, task: TaskSpec, context: RunContext) -> Attempt:
    """The latest attempt with its signals, score, confidence and doubts filled in."""
    attempt = state["attempts"][-1]
    signals = basic_signals(attempt, task)
    calls: list[Call] = []
    if attempt["tier"] == "cheap" and attempt["record"] is not None and context.agreement_model:
        signals["agreement"], calls = await _second_opinion(state, task, context, attempt)
    doubt: Doubt = plain_rule(attempt, signals, task)
    return {
        **attempt,
        "calls": [*attempt["calls"], *calls],
        "signals": signals,
        "score": doubt.score,
        "confidence": doubt.confidence,
        "calibrated": doubt.calibrated,
        "in_doubt": doubt.in_doubt,
        "doubts": doubt.doubts,
    }


async def _second_opinion(
    state: RunState, task: TaskSpec, context: RunContext, attempt: Attempt
) -> tuple[float | None, list[Call]]:
    """How far a second cheap model agrees, field by field, in [0, 1]; None when it gave no record."""
    second = context.model_copy(update={"cheap_model": context.agreement_model})
    other = await attempt_record(state, task, second, "cheap")
    calls: list[Call] = [{**call, "kind": "verify"} for call in other["calls"]]
    if other["record"] is None or attempt["record"] is None:
        return None, calls
    return record_agreement(attempt["record"], other["record"]), calls


async def judged(state: RunState, task: TaskSpec, context: RunContext) -> VerdictRecord:
    """The verdict on the latest attempt: code first, and only what passes is shown to the judge's model."""
    attempt = state["attempts"][-1]
    record = attempt["record"]
    if record is None:
        return _without_record(attempt, context)
    by_code = code_checks(record, task.schema, attempt["evidence"])
    if failed(by_code):
        return _verdict(
            attempt, context, verdict="rejected", code_findings=failed(by_code), reason="code checks failed"
        )
    return await _asked(state, task, context, attempt)


def _without_record(attempt: Attempt, context: RunContext) -> VerdictRecord:
    """A reply that does not fit is rejected by code; a call that failed cannot be judged at all."""
    problem = attempt["error"] or "there is no record"
    if attempt["error_kind"] != "schema":
        return _verdict(attempt, context, verdict="unknown", reason=problem)
    finding = FindingRecord(
        criterion="schema", finding="fail", reasoning=problem, evidence_quote=None, quote_match=None
    )
    return _verdict(attempt, context, verdict="rejected", code_findings=[finding], reason=problem)


async def _asked(state: RunState, task: TaskSpec, context: RunContext, attempt: Attempt) -> VerdictRecord:
    models = resolve_models(context, (await current()).env)
    if not models.judge:
        return _verdict(attempt, context, verdict="unknown", reason="no judge is attached; set --judge-model")
    if models.judge == attempt["model"]:
        return _verdict(
            attempt, context, verdict="unknown", reason=f"{models.judge} may not judge its own record"
        )
    schema = judge_schema(task.criteria)
    answer = await ask(await _judge_question(state, task, context, models.judge, schema))
    if answer.record is None:
        reason = f"no judgement: {answer.error}"
        return _verdict(attempt, context, verdict="unknown", reason=reason, answer=answer)
    findings = read_judgement(answer.record, task.criteria, Grounder(state["text"]))
    made = aggregate(findings, task.criteria)
    return _verdict(
        attempt,
        context,
        verdict=made.verdict,
        findings=findings,
        reason=made.reason,
        score=made.score,
        answer=answer,
    )


async def _judge_question(
    state: RunState, task: TaskSpec, context: RunContext, model: str, schema: dict[str, Any]
) -> Question:
    prompt = await prompt_for(task, "judge", model, context, schema)
    doc_id = state.get("doc_id", "")
    varying = {
        **{name: str((state.get("meta") or {}).get(name, "")) for name in task.inputs},
        "document": wrap(state["text"], doc_id),
        "record": compact(state["attempts"][-1]["record"]),
    }
    return Question(
        kind="judge",
        model=model,
        messages=messages(prompt.template, prompt.stable, varying),
        schema=schema,
        schema_name="judgement",
        doc_id=doc_id,
        text=state["text"],
        context=context,
        repair=template_of(task, "repair"),
        usd_left=usd_left(state, context),
    )


def _verdict(
    attempt: Attempt, context: RunContext, *, answer: Answer | None = None, **said: Any
) -> VerdictRecord:
    return VerdictRecord(
        attempt=attempt["number"],
        verdict=said["verdict"],
        findings=said.get("findings", []),
        code_findings=said.get("code_findings", []),
        advisory=context.advisory_judge,
        model=answer.model if answer else None,
        score=said.get("score"),
        reason=said["reason"],
        calls=answer.calls if answer else [],
    )
