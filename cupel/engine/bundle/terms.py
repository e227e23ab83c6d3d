"""Which tasks share a request, and about which documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cupel.context import RunContext
from cupel.errors import SettingError
from cupel.task import TaskSpec, definitions_of, input_text

if TYPE_CHECKING:
    from cupel.engine.run import Run

LONGEST = 4000
"""Characters of a text that tasks share a request about, where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """Tasks that are asked about together.

    Args:
        tasks: At least two, in the order of their names.
        context: The settings they are asked under.
        max_chars: Longest text, in characters; a longer one is asked about task by task.
        min_agreement: Lower bound of the agreement with single requests that the certificate must state, for each task.
        trial: Whether they are bundled without a certificate, to measure one; what was answered alone is asked for too.
        run: Whose the shared requests are: the run of all tasks. None until it is open.

    Raises:
        SettingError: For fewer than two tasks, or two that share a request badly.
    """

    tasks: tuple[TaskSpec, ...]
    context: RunContext
    max_chars: int = LONGEST
    min_agreement: float = 0.95
    trial: bool = False
    run: Run | None = None

    def __post_init__(self) -> None:
        """See that the tasks can stand in one request."""
        named = ", ".join(self.names)
        if len(self.tasks) < 2:
            raise SettingError(f"--bundle {named}: name at least two tasks, with commas")
        if not 0 < self.min_agreement <= 1:
            raise SettingError(f"agreement {self.min_agreement!r} of bundled requests: above 0, at most 1")
        if self.max_chars < 1:
            raise SettingError(f"longest bundled text {self.max_chars}: from 1 character up")
        shared: dict[str, Any] = {}
        for task in self.tasks:
            for name, schema in definitions_of(task.asked).items():
                if shared.setdefault(name, schema) != schema:
                    raise SettingError(
                        f"--bundle {named}: their schemas define {name!r} differently; run them without --bundle"
                    )

    @property
    def names(self) -> list[str]:
        """The names of its tasks."""
        return [task.name for task in self.tasks]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every further input of one of them."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.inputs))

    @property
    def longest(self) -> int:
        """Characters of the longest text that is bundled: each task reads it in one window."""
        return min(self.max_chars, *(task.window.max_chars for task in self.tasks))

    def takes(self, text: str, inputs: Mapping[str, Any]) -> bool:
        """Whether a document is asked about for all tasks at once."""
        return len(text) <= self.longest and all(
            input_text(inputs.get(name)) for task in self.tasks for name in task.required_inputs
        )
