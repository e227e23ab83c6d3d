"""What can be observed about a cheap record, for free or by further calls; every one of them is billed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from cupel.cascade.extract import attempt_record, prompt_for, usd_left
from cupel.context import RunContext
from cupel.engine import Question, ask, sampling
from cupel.errors import SettingError
from cupel.routing import Observed
from cupel.state import Attempt, Call, Record, RunState
from cupel.task import TaskSpec, compact, messages, template_of
from cupel.text import wrap

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
