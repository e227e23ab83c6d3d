"""The two looks at a record: the signals that say how sure we are, and the judge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cupel.cascade.deliberate import deliberate
from cupel.cascade.observe import observe, read_signals
from cupel.cascade.routes import Doubt, basic_signals, plain_rule
from cupel.context import RunContext
from cupel.engine import current, current_run
from cupel.judging import Finding, Verdict, code_checks
from cupel.routing import compute_signals
from cupel.state import Attempt, RunState, VerdictRecord
from cupel.task import TaskSpec

if TYPE_CHECKING:
    from cupel.routing import ThresholdCascade

FREE = ("quotes_verbatim", "mean_logprob", "min_logprob", "self_report")
"""Signals that cost nothing and are noted for every record, beside the plain rule's own."""


async def verify_record(state: RunState, task: TaskSpec, context: RunContext) -> Attempt:
    """The latest attempt with its signals, score, confidence and doubts filled in.

    A calibrated policy decides where there is one for this task, prompt, model and signals; else the plain rule.
    """
    attempt = state["attempts"][-1]
    seen, calls = await observe(state, task, context, attempt)
    basic = basic_signals(attempt, task)
    policy = await _policy_for(attempt, task, context)
    extra = (*FREE, *read_signals(context), *(policy.signals if policy else ()))
    signals = {**basic, **compute_signals(seen, tuple(dict.fromkeys(extra)))}
    doubt = plain_rule(attempt, {**basic, "agreement": signals.get("agreement")}, task)
    if policy is not None and attempt["record"] is not None:
        doubt = apply_policy(policy, signals, score=doubt.score)
    signals |= await _field_confidences(attempt, task, context, signals)
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


def apply_policy(
    policy: ThresholdCascade, signals: Mapping[str, float | None], *, score: float | None
) -> Doubt:
    """What a calibrated policy says of a record; below its threshold it is in doubt."""
    decision = policy.decide(signals)
    confidence = decision.confidence
    doubts = []
    if not decision.accept:
        shown = "no signal could be observed" if confidence is None else f"confidence {confidence:.2f}"
        limit = (
            "nothing is certified" if math.isinf(policy.threshold) else f"threshold {policy.threshold:.2f}"
        )
        doubts = [f"{shown} is below the {limit}" if confidence is not None else shown]
    known = confidence is not None
    return Doubt(score=score, confidence=confidence, calibrated=known, in_doubt=bool(doubts), doubts=doubts)


async def _field_confidences(
    attempt: Attempt, task: TaskSpec, context: RunContext, signals: Mapping[str, float | None]
) -> dict[str, float | None]:
    """`confidence/<field>` for every field that was calibrated by itself, for this prompt and model."""
    if context.policy == "none" or attempt["tier"] != "cheap" or attempt["record"] is None:
        return {}
    policies = await (await current()).policies.of_fields(task.name)
    return {
        f"confidence/{name}": policy.decide(signals).confidence
        for name, policy in policies.items()
        if _bound_to(policy, task, attempt)
    }


def _bound_to(policy: ThresholdCascade, task: TaskSpec, attempt: Attempt) -> bool:
    binding = policy.score.binding  # type: ignore[attr-defined]  # a Calibration: the runtime read it as one
    return (binding.task, binding.prompt_version, binding.model) == (
        task.name,
        attempt["prompt_version"],
        attempt["model"],
    )


async def _policy_for(attempt: Attempt, task: TaskSpec, context: RunContext) -> ThresholdCascade | None:
    """The policy calibrated for exactly this task, prompt and model; another one is passed over, with a note."""
    policy = await (await current()).policies.of(task.name, context.policy)
    if policy is None or attempt["tier"] != "cheap" or attempt["record"] is None:
        return None
    if _bound_to(policy, task, attempt):
        return policy
    binding = policy.score.binding  # type: ignore[attr-defined]  # as in `_bound_to`
    current_run().tally.notes.add(
        f"the calibration of {task.name} was made for {binding.model} and prompt {binding.prompt_version}, not for "
        f"{attempt['model']} and {attempt['prompt_version']}: it is passed over; run `cupel calibrate` again"
    )
    return None


async def judge_record(state: RunState, task: TaskSpec, context: RunContext) -> VerdictRecord:
    """The verdict on the latest attempt: code first, and only what passes is shown to the judge's model."""
    attempt = state["attempts"][-1]
    if attempt["record"] is None:
        return _rule(attempt, _without_record(attempt))
    by_code = code_checks(attempt["record"], task.schema, attempt["evidence"], text=state["text"])
    if by_code:
        reason = "; ".join(finding.reasoning for finding in by_code)
        return _rule(attempt, Verdict(verdict="rejected", code_findings=by_code, reason=reason))
    return await deliberate(state, task, context)


def _without_record(attempt: Attempt) -> Verdict:
    """A reply that does not fit is rejected by code; a call that failed cannot be judged at all."""
    problem = attempt["error"] or "there is no record"
    if attempt["error_kind"] != "schema":
        return Verdict(verdict="unknown", reason=problem)
    finding = Finding(criterion="schema", finding="fail", reasoning=problem)
    return Verdict(verdict="rejected", code_findings=(finding,), reason=problem)


def _rule(attempt: Attempt, verdict: Verdict) -> VerdictRecord:
    """A verdict that took no model."""
    return verdict.to_record(attempt=attempt["number"], model=None)
