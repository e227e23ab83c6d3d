"""prepare: make sure there is a text to work on, name it, and cut it into windows."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from cupel.documents import document_id, language_of, split_windows, usable_text
from cupel.errors import TaskError
from cupel.runtime import current
from cupel.state import RunState
from cupel.tasks import TaskSpec


class PrepareUpdate(TypedDict):
    """The keys this node writes."""

    text: str
    doc_id: str
    task: str
    language: str | None
    windows: list[list[int]]
    problem: str | None
    path: list[str]


async def prepare(state: RunState) -> PrepareUpdate:
    """Check the text, give it a stable id, and cut a long one into overlapping windows.

    Reads `text`, `task` and `meta`; the text itself is never changed, only decoded where a column holds bytes.
    What cannot be used at all gets a `problem` and goes straight to `finish`.
    """
    text, problem = usable_text(state.get("text"))
    name = state.get("task") or "arguments"
    windows: list[list[int]] = []
    try:
        task = await (await current()).task(state)
    except TaskError as error:
        problem = problem or str(error)
    else:
        name = task.name
        problem = problem or missing_input(state, task)
        if problem is None:
            cut = split_windows(text, task.window.max_chars, task.window.overlap_chars)
            windows = [list(window) for window in cut]
    return {
        "text": text,
        "doc_id": state.get("doc_id") or document_id(text, state.get("meta")),
        "task": name,
        "language": await language_of(text) if problem is None else None,
        "windows": windows,
        "problem": problem,
        "path": ["prepare"],
    }


def missing_input(state: RunState, task: TaskSpec) -> str | None:
    """The first further input the task needs and the document does not bring, in words."""
    given = state.get("meta") or {}
    missing = next((name for name in task.inputs if given.get(name) in (None, "")), None)
    if missing is None:
        return None
    return f"task {task.name!r} needs the input {missing!r}, which this document does not have"


async def route_after_prepare(state: RunState) -> Literal["ready", "unusable"]:
    """A text that cannot be used ends here; every other one is extracted."""
    return "unusable" if state.get("problem") else "ready"
