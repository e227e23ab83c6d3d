"""What a step of the cascade works on."""

from __future__ import annotations

from dataclasses import dataclass

from cupel.context import RunContext
from cupel.engine import Asking, Runtime, current
from cupel.state import Attempt, RunState
from cupel.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Work:
    """One document at one step: what became of it so far, its task, the run's settings, and the loop's resources."""

    state: RunState
    task: TaskSpec
    context: RunContext
    runtime: Runtime

    @property
    def attempt(self) -> Attempt:
        """The latest attempt."""
        return self.state["attempts"][-1]


async def take_up(state: RunState, context: RunContext, asking: Asking) -> Work:
    """A document with its task, for one step.

    Raises:
        TaskError: If its task's files are wrong by now.
    """
    runtime = await current()
    return Work(state, await runtime.task(state, asking), context, runtime)
