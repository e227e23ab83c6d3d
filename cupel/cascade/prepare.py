"""What is known of a document before any model is asked: usable or not, its id, language and windows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime as Served
from typing_extensions import TypedDict

from cupel.context import RunContext
from cupel.engine import DEFAULT_TASK, Asking, current
from cupel.errors import SettingError, TaskError
from cupel.models import check_models
from cupel.state import RunState
from cupel.task import DATE, TaskSpec, compact, input_text
from cupel.text import document_id, language_if_ready, own_date, split_windows, storable, usable_text


class Prepared(TypedDict):
    """What every later step relies on."""

    text: str
    doc_id: str
    task: str
    language: str | None
    """As far as detected: loading the detector is left to `finish`, after the first requests."""

    windows: list[list[int]]
    problem: str | None


async def find_task(document: Mapping[str, Any], asking: Asking) -> TaskSpec | str:
    """The document's task; in words, why there is none: an unknown or broken one is this document's problem."""
    try:
        return await (await current()).task(document, asking)
    except TaskError as error:
        return asking.tell(error)


_KINDS: Mapping[str, tuple[type, str]] = {
    "doc_id": (str, 'give your id as text, such as "a1"'),
    "task": (str, 'name a folder of prompts/ as text, such as "arguments"'),
    "meta": (dict, 'give further inputs as an object, such as {"topic": "housing"}'),
    "output_schema": (dict, 'give a JSON Schema as an object, such as {"type": "object", "properties": {…}}'),
    "instructions": (str, "say in a sentence of text what to extract"),
}


def name_task(given: Mapping[str, Any], runtime: Served[RunContext]) -> Mapping[str, Any]:
    """The input with the task that the settings name, where it names none itself."""
    task = getattr(runtime.context, "task", "")
    if not task or given.get("task") or given.get("output_schema"):
        return given
    return {**given, "task": task}


def read_input(given: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The input without the fields that are none; and the first of them, in words with what to give instead.

    >>> read_input({"text": "a", "doc_id": 12})
    ({'text': 'a'}, 'doc_id is 12; give your id as text, such as "a1"')
    """
    strange = [name for name, (kind, _) in _KINDS.items() if not isinstance(given.get(name), kind | None)]
    fault = f"{strange[0]} is {compact(given[strange[0]])[:80]}; {_KINDS[strange[0]][1]}" if strange else None
    read = {name: value for name, value in given.items() if name not in strange}
    return read, fault or _find_conflict(read)


def _find_conflict(given: Mapping[str, Any]) -> str | None:
    """What of the input would have no effect beside the rest, in words, as the command line refuses it."""
    if given.get("task") and given.get("output_schema"):
        return (
            f"task {given['task']!r} and an output_schema are two tasks; leave task out for the one-off task of the "
            "schema, or output_schema for the project's"
        )
    if given.get("instructions") and not given.get("output_schema"):
        return (
            "instructions have no effect without an output_schema; give the schema of a one-off task with them, or leave "
            "them out"
        )
    return None


async def find_setting_fault(runtime: Served[RunContext], asking: Asking) -> str | None:
    """In words, why this document cannot be done under the settings a client sent; a run's were looked at before."""
    if asking.run.stops:
        return None
    try:
        at = await current()
        models = at.models(RunContext.of(runtime))
        if any(model.startswith("gguf:") for model in models.all().values()):
            await asyncio.to_thread(check_models, models, at.env)  # it reads a file's header
        else:
            check_models(models, at.env)
    except SettingError as error:
        return asking.tell(error)
    return None


def check_document(document: Mapping[str, Any], task: TaskSpec | str) -> tuple[str, str | None]:
    """The text, never changed, only decoded where a column holds bytes; and why it cannot be used, if so."""
    text, problem = usable_text(document.get("text"))
    return text, problem or (task if isinstance(task, str) else unusable_input(document, task))


def note_long_inputs(document: Mapping[str, Any], task: TaskSpec, asking: Asking) -> None:
    """Tell once of an input that is longer than a window of the text: every request carries the whole of it."""
    for name in task.inputs:
        if len(_input(document, name) or "") > task.window.max_chars:
            asking.run.tally.notes.add(
                f"the input {name!r} is longer than a window of text of task {task.name!r} ({task.window.max_chars:,} characters), "
                "and every request carries the whole of it"
            )


def unusable_input(document: Mapping[str, Any], task: TaskSpec) -> str | None:
    """The first further input that keeps the document from being done, in words: missing, or no date where one is."""
    own = _input(document, DATE)
    if own is not None and task.computes(DATE) and own_date(own) is None:
        return f"the input {DATE!r} is {own[:40]!r}, no date of ISO 8601; write it as 2025-03-10, 2025-03 or 2025"
    return missing_input(document, task)


def missing_input(document: Mapping[str, Any], task: TaskSpec) -> str | None:
    """The first further input the task needs and the document does not bring, in words."""
    missing = next((name for name in task.required_inputs if _input(document, name) is None), None)
    if missing is None:
        return None
    return f"task {task.name!r} needs the input {missing!r}, which this document does not have"


def _input(document: Mapping[str, Any], name: str) -> str | None:
    return input_text((document.get("meta") or {}).get(name))


def name_and_cut(
    document: Mapping[str, Any], text: str, task: TaskSpec | str, problem: str | None
) -> Prepared:
    """Give a document its stable id, and cut a long text into overlapping windows."""
    windows: list[tuple[int, int]] = []
    if problem is None and isinstance(task, TaskSpec):
        windows = split_windows(text, task.window.max_chars, task.window.overlap_chars)
    return {
        "text": text,
        "doc_id": storable(document.get("doc_id") or "") or document_id(text, document.get("meta")),
        "task": task.name if isinstance(task, TaskSpec) else document.get("task") or DEFAULT_TASK,
        "language": language_if_ready(text) if problem is None else None,
        "windows": [list(window) for window in windows],
        "problem": problem,
    }


async def begin(document: Mapping[str, Any], asking: Asking) -> RunState:
    """The state of a document that was prepared, for those who ask about it outside the graph."""
    task = await find_task(document, asking)
    text, problem = check_document(document, task)
    ready = name_and_cut(document, text, task, problem)
    return RunState(
        text=ready["text"], task=ready["task"], doc_id=ready["doc_id"], meta=dict(document.get("meta") or {}),
        windows=ready["windows"], problem=ready["problem"], language=ready["language"],
        attempts=[], verdicts=[], addenda=[], path=["prepare"],
    )  # fmt: skip
