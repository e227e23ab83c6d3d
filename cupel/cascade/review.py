"""A document shown to a person, and what the person's answer makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from cupel.cascade.people import Reply, Turn, read_fields, read_reply
from cupel.cascade.routes import failures_of
from cupel.cascade.work import Work, as_whole
from cupel.context import RunContext
from cupel.runlog import now
from cupel.state import AddendumRecord, Asked, Attempt, Evidence, Record, Review, RunState, Tier
from cupel.task import compact, computed_values, schema_problem
from cupel.text import ground_record, storable

SHOWN_CHARS = 6_000
"""Of the document, in the question; the whole one is in the thread's state."""

INSTRUCTION_CHARS = 2_000
"""Longest instruction a person may give."""


class ReviewUpdate(TypedDict, total=False):
    """The keys this node writes."""

    review: Review | None
    asked: Asked | None
    held: dict[str, Any]
    addenda: list[AddendumRecord]
    path: list[str]


def review_request(state: RunState) -> dict[str, Any]:
    """The question: the latest record as an action to accept, edit, answer in words, or ignore."""
    latest = latest_record(state)
    return {
        "action_request": {
            "action": f"accept_{state.get('task') or 'record'}",
            "args": latest["record"] if latest else {},
        },
        "config": {
            "allow_accept": latest is not None,
            "allow_edit": True,
            "allow_respond": True,
            "allow_ignore": True,
        },
        "description": "\n".join(_describe(state, latest)),
    }


def latest_record(state: RunState) -> Attempt | None:
    """The latest attempt that has a record: the one a person is asked about."""
    return next((a for a in reversed(state["attempts"]) if a["record"] is not None), None)


def _describe(state: RunState, latest: Attempt | None) -> Iterator[str]:
    """The whole case in Markdown: what speaks against the record, the record with its evidence, and the document."""
    asked = state.get("asked")
    if asked is not None and asked["objection"]:
        yield from (f"**Your last answer changed nothing:** {_line(asked['objection'])}", "")
    yield f"# Document {_code(state.get('doc_id') or '')}"
    yield from ("", "Nothing else is left to try: is this record right?")
    yield from _tell_verdict(state)
    doubts = state["attempts"][-1]["doubts"] if state["attempts"] else []
    if doubts:
        yield from ("", "## Doubts", *(f"- {_line(doubt)}" for doubt in doubts))
    yield from ("", "## Record", "")
    if latest is None:
        errors = [f"- {a['tier']} model: {_line(a['error'])}" for a in state["attempts"] if a["error"]]
        yield from ("There is none.", *errors)
    else:
        written = f"{_code(latest['model'])}, {latest['tier']} tier, attempt {latest['number']}"
        yield from (f"By {written}:", "", _block(_json(latest["record"]), "json"))
        yield from _tell_evidence(latest["evidence"])
    yield from ("", "## Document", "")
    text = state["text"]
    yield _block(text[:SHOWN_CHARS], "text")
    if len(text) > SHOWN_CHARS:
        yield f"… and {len(text) - SHOWN_CHARS:,} more characters; the whole text is `text` in the thread's state."


def _tell_verdict(state: RunState) -> Iterator[str]:
    if not state["verdicts"]:
        return
    verdict = state["verdicts"][-1]
    by = f" by {_code(verdict['model'])}" if verdict["model"] else ""
    yield from ("", "## Verdict", f"**{verdict['verdict']}**{by}: {_line(verdict['reason'])}")
    for item in failures_of([*verdict["code_findings"], *verdict["findings"]]):
        quote = f" ({_quoted(item['evidence_quote'])})" if item["evidence_quote"] else ""
        yield f"- {_code(item['criterion'])}: {_line(item['reasoning'])}{quote}"


def _tell_evidence(evidence: Sequence[Evidence]) -> Iterator[str]:
    if not evidence:
        return
    yield from ("", "## Evidence")
    for item in evidence:
        where = "not in the text" if item["start"] is None else f"characters {item['start']}-{item['end']}"
        yield f"- {_code(item['path'])} {item['match']}, {where}: {_quoted(item['quote'])}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _line(text: str | None) -> str:
    """Foreign words on one line, which begin no list, heading or code of their own."""
    return re.sub(r"([\\`*\[\]<>#|])", r"\\\1", " ".join((text or "").split()))


def _quoted(text: str) -> str:
    return f"“{_line(text)}”"


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"


def _block(text: str, language: str) -> str:
    """A fence that nothing in the text ends."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def take_answer(work: Work, turn: Turn, runtime: Runtime[RunContext]) -> ReviewUpdate:
    """What an answer comes to: the outcome's record, an instruction to be tried, or the question asked again.

    Nothing a person said is dropped: what cannot be read or does not fit is told, and asked for once more.
    """
    settings = dict(turn.settings or {})
    reply = read_reply(turn.answer, runtime, work.task.schema.get("properties", {}))
    review = reply if isinstance(reply, str) else read_review(reply, work)
    if isinstance(review, str):
        return {"asked": Asked(settings=settings, objection=review), "held": settings}
    update = ReviewUpdate(review=review, asked=None, held=settings, path=["review"])
    if review["action"] == "respond":
        update["addenda"] = [_instruct(work.state, review)]
    return update


def read_review(reply: Reply, work: Work) -> Review | str:
    """What a person's answer makes of the record; in words, why it makes nothing of it."""
    latest = latest_record(work.state)
    record, evidence = None, []
    if reply.kind == "respond" and len(reply.note) > INSTRUCTION_CHARS:
        return f"an instruction may have {INSTRUCTION_CHARS:,} characters, this one has {len(reply.note):,}"
    action = reply.kind
    if reply.kind in ("accept", "edit"):
        shown = (latest["record"] if latest else None) or {}
        if reply.kind == "accept" and latest is None:
            return "there is no record to accept; give one with an edit, or say what is to be done"
        record = shown if reply.content is None else read_fields(reply.content, shown, work.task.schema)
        action = "edit" if record != shown else reply.kind
        if problem := _problem(record, work):
            return f"the edited record {problem}"
        evidence = ground_record(record, work.task.schema, work.state["text"])
        whole = as_whole(record, evidence, work.task, work.state)
        if problem := _find_overwritten(record, whole, shown, work):
            return f"the edited record {problem}"
        record = whole
    return Review(
        action=action,
        record=record,
        evidence=evidence,
        note=storable(reply.note),
        by=storable(reply.by),
        at=now(),
    )


def _problem(record: Record, work: Work) -> str | None:
    problem = schema_problem(record, work.task.schema)
    return work.task.check(record) if problem is None and work.task.check is not None else problem


def _find_overwritten(record: Record, whole: Record, shown: Record, work: Work) -> str | None:
    """A value that a person wrote where code fills in another, in words: it would have no effect."""
    schema = work.task.schema
    known = [value for one in (whole, shown) for _, value in computed_values(one, schema)]
    for pointer, value in computed_values(record, schema):
        if value is not None and value not in known:
            return f"has {compact(value)} at {pointer}, which code computes; change what it is computed from, and leave it as it is"
    return None


def _instruct(state: RunState, review: Review) -> AddendumRecord:
    """A person's instruction for this document, for the tier whose record they saw."""
    latest = latest_record(state) or (state["attempts"][-1] if state["attempts"] else None)
    tier: Tier = latest["tier"] if latest else "cheap"
    return AddendumRecord(
        tier=tier, round=1 + sum(item["tier"] == tier for item in state["addenda"]),
        after_attempt=latest["number"] if latest else 0, instructions=[review["note"]], criteria=["a person"],
        dropped=[], model=None, calls=[], by=review["by"], at=review["at"],
    )  # fmt: skip
