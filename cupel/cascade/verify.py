"""How sure we can be of a record: what is observed of it, free or by further calls, and what that amounts to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from cupel.cascade.ask_back import share_confirmed
from cupel.cascade.extract import TOKEN_SIGNALS, WITH_ALTERNATIVES, attempt_record
from cupel.cascade.prompt import prompt_for
from cupel.cascade.routes import usd_left
from cupel.cascade.work import Work
from cupel.context import RunContext
from cupel.engine import Asking, ask
from cupel.errors import SettingError
from cupel.judging import certain_faults
from cupel.models import name_at_address
from cupel.routing import Observed, compute_signals
from cupel.state import Attempt, Call, Record
from cupel.task import TaskSpec, compact, object_schema
from cupel.text import is_grounded

if TYPE_CHECKING:
    from cupel.routing import ThresholdCascade

FREE = ("quotes_verbatim", "mean_logprob", "min_logprob", "self_report")
"""Signals that cost nothing and are noted for every record, beside the plain rule's own."""

SAMPLES = 4
"""Further records for self-consistency."""

VERIFICATIONS = 8
"""Answers to "is this record right?" for self-verification (AutoMix, arXiv 2310.12963, takes 8)."""

SAMPLING_TEMPERATURE = 1.0
_COSTLY = ("agreement", "self_verified", "self_consistency")
_EMPTY: tuple[object, ...] = (None, "", [], {})
_VERDICT = object_schema({"reasoning": {"type": "string"}, "right": {"type": "boolean"}})


class Doubt(TypedDict):
    """Whether a record is in doubt, how sure we are, and why: these keys of an attempt are `verify`'s."""

    score: float | None
    confidence: float | None
    calibrated: bool
    in_doubt: bool
    doubts: list[str]


# ---- what is observed


def read_signals(context: RunContext) -> tuple[str, ...]:
    """The costly signals a run asks for.

    Raises:
        SettingError: For a name that is none of them, or agreement without a model to agree with.
    """
    names = tuple(name.strip() for name in context.signals.split(",") if name.strip())
    if context.agreement_model and "agreement" not in names:
        names = (*names, "agreement")
    names = tuple(name for name in names if name not in WITH_ALTERNATIVES)  # noted with the attempt
    for name in names:
        if name not in _COSTLY:
            raise SettingError(
                f"signals={name!r}: not one of {', '.join((*_COSTLY, *sorted(WITH_ALTERNATIVES)))}; the free ones are always on"
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
        self_report=_self_report(attempt["record"]),
    )


def _self_report(record: Record | None) -> float | None:
    """What a schema with a `confidence` field made the model say of itself; an input, never a verdict."""
    stated = (record or {}).get("confidence")
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None


async def observe_costly(work: Work, seen: Observed, asking: Asking) -> tuple[Observed, list[Call]]:
    """What the run asks further models about a cheap record, beside what was seen, and the calls it took."""
    attempt, context = work.attempt, work.context
    bill: list[Call] = []
    if attempt["record"] is None or attempt["tier"] != "cheap":
        return seen, bill
    # what code computes would agree with itself
    seen = replace(seen, record=work.task.shown(attempt["record"]))
    for name in read_signals(context):
        if name == "agreement":
            others, calls = await read_again(work, asking, model=context.agreement_model, sampled=False)
            seen = replace(seen, second_record=others[0])
        elif name == "self_consistency":
            others, calls = await read_again(
                work, asking, model=attempt["model"], count=SAMPLES, sampled=True
            )
            seen = replace(seen, samples=others)
        else:
            votes, calls = await _verifications(work, asking)
            seen = replace(seen, verifications=votes)
        bill += calls
    return seen, bill


async def read_again(
    work: Work, asking: Asking, *, model: str, sampled: bool, count: int = 1
) -> tuple[list[Record | None], list[Call]]:
    """Further records: of another model as it is, or of one that has read the document already, sampled."""
    update = {"cheap_model": model} | ({"temperature": SAMPLING_TEMPERATURE} if sampled else {})
    other = replace(work, context=work.context.model_copy(update=update))
    numbers = range(1, count + 1) if sampled else [0]
    attempts = await asyncio.gather(
        *(attempt_record(other, replace(asking, sample=number), "cheap") for number in numbers)
    )
    return [a["record"] and work.task.shown(a["record"]) for a in attempts], _as_verifying(
        call for a in attempts for call in a["calls"]
    )


async def _verifications(work: Work, asking: Asking) -> tuple[list[bool | None], list[Call]]:
    """The cheap model's own answers to "is this record right?", sampled."""
    attempt = work.attempt
    sampled = work.context.model_copy(update={"temperature": SAMPLING_TEMPERATURE})
    prompt = await prompt_for(work.task, "verify", attempt["model"], sampled, _VERDICT)
    question = prompt.about(
        work.state,
        usd_left=usd_left(work.state, work.context),
        record=compact(work.task.shown(attempt["record"] or {})),
    )
    answers = await asyncio.gather(
        *(ask(question, replace(asking, sample=number)) for number in range(1, VERIFICATIONS + 1))
    )
    votes = [None if answer.record is None else bool(answer.record["right"]) for answer in answers]
    return votes, _as_verifying(call for answer in answers for call in answer.calls)


def _as_verifying(calls: Iterable[Call]) -> list[Call]:
    return [{**call, "kind": "verify"} for call in calls]


# ---- what it amounts to


async def find_policy(work: Work, asking: Asking) -> ThresholdCascade | None:
    """The policy calibrated for exactly this task, prompt and model; another one is passed over, with a note."""
    attempt, task = work.attempt, work.task
    policy = await work.runtime.policies.of(task.name, work.context.policy)
    if policy is None or attempt["tier"] != "cheap" or attempt["record"] is None:
        return None
    if _is_for(policy, task, attempt):
        return policy
    binding = policy.score.binding  # type: ignore[attr-defined]  # as in `_is_for`
    asking.run.tally.notes.add(
        f"the calibration of {task.name} was made for {binding.model} and prompt {binding.prompt_version}, not for "
        f"{name_at_address(attempt['model'])} and {attempt['prompt_version']}: it is passed over; run `cupel calibrate` again"
    )
    return None


def _is_for(policy: ThresholdCascade, task: TaskSpec, attempt: Attempt) -> bool:
    binding = policy.score.binding  # type: ignore[attr-defined]  # a Calibration: the runtime read it as one
    return (binding.task, binding.prompt_version, binding.model) == (
        task.name,
        attempt["prompt_version"],
        name_at_address(attempt["model"]),
    )


def measure(work: Work, seen: Observed, policy: ThresholdCascade | None) -> dict[str, float | None]:
    """Every signal that is noted: the plain rule's, the free ones, those asked for, and those the policy reads."""
    names = (*FREE, *read_signals(work.context), *(policy.signals if policy else ()))
    basic = basic_signals(work.attempt, work.task)
    noted = {name: value for name, value in work.attempt["signals"].items() if name in TOKEN_SIGNALS}
    return {**basic, **compute_signals(seen, tuple(dict.fromkeys(names))), **noted}


def basic_signals(attempt: Attempt, task: TaskSpec) -> dict[str, float | None]:
    """The plain rule's signals: does it fit the schema, do the quotes stand in the text, are the fields filled.

    Each is in [0, 1]; `quotes_grounded` is None for a record without quotes. Of a task that asks its questions back
    there is `confirmed` too: the share that leads back to the quote, None where none could be asked. Cost: no call.
    """
    record, evidence = attempt["record"], attempt["evidence"]
    if record is None:
        return {"schema_valid": 0.0, "quotes_grounded": None, "fields_filled": 0.0}
    grounded = [is_grounded(entry["match"]) for entry in evidence]
    filled = [record.get(name) not in _EMPTY for name in task.must_fill]
    signals = {
        "schema_valid": 1.0,
        "quotes_grounded": sum(grounded) / len(grounded) if grounded else None,
        "fields_filled": sum(filled) / len(filled) if filled else 1.0,
    }
    return signals if task.asks_back is None else {**signals, "confirmed": share_confirmed(record, task)}


def weigh(work: Work, signals: Mapping[str, float | None], policy: ThresholdCascade | None) -> Doubt:
    """What the signals amount to: by the calibrated policy where there is one, else by the plain rule."""
    doubt = plain_rule(work, agreement=signals.get("agreement"))
    if policy is None:
        return doubt
    calibrated = apply_policy(policy, signals, score=doubt["score"])
    # what code knows to be wrong is in doubt however sure the signals are
    faults = _certain_doubts(work)
    return {
        **calibrated,
        "in_doubt": calibrated["in_doubt"] or bool(faults),
        "doubts": [*calibrated["doubts"], *faults],
    }


def plain_rule(work: Work, *, agreement: float | None = None) -> Doubt:
    """The rule before any calibration: accept what fits the schema, is grounded and complete.

    The score is the product of the basic signals and the agreement; it is raw and says nothing about probability.
    """
    attempt, task = work.attempt, work.task
    doubts = [
        *_record_doubts(attempt), *_quote_doubts(attempt), *_gaps(attempt, task), *_certain_doubts(work)
    ]  # fmt: skip
    score = 1.0
    for value in (*basic_signals(attempt, task).values(), agreement):
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


def _certain_doubts(work: Work) -> list[str]:
    record, evidence, state = work.attempt["record"], work.attempt["evidence"], work.state
    if record is None:
        return []
    inputs = state.get("meta") or {}
    return [
        fault for _, fault in certain_faults(record, work.task, evidence, text=state["text"], inputs=inputs)
    ]


def _gaps(attempt: Attempt, task: TaskSpec) -> list[str]:
    record = attempt["record"]
    if record is None:
        return []
    return [f"/{name} is empty" for name in task.must_fill if record.get(name) in _EMPTY]


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
    return Doubt(
        score=score,
        confidence=confidence,
        calibrated=confidence is not None,
        in_doubt=bool(doubts),
        doubts=doubts,
    )


async def rate_fields(work: Work, signals: Mapping[str, float | None]) -> dict[str, float | None]:
    """`confidence/<field>` for every field that was calibrated by itself, for this prompt and model."""
    attempt, task = work.attempt, work.task
    if work.context.policy == "none" or attempt["tier"] != "cheap" or attempt["record"] is None:
        return {}
    policies = await work.runtime.policies.of_fields(task.name)
    return {
        f"confidence/{name}": policy.decide(signals).confidence
        for name, policy in policies.items()
        if _is_for(policy, task, attempt)
    }
