"""Ask a model for a record that fits a schema, repair the reply once, else say why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cupel.context import RunContext
from cupel.engine.requests import Request, Response
from cupel.engine.run import Asking
from cupel.engine.runtime import current
from cupel.errors import (
    BadRequestError,
    DocumentBudgetError,
    ProviderOutageError,
    ProviderRefusedError,
    RecordingMissingError,
    StopRunError,
)
from cupel.models import CallSettings
from cupel.state import Call, Record
from cupel.task import Message, RecordCheck, Template, fit_of, neutralise, read_record, render

ErrorKind = Literal["schema", "refusal", "provider"]
QuestionKind = Literal["extract", "verify", "judge", "refine", "improve", "compare"]
LONGEST_SHOWN = 4_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing to ask a model, and how."""

    kind: QuestionKind
    model: str
    messages: list[Message]
    schema: Mapping[str, Any]
    schema_name: str
    doc_id: str
    text: str
    context: RunContext
    repair: Template
    fallback_model: str = ""
    logprobs: bool = False
    usd_left: float | None = None
    check: RecordCheck | None = None
    """What else a record must stand, beside the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A record, or why there is none; the calls it took either way."""

    model: str
    record: Record | None = None
    error: str | None = None
    error_kind: ErrorKind | None = None
    calls: list[Call] = field(default_factory=list)
    logprobs: list[float] | None = None
    fallback_for: str | None = None


async def ask(question: Question, asking: Asking) -> Answer:
    """A record from one model, with one repair; an outage may be bridged by the fallback model.

    Failures of this document come back as data. Only what must end the run is raised: a refused key, a
    reached budget or daily limit, a broken run log.
    """
    try:
        return await _ask(question, asking)
    except ProviderOutageError as outage:
        if question.fallback_model and question.fallback_model != question.model:
            stand_in = replace(question, model=question.fallback_model, fallback_model="")
            answer = await ask(stand_in, asking)
            return replace(answer, fallback_for=question.model)
        return Answer(model=question.model, error=asking.tell(outage), error_kind="provider")
    except (BadRequestError, DocumentBudgetError, RecordingMissingError) as error:
        return Answer(model=question.model, error=asking.tell(error), error_kind="provider")
    except (ProviderRefusedError, StopRunError) as error:
        if asking.run.stops:
            raise
        return Answer(model=question.model, error=asking.tell(error), error_kind="provider")


async def _ask(question: Question, asking: Asking) -> Answer:
    first = await _send(question, asking, question.messages, question.kind)
    record, problem, kind = _read(first, question)
    calls, last = [first.call()], first
    if problem is not None and kind == "schema":
        try:
            last = await _send(question, asking, _repair_messages(question, first, problem), "repair")
        except (BadRequestError, ProviderOutageError, DocumentBudgetError, RecordingMissingError) as error:
            problem = f"{problem}; the repair failed: {asking.tell(error)}"
        else:
            calls.append(last.call())
            record, problem, kind = _read(last, question)
    logprobs = last.stored.logprobs
    return Answer(
        record=record,
        error=problem,
        error_kind=kind,
        calls=calls,
        logprobs=None if logprobs is None else list(logprobs),
        model=question.model,
    )


async def is_answered(question: Question, asking: Asking) -> bool:
    """Whether the run log has the reply to this question already."""
    request = _request(question, asking, question.messages, question.kind)
    return await (await current()).run_log.response(request.key) is not None


async def _send(question: Question, asking: Asking, messages: list[Message], kind: str) -> Response:
    return await (await current()).calls.complete(_request(question, asking, messages, kind))


def _request(question: Question, asking: Asking, messages: list[Message], kind: str) -> Request:
    context = question.context
    return Request(
        kind=kind,
        model=question.model,
        messages=messages,
        schema=question.schema,
        schema_name=question.schema_name,
        doc_id=question.doc_id,
        text=question.text,
        settings=CallSettings(
            timeout_s=context.timeout_s,
            max_output_tokens=context.max_output_tokens,
            temperature=context.temperature,
            logprobs=question.logprobs,
        ),
        max_retries=context.max_retries,
        asking=asking,
        usd_left=question.usd_left,
        has_fallback=bool(question.fallback_model),
    )


def _repair_messages(question: Question, reply: Response, problem: str) -> list[Message]:
    """The same request, the bad reply, and what is wrong with it."""
    asked = render(question.repair.user, {"error": neutralise(problem, question.repair.tags)})
    shown = (reply.stored.text or "(empty reply)")[:LONGEST_SHOWN]
    return [*question.messages, {"role": "assistant", "content": shown}, {"role": "user", "content": asked}]


def _read(reply: Response, question: Question) -> tuple[Record | None, str | None, ErrorKind | None]:
    stored = reply.stored
    if stored.refusal or stored.finish_reason == "content_filter":
        return None, f"the model refused: {stored.refusal or 'stopped by the content filter'}", "refusal"
    if stored.finish_reason == "length":
        return None, "the reply was cut off at the output limit; be briefer", "schema"
    fit, records = fit_of(question.schema), list[tuple[Any, Any]]()

    def problem_of(value: Any) -> str | None:
        record, problem = fit.read(value)
        if problem is None and question.check is not None:
            problem = question.check(record)
        records.append((value, record))
        return problem

    reading = read_record(stored.text, problem_of, document=question.text)
    if reading.record is None:
        return None, reading.problem, "schema"
    # the value as the schema has it, brought back from the form it was sent in
    return next(record for value, record in records if value == reading.record), None, None
