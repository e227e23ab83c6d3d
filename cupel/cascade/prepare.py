"""What is known of a document before any model is asked: usable or not, its id, language and windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from cupel.engine import DEFAULT_TASK, current
from cupel.errors import TaskError
from cupel.state import RunState
from cupel.task import TaskSpec
from cupel.text import document_id, language_if_ready, split_windows, usable_text


class Prepared(TypedDict):
    """What `prepare_document` finds out."""

    text: str
    doc_id: str
    task: str
    language: str | None
    """As far as detected: loading the detector is left to `finish`, after the first requests."""

    windows: list[list[int]]
    problem: str | None


async def prepare_document(document: Mapping[str, Any]) -> Prepared:
    """Check a document's text and inputs, name it, and cut a long text into windows.

    The text is never changed, only decoded where a column holds bytes. A `problem` says why a document
    cannot be used at all, an unknown or broken task included.
    """
    text, problem = usable_text(document.get("text"))
    name = document.get("task") or DEFAULT_TASK
    windows: list[tuple[int, int]] = []
    try:
        task = await (await current()).task(document)
    except TaskError as error:
        problem = problem or str(error)
    else:
        name = task.name
        problem = problem or missing_input(document, task)
        if problem is None:
            windows = split_windows(text, task.window.max_chars, task.window.overlap_chars)
    return {
        "text": text,
        "doc_id": document.get("doc_id") or document_id(text, document.get("meta")),
        "task": name,
        "language": language_if_ready(text) if problem is None else None,
        "windows": [list(window) for window in windows],
        "problem": problem,
    }


async def begin(document: Mapping[str, Any]) -> RunState:
    """The state of a document that was prepared, for those who ask about it outside the graph."""
    told = await prepare_document(document)
    return RunState(
        text=told["text"], task=told["task"], doc_id=told["doc_id"], meta=dict(document.get("meta") or {}),
        windows=told["windows"], problem=told["problem"], language=told["language"],
        attempts=[], verdicts=[], addenda=[], path=["prepare"],
    )  # fmt: skip


def missing_input(document: Mapping[str, Any], task: TaskSpec) -> str | None:
    """The first further input the task needs and the document does not bring, in words."""
    given = document.get("meta") or {}
    missing = next((name for name in task.inputs if given.get(name) in (None, "")), None)
    if missing is None:
        return None
    return f"task {task.name!r} needs the input {missing!r}, which this document does not have"
