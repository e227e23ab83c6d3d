"""One attempt of one tier at one document: asked window by window, merged, and grounded in the text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel._memo import Kept
from cupel.context import RunContext
from cupel.engine import (
    Answer,
    Place,
    Question,
    ask,
    ask_packed,
    current,
    current_place,
    current_retry,
    current_sample,
)
from cupel.models import capabilities
from cupel.runlog import PromptVersion, cost_of
from cupel.state import AddendumRecord, Attempt, Evidence, Record, RunState, Tier, calls_of
from cupel.task import TaskSpec, Template, messages, prompt_version, sent_schema, stable_values, template_of
from cupel.text import WindowRecord, ground_record, merge_windows, shift, wrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of a task as a given model gets it, and the version it has."""

    template: Template
    stable: Mapping[str, str]
    noted: PromptVersion
    """As the run log has it."""

    @property
    def version(self) -> str:
        """Hash of all that is sent besides the document."""
        return self.noted.version


_prompts = Kept[Prompt]()


@dataclass(frozen=True, slots=True)
class _Try:
    """Which attempt of the document this is."""

    number: int
    tier: Tier
    addendum: AddendumRecord | None


async def prompt_for(
    task: TaskSpec, kind: str, model: str, context: RunContext, schema: Mapping[str, Any]
) -> Prompt:
    """The prompt of a task for a model, noted in the run log under its version."""
    prompt = _prompts.of(
        (task, context, schema), kind, model, make=lambda: _prompt(task, kind, model, context, schema)
    )
    await (await current()).run_log.note_prompt(prompt.noted)
    return prompt


def _prompt(task: TaskSpec, kind: str, model: str, context: RunContext, schema: Mapping[str, Any]) -> Prompt:
    override = {
        "extract": context.extract_prompt,
        "judge": context.judge_prompt,
        "refine": context.refine_prompt,
    }
    template = template_of(task, kind, override.get(kind, ""))
    in_text = capabilities(model).structured != "json_schema"
    stable = stable_values(task, schema=schema if in_text else None, output_language=context.output_language)
    noted = PromptVersion(
        version=prompt_version(template, stable, schema),
        task=task.name,
        kind=kind,
        system=template.system,
        user=template.user,
        schema=sent_schema(schema)[1],
    )
    return Prompt(template=template, stable=stable, noted=noted)


async def attempt_record(state: RunState, task: TaskSpec, context: RunContext, tier: Tier) -> Attempt:
    """Ask one tier's model for a record of the whole document.

    A failure of any window fails the attempt with that reason: half a document is not its record.
    """
    runtime = await current()
    models = runtime.models(context)
    model = models.cheap if tier == "cheap" else models.strong
    number = max((attempt["number"] for attempt in state["attempts"]), default=0) + 1
    try_ = _Try(number, tier, latest_addendum(state, tier))
    if not model:
        return _no_model(try_)
    prompt = await prompt_for(task, "extract", model, context, task.schema)
    asking = _Asking(
        task=task,
        context=context,
        model=model,
        fallback=models.fallback,
        prompt=prompt,
        addendum=try_.addendum,
    )
    questions = [_question(window, state, asking) for window in state["windows"]]
    place = current_place.get()
    packed = None
    if place is not None and tier == "cheap" and number == 1 and len(questions) == 1:
        packed = await _ask_packed(place, questions[0], task, context)
    if packed is not None and packed[0].record is not None:
        answers, version = [packed[0]], packed[1]
    else:
        answers, version = await asyncio.gather(*map(ask, questions)), prompt.version
    record, evidence = _merge(task, state, answers)
    attempt = _attempt(try_, version, answers, record, evidence)
    if packed is not None and packed[0].record is None:  # paid for, though it was asked alone in the end
        attempt["calls"] = [*packed[0].calls, *attempt["calls"]]
    return attempt


async def _ask_packed(
    place: Place, own: Question, task: TaskSpec, context: RunContext
) -> tuple[Answer, str] | None:
    """The document's part of the answer about its pack; None for one that is asked anew, or another sample."""
    if current_retry.get() or current_sample.get():
        return None
    return await ask_packed(place, own, task, context)


def latest_addendum(state: RunState, tier: Tier) -> AddendumRecord | None:
    """The instructions the next attempt of this tier gets, if it was refined."""
    written = [addendum for addendum in state["addenda"] if addendum["tier"] == tier]
    return written[-1] if written else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """What the questions about all windows of a document share."""

    task: TaskSpec
    context: RunContext
    model: str
    fallback: str
    prompt: Prompt
    addendum: AddendumRecord | None


def _question(window: list[int], state: RunState, asking: _Asking) -> Question:
    text = state["text"][window[0] : window[1]]
    doc_id = state.get("doc_id", "")
    task, addendum, left = asking.task, asking.addendum, usd_left(state, asking.context)
    varying = {
        **{name: str((state.get("meta") or {}).get(name, "")) for name in task.inputs},
        "document": wrap(text, doc_id),
        "addendum": "\n".join(f"- {line}" for line in addendum["instructions"]) if addendum else "",
    }
    return Question(
        kind="extract",
        model=asking.model,
        messages=messages(asking.prompt.template, asking.prompt.stable, varying),
        schema=task.schema,
        schema_name="record",
        doc_id=doc_id,
        text=text,
        context=asking.context,
        repair=template_of(task, "repair"),
        fallback_model=asking.fallback,
        logprobs=capabilities(asking.model).logprobs,
        usd_left=None if left is None else left / len(state["windows"]),
    )


def _merge(task: TaskSpec, state: RunState, answers: list[Answer]) -> tuple[Record | None, list[Evidence]]:
    if any(answer.record is None for answer in answers):
        return None, []
    text = state["text"]
    parts = []
    for (start, end), answer in zip(state["windows"], answers, strict=True):
        record = answer.record or {}
        parts.append(WindowRecord(record, shift(ground_record(record, task.schema, text[start:end]), start)))
    return merge_windows(task, parts)


def _attempt(
    try_: _Try,
    version: str,
    answers: list[Answer],
    record: Record | None = None,
    evidence: Sequence[Evidence] = (),
) -> Attempt:
    failed = next((answer for answer in answers if answer.record is None), None)
    logprobs = [value for answer in answers for value in answer.logprobs or ()]
    return Attempt(
        number=try_.number,
        tier=try_.tier,
        round=try_.addendum["round"] if try_.addendum else 0,
        model=answers[0].model,
        fallback_for=next((answer.fallback_for for answer in answers if answer.fallback_for), None),
        prompt_version=version,
        record=record,
        error=failed.error if failed else None,
        error_kind=failed.error_kind if failed else None,
        evidence=list(evidence),
        logprobs=logprobs or None,
        calls=[call for answer in answers for call in answer.calls],
        signals={},
        score=None,
        confidence=None,
        calibrated=False,
        in_doubt=False,
        doubts=[],
    )


def _no_model(try_: _Try) -> Attempt:
    nobody = Answer(
        record=None,
        error=f"no {try_.tier} model is attached; set one with --{try_.tier}-model, or a provider's key",
        error_kind="provider",
        calls=[],
        logprobs=None,
        model="none",
        fallback_for=None,
    )
    return _attempt(try_, "", [nobody])


def usd_left(state: RunState, context: RunContext) -> float | None:
    """What the document may still cost; None without a limit of its own."""
    if context.max_usd_per_document is None:
        return None
    return context.max_usd_per_document - (cost_of(call for _, call in calls_of(state)) or 0.0)
