"""The files a run writes: its rows, and beside them, where it is asked for, the items of its records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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
        items: A row for each item; None where nobody asked for it.
    """

    rows: Output
    items: Output | None = None

    @classmethod
    def of(cls, rows: Output, *, tidy: bool) -> Outputs:
        """The output, and the items beside it."""
        return cls(rows, replace(rows, path=tidy_path(rows.path)) if tidy else None)

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
    def open(self, table: Table, task: TaskSpec, *, safe_csv: bool) -> Iterator[Writers]:
        """Open them all; each is replaced at the end, or not at all."""
        with ExitStack() as files:
            rows = files.enter_context(
                open_writer(
                    self.rows.path, table.layout, task.name, record_schema=task.schema, safe_csv=safe_csv
                )
            )
            items = None
            if self.items is not None:
                added = {**task_kinds(task.name), **tidy_of(task.schema).columns}
                items = files.enter_context(
                    open_tidy_writer(self.items.path, table.layout, added, safe_csv=safe_csv)
                )
            yield Writers(task, rows, items)

    def _each(self) -> Iterator[Output]:
        yield self.rows
        if self.items is not None:
            yield self.items


@dataclass(frozen=True, slots=True)
class Writers:
    """The open files of a run."""

    task: TaskSpec
    rows: RowWriter
    items: RowWriter | None = None

    @property
    def notes(self) -> list[str]:
        """What a reader of the files should know of how they were written."""
        return [*self.rows.notes, *(self.items.notes if self.items else ())]

    def write(self, values: Mapping[str, Any], outcome: Outcome | str | None) -> None:
        """One document; where the run did not get to it, why not in a word."""
        columns = outcome_columns(outcome, self.task.name)
        self.rows.write(values, columns)
        if self.items is not None:
            record = columns.pop(self.task.name)
            evidence = outcome["evidence"] if isinstance(outcome, dict) else []
            for row in tidy_of(self.task.schema).rows(record, evidence):
                self.items.write(values, {**columns, **row})

    def abandon(self) -> None:
        """Leave what is there as it is."""
        self.rows.abandon()
        if self.items is not None:
            self.items.abandon()
