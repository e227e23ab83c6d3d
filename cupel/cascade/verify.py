"""How sure we can be of a record: what is observed of it, free or by further calls, and what that amounts to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cupel.cascade.extract import attempt_record, prompt_for, usd_left
from cupel.context import RunContext
from cupel.engine import Question, ask, current, current_run, sampling
from cupel.errors import SettingError
from cupel.routing import Observed, compute_signals
from cupel.state import Attempt, Call, Record, RunState
from cupel.task import TaskSpec, compact, messages, template_of
from cupel.text import is_grounded, wrap

if TYPE_CHECKING:
    from cupel.routing import ThresholdCascade
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
    grounded = [is_grounded(entry["match"]) for entry in evidence]
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
        if not is_grounded(entry["match"])
    ]


def _gaps(attempt: Attempt, task: TaskSpec) -> list[str]:
    record = attempt["record"]
    if record is None:
        return []
    return [f"/{name} is empty" for name in task.must_fill if record.get(name) in EMPTY]


SAMPLES = 4
"""Further records for self-consistency."""
VERIFICATIONS = 8
"""Answers to "is this record right?" for self-verification (AutoMix, arXiv 2310.12963, takes 8)."""
SAMPLING_TEMPERATURE = 1.0
_COSTLY = ("agreement", "self_verified", "self_consistency")
_VERDICT = {
    "type": "object",
    "properties": {"reasoning": {"type": "string"}, "right": {"type": "boolean"}},
    "required": ["reasoning", "right"],
    "additionalProperties": False,
}


def read_signals(context: RunContext) -> tuple[str, ...]:
    """The costly signals a run asks for.

    Raises:
        SettingError: For a name that is none of them, or agreement without a model to agree with.
    """
    names = tuple(name.strip() for name in context.signals.split(",") if name.strip())
    if context.agreement_model and "agreement" not in names:
        names = (*names, "agreement")
    for name in names:
        if name not in _COSTLY:
            raise SettingError(
                f"signals={name!r}: not one of {', '.join(_COSTLY)}; the free ones are always on"
            )
    if "agreement" in names and not context.agreement_model:
        raise SettingError("the signal 'agreement' needs a second cheap model: set agreement_model")
    return names


def observe_free(attempt: Attempt) -> Observed:
    """What costs nothing: the record, whether it fitted at once, its quotes, the tokens' probabilities."""
    repaired = any(call["kind"] == "repair" for call in attempt["calls"])
    return Observed(
        record=attempt["record"],
        schema_valid=attempt["record"] is not None and not repaired,
        quote_matches=[entry["match"] for entry in attempt["evidence"]],
        token_logprobs=attempt["logprobs"],
        self_report=_self_report(attempt["record"]),
    )


def _self_report(record: Record | None) -> float | None:
    """What a schema with a `confidence` field made the model say of itself; an input, never a verdict."""
    stated = (record or {}).get("confidence")
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None


async def observe(
    state: RunState, task: TaskSpec, context: RunContext, attempt: Attempt
) -> tuple[Observed, list[Call]]:
    """Everything the run asks to observe about the latest record, and the calls it took."""
    seen = observe_free(attempt)
    calls: list[Call] = []
    if attempt["record"] is None or attempt["tier"] != "cheap":
        return seen, calls
    for name in read_signals(context):
        if name == "agreement":
            others, made = await _records(state, task, context, model=context.agreement_model, count=1)
            seen = replace(seen, second_record=others[0])
        elif name == "self_consistency":
            others, made = await _records(state, task, context, model=attempt["model"], count=SAMPLES)
            seen = replace(seen, samples=others)
        else:
            votes, made = await _verifications(state, task, context, attempt)
            seen = replace(seen, verifications=votes)
        calls += made
    return seen, calls


async def _records(
    state: RunState, task: TaskSpec, context: RunContext, *, model: str, count: int
) -> tuple[list[Record | None], list[Call]]:
    """Further records: one of another model as it is, or several of the same model, sampled."""
    same = count > 1
    update = {"cheap_model": model} | ({"temperature": SAMPLING_TEMPERATURE} if same else {})
    other = context.model_copy(update=update)

    async def one(number: int) -> Attempt:
        with sampling(number if same else 0):
            return await attempt_record(state, task, other, "cheap")

    attempts = await asyncio.gather(*(one(number + 1) for number in range(count)))
    return [a["record"] for a in attempts], _as_verifying(call for a in attempts for call in a["calls"])


async def _verifications(
    state: RunState, task: TaskSpec, context: RunContext, attempt: Attempt
) -> tuple[list[bool | None], list[Call]]:
    """The cheap model's own answers to "is this record right?", sampled."""
    sampled = context.model_copy(update={"temperature": SAMPLING_TEMPERATURE})
    prompt = await prompt_for(task, "verify", attempt["model"], sampled, _VERDICT)
    doc_id = state.get("doc_id", "")
    varying = {
        **{name: str((state.get("meta") or {}).get(name, "")) for name in task.inputs},
        "document": wrap(state["text"], doc_id),
        "record": compact(attempt["record"]),
    }
    question = Question(
        kind="verify",
        model=attempt["model"],
        messages=messages(prompt.template, prompt.stable, varying),
        schema=_VERDICT,
        schema_name="verification",
        doc_id=doc_id,
        text=state["text"],
        context=sampled,
        repair=template_of(task, "repair"),
        usd_left=usd_left(state, context),
    )
    answers = await asyncio.gather(*(ask(replace(question, sample=n + 1)) for n in range(VERIFICATIONS)))
    votes = [None if answer.record is None else bool(answer.record["right"]) for answer in answers]
    return votes, _as_verifying(call for answer in answers for call in answer.calls)


def _as_verifying(calls: Iterable[Call]) -> list[Call]:
    return [{**call, "kind": "verify"} for call in calls]


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
