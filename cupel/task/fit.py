"""Whether a model's value is a record: held against the schema as it was sent, and as it was written.

The two differ where the sent form says less (docs: `cupel.task.form`) or says it differently. A value is brought back
from the form first; what it is then must fit the schema as the task has it, its formats and the caller's class included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cupel._memo import Kept
from cupel.task.form import Form, strict_form
from cupel.task.rendering import sent_schema
from cupel.task.validator import SchemaFault, Validator


@dataclass(frozen=True)
class Fit:
    """One schema, as it was sent and as it was written."""

    schema: Mapping[str, Any]

    @cached_property
    def form(self) -> Form:
        """The form it is sent in."""
        return strict_form(self.schema)

    @cached_property
    def _is_sent_as_written(self) -> bool:
        return self.form.back is None and self.form.schema == self.schema

    def read(self, value: Any) -> tuple[Any, str | None]:
        """The record a value in the form stands for, and the first thing that is wrong with it."""
        problem = self._sent.problem(value)
        if problem is not None:
            return value, problem
        record = self.form.restore(value)
        return record, None if self._is_sent_as_written else self.problem(record)

    def problem(self, record: Any) -> str | None:
        """The first thing about a record that does not fit the schema as it was written, in words."""
        return self._written.problem(record)

    def faults(self, record: Any) -> list[SchemaFault]:
        """Everything about a record that does not fit the schema as it was written."""
        return [] if self._written.fits(record) else self._written.faults(record)

    @cached_property
    def _sent(self) -> Validator:
        return Validator(sent_schema(self.schema)[0])

    @cached_property
    def _written(self) -> Validator:
        return Validator(self.schema)


_fits = Kept[Fit]()


def fit_of(schema: Mapping[str, Any]) -> Fit:
    """The same one for the same schema."""
    return _fits.of((schema,), make=lambda: Fit(schema))


def schema_faults(record: Any, schema: Mapping[str, Any]) -> list[SchemaFault]:
    """Everything about a record that does not fit its schema."""
    return fit_of(schema).faults(record)


def schema_problem(record: Any, schema: Mapping[str, Any]) -> str | None:
    """The first thing about a record that does not fit its schema, in words; None when it fits."""
    return fit_of(schema).problem(record)
