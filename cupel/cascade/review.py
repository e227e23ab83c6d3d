"""A document shown to a person, and what the person answered; in the Agent Inbox shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cupel.cascade.routes import failures_of
from cupel.state import Record, Review, RunState
from cupel.task import TaskSpec, schema_problem
from cupel.text import ground_record


def review_request(state: RunState) -> dict[str, Any]:
    """The question: the latest record as an action to accept, edit, answer in words, or ignore."""
    records = [attempt["record"] for attempt in state["attempts"] if attempt["record"] is not None]
    return {
        "action_request": {
            "action": f"accept_{state.get('task', 'record')}",
            "args": records[-1] if records else {},
        },
        "config": {
            "allow_accept": bool(records),
            "allow_edit": True,
            "allow_respond": True,
            "allow_ignore": True,
        },
        "description": _describe(state),
    }


def _describe(state: RunState) -> str:
    lines = [f"Document {state.get('doc_id', '')}: nothing else is left to try.", ""]
    if state["verdicts"]:
        verdict = state["verdicts"][-1]
        lines += [f"The judge: {verdict['verdict']}. {verdict['reason']}"]
        failures = failures_of([*verdict["code_findings"], *verdict["findings"]])
        lines += [f"- {item['criterion']}: {item['reasoning']}" for item in failures]
    lines += [
        f"- in doubt: {doubt}" for doubt in (state["attempts"][-1]["doubts"] if state["attempts"] else [])
    ]
    return "\n".join(lines)


def read_answer(answer: Any, state: RunState, task: TaskSpec) -> Review:
    """What the person answered; an edited record is checked and grounded like any other.

    Takes the Agent Inbox's list of one response, that response alone, or a plain `"accept"`/`"ignore"`.
    What cannot be understood is kept as a note, and the document still needs review.
    """
    response = answer[0] if isinstance(answer, list) and answer else answer
    if isinstance(response, str):
        response = {"type": response}
    if not isinstance(response, Mapping):
        return _note(f"an answer that could not be read: {response!r}")
    kind, args = response.get("type"), response.get("args")
    if kind == "accept":
        return _accept(state)
    if kind == "edit":
        return _edit(args, state, task)
    if kind in ("response", "respond"):
        return {"action": "respond", "record": None, "evidence": [], "note": str(args or "")}
    if kind == "ignore":
        return {"action": "ignore", "record": None, "evidence": [], "note": ""}
    return _note(f"an answer of unknown type {kind!r}; use accept, edit, response or ignore")


def _accept(state: RunState) -> Review:
    latest = next((a for a in reversed(state["attempts"]) if a["record"] is not None), None)
    if latest is None:
        return _note("accepted, but there is no record to accept")
    return {"action": "accept", "record": latest["record"], "evidence": latest["evidence"], "note": ""}


def _edit(args: Any, state: RunState, task: TaskSpec) -> Review:
    record: Record | Any = args.get("args", args) if isinstance(args, Mapping) and "action" in args else args
    problem = schema_problem(record, task.schema)
    if problem is None and task.check is not None:
        problem = task.check(record)
    if problem is not None:
        return _note(f"the edited record {problem}")
    evidence = ground_record(record, task.schema, state["text"])
    return {"action": "edit", "record": record, "evidence": evidence, "note": ""}


def _note(note: str) -> Review:
    return {"action": "ignore", "record": None, "evidence": [], "note": note}
