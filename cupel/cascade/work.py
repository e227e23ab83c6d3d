"""What a step of the cascade works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.types import Overwrite

from cupel.context import RunContext
from cupel.engine import Asking, Runtime, current
from cupel.state import Attempt, Evidence, Record, RunState, VerdictRecord
from cupel.task import TaskSpec, grounded_quotes
from cupel.text import complete_record, ground_record, span_of


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


def as_whole(record: Record, evidence: Sequence[Evidence], task: TaskSpec, state: RunState) -> Record:
    """A record of the document with what code fills in: nobody sees one, and none is kept, without.

    What was found by asking back is of the document and the question, whichever attempt asked it; the latest counts.
    """
    told = (each for attempt in state["attempts"] for each in attempt.get("found", ()))
    return complete_record(
        record, task, evidence, text=state["text"], inputs=state.get("meta") or {},
        found={each["question"]: span_of(each) for each in told},
    )  # fmt: skip


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
    edited = [_looked_at(attempt, task, state) for attempt in latest if attempt["record"] is not None]
    return [
        each
        for each, attempt in zip(edited, latest, strict=False)
        if (each["record"], each["evidence"]) != (attempt["record"], attempt["evidence"])
    ]


def _looked_at(attempt: Attempt, task: TaskSpec, state: RunState) -> Attempt:
    record, evidence = attempt["record"] or {}, attempt["evidence"]
    if grounded_quotes(record, task.schema) != [(e["path"], e["quote"]) for e in evidence]:
        evidence = ground_record(record, task.schema, state["text"])
    return {**attempt, "record": as_whole(record, evidence, task, state), "evidence": evidence}


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
