"""Checked by asking: a model that is shown a record's questions alone looks up the answers, and code compares where they stand.

Whoever wrote question and quote saw both; a question that leads somebody else to another passage, or to none, does not
belong to its quote. The cheap model is asked, in one request for the whole record (docs/decisions/0058).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from cupel.cascade.prompt import prompt_for
from cupel.cascade.routes import usd_left
from cupel.cascade.work import Work, as_whole
from cupel.engine import Answer, Asking, ask
from cupel.state import Attempt, Call, FindingRecord, Found, RunState
from cupel.task import CONFIRMED, TaskSpec, object_schema
from cupel.text import Grounder, Span, grounder_of, is_same_passage, span_of

ANSWERS = object_schema(
    {
        "answers": {
            "type": "array",
            "items": object_schema({"number": {"type": "integer"}, "quote": {"type": ["string", "null"]}}),
        }
    }
)
"""What the model that is asked back fills in."""

_MOST_PLACES = 20
"""Places of one passage that are looked at: a refrain stands in a text a few times, a lone word hundreds."""


class AskedItem(NamedTuple):
    """An item whose question is asked back."""

    pointer: str
    question: str
    span: Span | None
    """Where its own quote stands."""

    confirmed: bool | None


async def confirm(work: Work, asking: Asking) -> Work:
    """The document with its latest record asked back, the calls on its bill; the same where the task asks nothing back."""
    if work.task.asks_back is None or work.attempt["record"] is None:
        return work
    found, calls = await ask_back(work, asking)
    attempt: Attempt = {**work.attempt, "found": found, "calls": [*work.attempt["calls"], *calls]}
    state: RunState = {**work.state, "attempts": [*work.state["attempts"][:-1], attempt]}
    record = as_whole(work.attempt["record"], attempt["evidence"], work.task, state)
    whole: Attempt = {**attempt, "record": record}
    state = {**state, "attempts": [*work.state["attempts"][:-1], whole]}
    return replace(work, state=state, edited=[whole] if work.edited else ())


async def ask_back(work: Work, asking: Asking) -> tuple[list[Found], list[Call]]:
    """Where a model that sees the questions of the latest record alone finds their answers, and the calls it took.

    A question whose answer could not be had (no model, no reply, no entry, words that do not stand in the document)
    is left out: it is neither confirmed nor not.
    """
    items = list(read_items(work))
    questions = list(dict.fromkeys(item.question for item in items))
    model = work.runtime.models(work.context).cheap
    if not questions or not model:
        return [], []
    answer = await _ask(work, model, questions, asking)
    calls: list[Call] = [{**call, "kind": "answer"} for call in answer.calls]
    return list(_read_answers(answer, questions, items, grounder_of(work.state["text"]))), calls


async def _ask(work: Work, model: str, questions: list[str], asking: Asking) -> Answer:
    prompt = await prompt_for(work.task, "answer", model, work.context, ANSWERS)
    question = prompt.about(
        work.state,
        usd_left=usd_left(work.state, work.context),
        questions="\n".join(
            f"{number}. {' '.join(each.split())}" for number, each in enumerate(questions, 1)
        ),
    )
    return await ask(replace(question, fallback_model=work.runtime.models(work.context).fallback), asking)


def read_items(work: Work) -> Iterator[AskedItem]:
    """The items of the latest record that ask something, in its order."""
    declared, record = work.task.asks_back, work.attempt["record"]
    if declared is None or record is None:
        return
    name = declared.path.partition("/")[0]
    spans = {entry["path"]: span_of(entry) for entry in work.attempt["evidence"]}
    for index, item in enumerate(record.get(name) or []):
        question, pointer = item.get(declared.of["question"]), f"/{name}/{index}"
        if isinstance(question, str) and question.strip():
            own = spans.get(f"{pointer}/{declared.of['answer']}")
            yield AskedItem(pointer, question, own, item.get(declared.path.rpartition("/")[2]))


def _read_answers(
    answer: Answer, questions: list[str], items: list[AskedItem], grounder: Grounder
) -> Iterator[Found]:
    """Where each answer stands, of the first entry for each question; a number that is no question's answers none."""
    entries = answer.record["answers"] if answer.record is not None else []
    quotes = {entry["number"]: entry["quote"] for entry in reversed(entries)}
    for number, question in enumerate(questions, 1):
        if number not in quotes:
            continue
        quote = quotes[number]
        if quote is None or not quote.strip():
            yield Found(question=question, start=None, end=None)
            continue
        wanted = [item.span for item in items if item.question == question and item.span is not None]
        if (span := _place(quote, wanted, grounder)) is not None:
            yield Found(question=question, start=span[0], end=span[1])


def _place(quote: str, wanted: list[Span], grounder: Grounder) -> Span | None:
    """Where a passage stands: of several places the one that an item quotes; None where it is not the document's."""
    places: list[Span] = []
    while len(places) < _MOST_PLACES:
        span = _next_place(quote, places, grounder)
        if span is None or span in places:
            break
        if any(is_same_passage(own, span) for own in wanted):
            return span
        places.append(span)
    return places[0] if places else None


def _next_place(quote: str, used: list[Span], grounder: Grounder) -> Span | None:
    """The next place of a passage that was not looked at; an altered one counts, as it still points somewhere."""
    found = grounder.ground(quote, used=used)
    return None if found.start is None or found.end is None else (found.start, found.end)


def share_confirmed(record: Mapping[str, Any] | None, task: TaskSpec) -> float | None:
    """The share of a record's questions that lead back to their quotes, in [0, 1]; None where none was asked."""
    declared = task.asks_back
    if declared is None or record is None:
        return None
    name, _, field = declared.path.partition("/")
    told = [item.get(field) for item in record.get(name) or []]
    known = [value for value in told if value is not None]
    return sum(known) / len(known) if known else None


def list_unconfirmed(work: Work) -> list[FindingRecord]:
    """What asking back holds against the latest record: a finding for each item it did not confirm.

    No certain fault: the model that was asked may have missed the passage. Judge and refiner hear of it and decide.
    """
    found = {each["question"]: span_of(each) for each in work.attempt.get("found", ())}
    return [
        FindingRecord(
            criterion=CONFIRMED, finding="fail", reasoning=_say(item, found.get(item.question), work.state["text"]),
            evidence_quote=None, quote_match=None,
        )
        for item in read_items(work)
        if item.confirmed is False
    ]  # fmt: skip


_SHOWN = 160


def _say(item: AskedItem, other: Span | None, text: str) -> str:
    asked = f"{item.pointer}: asked {item.question!r} alone, another reader finds "
    if other is None:
        return f"{asked}no answer in the document"
    words = " ".join(text[other[0] : other[1]].split())
    return f"{asked}another passage: {words if len(words) <= _SHOWN else words[: _SHOWN - 1] + '…'!r}"


def tell_unconfirmed(work: Work) -> str:
    """The same for a judge, to stand behind the record; empty where there is nothing to tell."""
    told = [f"- {finding['reasoning']}" for finding in list_unconfirmed(work)]
    if not told:
        return ""
    return "\n".join(
        ["", "", "Checked by asking, with the questions alone (the other reader may be wrong):", *told]
    )
