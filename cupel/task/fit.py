"""Whether a model's value is a record: held against the schema as it was sent, and as it was written.

The two differ where the sent form says less (docs: `cupel.task.form`) or says it differently. A value is brought back
from the form first; what it is then must fit the schema as the task has it, its formats and the caller's class included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cupel._memo import Kept
from cupel.state import Record
from cupel.task.form import Form, strict_form
from cupel.task.rendering import sent_schema
from cupel.task.shape import Shape, shape_of
from cupel.task.spec import RecordCheck
from cupel.task.validator import SchemaFault, Validator

if TYPE_CHECKING:
    from pydantic import BaseModel


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


def check_by(model: type[BaseModel]) -> RecordCheck:
    """What a pydantic class says of a record: its types and validators, in its own words."""
    from pydantic import ValidationError

    shape = shape_of(model.model_json_schema())

    def check(record: Record) -> str | None:
        try:
            model.model_validate(without_unsaid(record, shape))
        except ValidationError as error:
            first = error.errors()[0]
            where = "/".join(map(str, first["loc"])) or "top level"
            return f"{model.__name__} refuses it at {where}: {first['msg'][:300]}"
        return None

    return check


def without_unsaid(record: Any, shape: Shape) -> Any:
    """A record without the nulls that stand for a property left out, as the class that has a default wants it."""
    copy = json.loads(json.dumps(record))
    for part in shape.parts(copy):
        if isinstance(part.value, dict):
            # null stands for "left out" where a property is known, not required, and may not be null
            for name in [name for name, value in part.value.items() if value is None]:
                if shape.may_only_be_left_out(part.schemas, name):
                    del part.value[name]
    return copy
