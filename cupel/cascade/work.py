"""What a step of the cascade works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.types import Overwrite

from cupel.context import RunContext
from cupel.engine import Asking, Runtime, current
from cupel.state import Attempt, RunState, VerdictRecord
from cupel.task import TaskSpec, grounded_quotes
from cupel.text import ground_record


@dataclass(frozen=True, slots=True)
class Work:
    """One document at one step: what became of it so far, its task, the run's settings, and the loop's resources."""

    state: RunState
    task: TaskSpec
    context: RunContext
    runtime: Runtime
    edited: Sequence[Attempt] = ()
    """The latest attempt, where a person changed its record: with the evidence of what it says now."""

    @property
    def attempt(self) -> Attempt:
        """The latest attempt."""
        return self.edited[-1] if self.edited else self.state["attempts"][-1]


async def take_up(state: RunState, context: RunContext, asking: Asking) -> Work:
    """A document with its task, for one step.

    Raises:
        TaskError: If its task's files are wrong by now.
    """
    runtime = await current()
    task = await runtime.task(state, asking)
    return Work(state, task, context, runtime, () if asking.run.stops else read_edits(state, task))


def read_edits(state: RunState, task: TaskSpec) -> list[Attempt]:
    """The latest attempt looked at anew, where its record says something else than its evidence: a fork changed it."""
    latest = state["attempts"][-1:]
    return [
        {**attempt, "evidence": ground_record(attempt["record"], task.schema, state["text"])}
        for attempt in latest
        if attempt["record"] is not None
        and grounded_quotes(attempt["record"], task.schema)
        != [(e["path"], e["quote"]) for e in attempt["evidence"]]
    ]


def standing_verdicts(work: Work) -> list[VerdictRecord] | Overwrite:
    """Nothing new; where the latest record was changed, the verdicts without those on what it said before."""
    if not work.edited:
        return []
    number = work.edited[-1]["number"]
    return Overwrite([verdict for verdict in work.state["verdicts"] if verdict["attempt"] != number])


async def with_edits(state: RunState, asking: Asking) -> RunState:
    """The same state, a record that a fork changed with the evidence of what it says now."""
    if asking.run.stops or state.get("problem") or not state["attempts"]:
        return state
    edited = read_edits(state, await (await current()).task(state, asking))
    return {**state, "attempts": [*state["attempts"][:-1], *edited]} if edited else state
