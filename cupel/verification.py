"""The two looks at a record: the signals that say how sure we are, and the judge."""

from __future__ import annotations

from dataclasses import replace

from cupel.cascade import Doubt, basic_signals, plain_rule
from cupel.confidence.agreement import record_agreement
from cupel.context import RunContext
from cupel.documents import wrap
from cupel.extraction import attempt_record, prompt_for, usd_left
from cupel.grounding import Grounder
from cupel.judging import Finding, Verdict, aggregate, code_checks, judge_schema, read_judgement
from cupel.models import resolve_models
from cupel.prompts import compact, messages, template_of
from cupel.runtime import current
from cupel.state import Attempt, Call, RunState, VerdictRecord
from cupel.structured import Question, ask
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
    if attempt["record"] is None:
        return _ruled(attempt, _without_record(attempt))
    by_code = code_checks(attempt["record"], task.schema, attempt["evidence"], text=state["text"])
    if by_code:
        reason = "; ".join(finding.reasoning for finding in by_code)
        return _ruled(attempt, Verdict(verdict="rejected", code_findings=by_code, reason=reason))
    return await _asked(state, task, context)


def _without_record(attempt: Attempt) -> Verdict:
    """A reply that does not fit is rejected by code; a call that failed cannot be judged at all."""
    problem = attempt["error"] or "there is no record"
    if attempt["error_kind"] != "schema":
        return Verdict(verdict="unknown", reason=problem)
    finding = Finding(criterion="schema", finding="fail", reasoning=problem)
    return Verdict(verdict="rejected", code_findings=(finding,), reason=problem)


async def _asked(state: RunState, task: TaskSpec, context: RunContext) -> VerdictRecord:
    attempt = state["attempts"][-1]
    judge = resolve_models(context, (await current()).env).judge
    if not judge or judge == attempt["model"]:
        reason = (
            f"{judge} may not judge its own record" if judge else "no judge is attached; set --judge-model"
        )
        return _ruled(attempt, Verdict(verdict="unknown", reason=reason))
    answer = await ask(await _judge_question(state, task, context, judge))
    findings = None
    if answer.record is not None:
        findings = read_judgement(answer.record, task.criteria, Grounder(state["text"]))
    verdict = aggregate(findings, task.criteria, advisory=context.advisory_judge)
    if answer.error is not None:
        verdict = replace(verdict, reason=f"no judgement: {answer.error}")
    return verdict.to_record(attempt=attempt["number"], model=answer.model, calls=answer.calls)


def _ruled(attempt: Attempt, verdict: Verdict) -> VerdictRecord:
    """A verdict that took no model."""
    return verdict.to_record(attempt=attempt["number"], model=None)


async def _judge_question(state: RunState, task: TaskSpec, context: RunContext, model: str) -> Question:
    schema = judge_schema(task.criteria)
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
