"""Ask a model for a record that fits a schema, repair the reply once, else say why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cupel.context import RunContext
from cupel.engine.requests import Request, Response
from cupel.engine.run import Asking
from cupel.engine.runtime import current
from cupel.errors import (
    BadRequestError,
    CircuitOpenError,
    CupelError,
    DocumentBudgetError,
    ProviderLimitError,
    ProviderOutageError,
    ProviderRefusedError,
    RecordingMissingError,
    StopRunError,
)
from cupel.models import CallSettings, Token, asked_of, is_unproven
from cupel.state import Call, Record
from cupel.task import Message, RecordCheck, Template, fit_of, neutralise, read_record, render, sent_schema

ErrorKind = Literal["schema", "refusal", "provider"]
QuestionKind = Literal["extract", "verify", "answer", "judge", "refine", "improve", "compare"]
LONGEST_SHOWN = 4_000

Read = tuple[Record | None, str | None, ErrorKind | None, Record | None]
"""What a reply holds: the record, or what is wrong and of what kind; and the record in the form it was sent in."""


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
    alternatives: int = 0
    usd_left: float | None = None
    prompt_version: str = ""
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
    reply: str = ""
    """What the model said, where there is a record of it."""

    wire: Record | None = None
    """The record as it stands in the reply: in the form the schema was sent in."""

    tokens: Sequence[Token] | None = None
    """Those of the reply, where the provider told them."""

    fallback_for: str | None = None
    away: CupelError | None = None
    """What kept the provider from answering at all, where that may pass: an outage, or a daily limit."""
    provider_cause: str | None = None
    """Why there is no record, where that is the provider's doing and not the document's."""


async def ask(question: Question, asking: Asking) -> Answer:
    """A record from one model, with one repair; an outage may be bridged by the fallback model.

    Failures of this document come back as data. Only what must end the run is raised: a refused key, a
    reached budget, a provider that stays away, a machine that is short of something, a broken run log.
    """
    runtime = await current()
    models = [asked_of(model) for model in dict.fromkeys((question.model, question.fallback_model)) if model]
    circuits = [runtime.calls.circuits.of(model) for model in models]
    others_answered = 0
    while True:
        asked_at = runtime.calls.circuits.now()
        answer = await _ask_or_stand_in(question, asking)
        if answer.away is None or not asking.run.stops:
            return answer
        # a call that was sent and failed while others were answered says something about its document; but once may be
        # the moment in which the provider went away
        was_sent = not isinstance(answer.away, ProviderLimitError | CircuitOpenError)
        if was_sent and any(circuit.has_answered_since(asked_at) for circuit in circuits):
            others_answered += 1
            if others_answered > 1:
                return answer
            continue
        async with asking.seat.up() if asking.seat else nullcontext():
            again = await runtime.patience.outlast(
                models, answer.away, document=question.doc_id, stopping=asking.run.stopping
            )
        if not again:
            return answer


async def _ask_or_stand_in(question: Question, asking: Asking) -> Answer:
    answer = await _ask_one(question, asking)
    stands_by = question.fallback_model and question.fallback_model != question.model
    if not (stands_by and isinstance(answer.away, ProviderOutageError)):
        return answer
    bridged = await _ask_one(replace(question, model=question.fallback_model, fallback_model=""), asking)
    return replace(bridged, fallback_for=question.model, calls=[*answer.calls, *bridged.calls])


async def _ask_one(question: Question, asking: Asking) -> Answer:
    """What one model makes of it; of the errors those that are no document's are raised."""
    try:
        return await _recall(question, asking) or await _ask(question, asking)
    except (ProviderOutageError, ProviderLimitError) as away:
        return replace(_unanswered(question, asking, away), away=away)
    except (BadRequestError, DocumentBudgetError, RecordingMissingError) as error:
        return _unanswered(question, asking, error)
    except (ProviderRefusedError, StopRunError) as error:
        if asking.run.stops:
            raise
        return _unanswered(question, asking, error)


def _unanswered(question: Question, asking: Asking, error: CupelError) -> Answer:
    """No record, and whose doing that is: the document's where it is too long, filtered, or has no money left."""
    own = error.of_document if isinstance(error, BadRequestError) else isinstance(error, DocumentBudgetError)
    said = asking.tell(error)
    return Answer(
        model=question.model, error=said, error_kind="provider", provider_cause=None if own else said
    )


async def _ask(question: Question, asking: Asking) -> Answer:
    first = await _send(question, asking, question.messages, question.kind)
    record, problem, kind, wire = _read(first, question)
    calls, last, away = [first.call()], first, None
    if problem is not None and kind == "schema":
        try:
            last = await _send(question, asking, _repair_messages(question, first, problem), "repair")
        except (ProviderOutageError, ProviderLimitError) as error:
            problem, away = f"{problem}; the repair failed: {asking.tell(error)}", error
        except (BadRequestError, DocumentBudgetError, RecordingMissingError) as error:
            problem = f"{problem}; the repair failed: {asking.tell(error)}"
        else:
            calls.append(last.call())
            record, problem, kind, wire = _read(last, question)
    return _answer(question, last, calls, (record, problem, kind, wire), away=away)


async def _recall(question: Question, asking: Asking) -> Answer | None:
    """What an earlier try of this document has paid for, where it is of use; None where it has to be asked."""
    if not asking.recalls:
        return None
    calls = (await current()).calls
    for retry in range(asking.retry):
        earlier = replace(asking, retry=retry)
        first = await calls.recall(_request(question, earlier, question.messages, question.kind))
        if first is None:
            continue
        read = _read(first, question)
        if read[0] is not None:
            return _answer(question, first, [first.call()], read)
        if read[1] is not None and read[2] == "schema":
            again = _repair_messages(question, first, read[1])
            repaired = await calls.recall(_request(question, earlier, again, "repair"))
            if repaired is not None and (read := _read(repaired, question))[0] is not None:
                return _answer(question, repaired, [first.call(), repaired.call()], read)
    return None


def _answer(
    question: Question,
    last: Response,
    calls: list[Call],
    read: Read,
    *,
    away: CupelError | None = None,
) -> Answer:
    found = read[0] is not None and last.stored.tokens is not None
    return Answer(
        record=read[0],
        error=read[1],
        error_kind=read[2],
        calls=calls,
        reply=last.stored.text if found else "",
        wire=read[3],
        tokens=last.stored.tokens if found else None,
        model=question.model,
        away=away,
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
            alternatives=question.alternatives if question.logprobs else 0,
        ),
        max_retries=context.max_retries,
        asking=asking,
        usd_left=question.usd_left,
        prompt_version=question.prompt_version,
        has_fallback=bool(question.fallback_model),
    )


def _repair_messages(question: Question, reply: Response, problem: str) -> list[Message]:
    """The same request, the bad reply, and what is wrong with it."""
    asked = render(question.repair.user, {"error": neutralise(problem, question.repair.tags)}).strip()
    if is_unproven(question.model):
        # a server of one's own may have passed over the schema without a word: now it reads it
        asked += f"\n\nThe schema:\n{sent_schema(question.schema)[1]}"
    shown = (reply.stored.text or "(empty reply)")[:LONGEST_SHOWN]
    return [*question.messages, {"role": "assistant", "content": shown}, {"role": "user", "content": asked}]


def _read(reply: Response, question: Question) -> Read:
    stored = reply.stored
    if stored.refusal or stored.finish_reason == "content_filter":
        return (
            None,
            f"the model refused: {stored.refusal or 'stopped by the content filter'}",
            "refusal",
            None,
        )
    if stored.finish_reason == "length":
        return None, "the reply was cut off at the output limit; be briefer", "schema", None
    fit, records = fit_of(question.schema), list[tuple[Any, Any]]()

    def problem_of(value: Any) -> str | None:
        record, problem = fit.read(value)
        if problem is None and question.check is not None:
            problem = question.check(record)
        records.append((value, record))
        return problem

    reading = read_record(stored.text, problem_of, document=question.text)
    if reading.record is None:
        return None, reading.problem, "schema", None
    # the value as the schema has it, brought back from the form it was sent in
    return next(record for value, record in records if value == reading.record), None, None, reading.record
