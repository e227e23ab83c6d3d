"""prepare: make sure there is a text to work on, name it, and cut it into windows."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime

from cupel.cascade.context_windows import fit_windows
from cupel.cascade.prepare import (
    Prepared,
    check_document,
    find_setting_fault,
    find_task,
    name_and_cut,
    name_task,
    note_long_inputs,
    read_input,
)
from cupel.context import RunContext
from cupel.engine import current_asking
from cupel.state import RunState
from cupel.task import TaskSpec


class PrepareUpdate(Prepared):
    """The keys this node writes."""

    path: list[str]


async def prepare(state: RunState, runtime: Runtime[RunContext]) -> PrepareUpdate:
    """Check the text, give it a stable id, and cut a long one into overlapping windows.

    Reads `text`, `task` and `meta`; the text itself is never changed, only decoded where a column holds bytes.
    What cannot be used at all gets a `problem` and goes straight to `finish`.
    """
    asking = current_asking()
    document, fault = read_input(name_task(state, runtime))
    fault = fault or await find_setting_fault(runtime, asking)
    task = await find_task(document, asking)
    text, problem = check_document(document, task)
    prepared = name_and_cut(document, text, task, fault or problem)
    if isinstance(task, TaskSpec) and not prepared["problem"]:
        note_long_inputs(document, task, asking)
        prepared = await fit_windows(
            prepared, document.get("meta") or {}, task, RunContext.of(runtime), asking
        )
    return {**prepared, "path": ["prepare"]}


async def route_after_prepare(
    state: RunState, runtime: Runtime[RunContext]
) -> Literal["ready", "to be routed", "unusable"]:
    """A text that cannot be used ends here; a pre-router, where one is set, sees every other one first."""
    if state.get("problem"):
        return "unusable"
    return "to be routed" if RunContext.of(runtime).prerouter else "ready"
