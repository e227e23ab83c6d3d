"""The files a run writes: its rows, and beside them, where it is asked for, the items of its records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cupel.state import Outcome
from cupel.tables import (
    Output,
    RowWriter,
    Table,
    open_tidy_writer,
    open_writer,
    outcome_columns,
    task_kinds,
    tidy_of,
    tidy_path,
)
from cupel.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of a run, each its own or nobody's.

    Attributes:
        rows: A row for each document.
        items: By task, a row for each item of its records; nothing where nobody asked for it.
    """

    rows: Output
    items: Mapping[str, Output] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Output, tasks: Sequence[str], *, tidy: bool) -> Outputs:
        """The output, and the items beside it: a file for each of several tasks."""
        paths = tidy_paths(rows.path, tasks) if tidy else {}
        return cls(rows, {task: replace(rows, path=path, task=task) for task, path in paths.items()})

    def check(self, rows: int, *, overwrite: bool) -> None:
        """Make sure that nothing is lost by writing them.

        Raises:
            OutputPathError: If one is another run's, was changed by somebody, or has more rows.
        """
        for each in self._each():
            each.check(rows, overwrite=overwrite)

    def note(self, rows: int, done: int) -> None:
        """Note what this run has just written.

        Raises:
            OutputPathError: If the note cannot be written.
        """
        for each in self._each():
            each.note(rows, done)

    @contextmanager
    def open(self, table: Table, tasks: Sequence[TaskSpec], *, safe_csv: bool) -> Iterator[Writers]:
        """Open them all; each is replaced at the end, or not at all."""
        with ExitStack() as files:
            rows = files.enter_context(
                open_writer(
                    self.rows.path, table.layout, [task.name for task in tasks],
                    schemas={task.name: task.schema for task in tasks}, safe_csv=safe_csv,
                )
            )  # fmt: skip
            items = {}
            for task in tasks if self.items else ():
                added = {**task_kinds(task.name), **tidy_of(task.schema).columns}
                path = self.items[task.name].path
                items[task.name] = files.enter_context(
                    open_tidy_writer(path, table.layout, added, safe_csv=safe_csv)
                )
            yield Writers(tasks, rows, items)

    def _each(self) -> Iterator[Output]:
        yield self.rows
        yield from self.items.values()


def tidy_paths(path: Path, tasks: Sequence[str]) -> dict[str, Path]:
    """Where the items of each task are written.

    >>> [path.name for path in tidy_paths(Path("out.csv"), ["stance", "summary"]).values()]
    ['out.stance.tidy.csv', 'out.summary.tidy.csv']
    """
    return {task: tidy_path(path, task if len(tasks) > 1 else "") for task in tasks}


@dataclass(frozen=True, slots=True)
class Writers:
    """The open files of a run."""

    tasks: Sequence[TaskSpec]
    rows: RowWriter
    items: Mapping[str, RowWriter]

    @property
    def notes(self) -> list[str]:
        """What a reader of the files should know of how they were written."""
        return [*self.rows.notes, *(note for items in self.items.values() for note in items.notes)]

    def write(self, values: Mapping[str, Any], outcomes: Sequence[Outcome | str | None]) -> None:
        """One document with its outcome in each task; where the run did not get to it, why not in a word."""
        columns: dict[str, Any] = {}
        for task, outcome in zip(self.tasks, outcomes, strict=True):
            own = outcome_columns(outcome, task.name)
            columns |= own
            if self.items:
                self._write_items(task, values, outcome, own)
        self.rows.write(values, columns)

    def _write_items(
        self, task: TaskSpec, values: Mapping[str, Any], outcome: Outcome | str | None, own: Mapping[str, Any]
    ) -> None:
        evidence = outcome["evidence"] if isinstance(outcome, dict) else []
        columns = {name: cell for name, cell in own.items() if name != task.name}
        for row in tidy_of(task.schema).rows(own[task.name], evidence):
            self.items[task.name].write(values, {**columns, **row})

    def abandon(self) -> None:
        """Leave what is there as it is."""
        self.rows.abandon()
        for items in self.items.values():
            items.abandon()
