"""Whether a model's value is a record: held against the schema as it was sent, and as it was written.

The two differ where the sent form says less (docs: `cupel.task.form`) or says it differently. A value is brought back
from the form first; what it is then must fit the schema as the task has it, its formats and the caller's class included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from cupel._memo import Kept
from cupel.state import Record
from cupel.task.form import Form, strict_form
from cupel.task.rendering import sent_schema
from cupel.task.schema_check import FORMATS, surely_fits
from cupel.task.shape import Shape, shape_of
from cupel.task.spec import RecordCheck

if TYPE_CHECKING:
    from pydantic import BaseModel


class SchemaFault(NamedTuple):
    """One thing that does not fit."""

    where: str
    """The names and numbers that lead there, by slashes; empty for the record itself."""

    words: str
    is_of_labels: bool
    """Whether the value is none of those that are listed."""


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
        wire, _ = sent_schema(self.schema)
        if not surely_fits(value, wire):
            problem = _problem(value, self._sent)
            if problem is not None:
                return value, problem
        record = self.form.restore(value)
        return record, None if self._is_sent_as_written else self.problem(record)

    def problem(self, record: Any) -> str | None:
        """The first thing about a record that does not fit the schema as it was written, in words."""
        return None if surely_fits(record, self.schema) else _problem(record, self._written)

    def faults(self, record: Any) -> list[SchemaFault]:
        """Everything about a record that does not fit the schema as it was written."""
        return [] if surely_fits(record, self.schema) else list(map(_fault, self._written.iter_errors(record)))

    @cached_property
    def _sent(self) -> Any:
        return _validator(json.loads(sent_schema(self.schema)[1]))

    @cached_property
    def _written(self) -> Any:
        return _validator(dict(self.schema))


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


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    for name, is_valid in FORMATS.items():
        checker.checks(name)(is_valid)
    return Draft202012Validator(schema, format_checker=checker)


def _problem(value: Any, validator: Any) -> str | None:
    from jsonschema.exceptions import best_match

    if validator.is_valid(value):
        return None
    fault = _fault(best_match(validator.iter_errors(value)))
    return f"does not fit the schema at {fault.where or 'top level'}: {fault.words[:300]}"


def _fault(error: Any) -> SchemaFault:
    return SchemaFault(
        "/".join(map(str, error.absolute_path)), error.message, error.validator in {"enum", "const"}
    )


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
