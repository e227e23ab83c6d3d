"""A value is a record when it fits the schema as it was written, its formats and the caller's class included."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from pydantic import BaseModel, field_validator

from cupel.task.fit import fit_of, schema_problem
from cupel.task.record_class import RecordClass
from cupel.task.schema import strict_schema
from cupel.task.validator import FORMATS


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("date", "2025-03-10", "10 March 2025"),
        ("date", "2024-02-29", "2025-02-29"),
        ("date-time", "2025-03-10T09:30:00Z", "2025-03-10"),
        ("date-time", "2025-03-10T09:30:00", "half past nine"),
        ("time", "09:30:00", "25:00"),
        ("duration", "P1DT2H", "P"),
        ("uuid", "6f1c1f3e-2a77-4e53-9d6b-0a8f9a3b1c11", "6f1c"),
        ("email", "a@b.eu", "a@b"),
        ("ipv4", "127.0.0.1", "256.0.0.1"),
        ("ipv6", "::1", "::g"),
        ("uri", "https://a.eu/x", "a.eu"),
    ],
)
def test_a_format_is_checked(kind, right, wrong):
    """A wrong date is seen; what is no text is for the type to refuse."""
    schema = {"type": "object", "properties": {"x": {"type": "string", "format": kind}}}

    assert kind in FORMATS
    assert schema_problem({"x": right}, schema) is None
    assert kind in schema_problem({"x": wrong}, schema)


def test_bounds_that_are_not_sent_are_held_all_the_same():
    """No strict mode takes `contains`; a record without it is refused."""
    schema = {
        "type": "object",
        "properties": {"x": {"type": "array", "items": {"type": "integer"}, "contains": {"const": 3}}},
        "required": ["x"],
    }
    fit = fit_of(strict_schema(schema, path="test"))

    assert fit.read({"x": [1, 3]}) == ({"x": [1, 3]}, None)
    assert "x" in fit.read({"x": [1]})[1]


class Meeting(BaseModel):
    """A class with types and a validator of its own."""

    day: dt.date
    id: uuid.UUID
    share: float = 0.5
    tags: list[str] = []

    @field_validator("share")
    @classmethod
    def check(cls, share: float) -> float:
        """A share is no percentage."""
        if not 0 <= share <= 1:
            raise ValueError("a share is from 0 to 1")
        return share


GOOD = {"day": "2025-03-10", "id": "6f1c1f3e-2a77-4e53-9d6b-0a8f9a3b1c11", "share": 0.2, "tags": ["a"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, None, id="as it is"),
        pytest.param({"share": None, "tags": None}, None, id="null for what has a default"),
        pytest.param({"share": 20}, "a share is from 0 to 1", id="its validator"),
        pytest.param({"day": "yesterday"}, "day", id="its type"),
        pytest.param({"day": None}, "day", id="null where a value is required"),
    ],
)
def test_a_class_says_itself_what_it_takes(change, words):
    """Its own words feed the repair."""
    problem = RecordClass(Meeting)({**GOOD, **change})

    assert (problem is None) if words is None else (words in problem and "Meeting refuses it" in problem)
