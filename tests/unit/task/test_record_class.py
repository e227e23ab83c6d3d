"""A pydantic class given as schema decides what a record is, here and on a worker."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cupel.errors import SettingError
from cupel.task import ad_hoc_task, fit_of
from cupel.task.record_class import RecordClass, import_class
from tests.unit.task import travelling


def test_a_class_is_found_again_by_its_import_path():
    """Another process imports it, validators and all."""
    path = RecordClass(travelling.Stance).import_path()

    assert path == "tests.unit.task.travelling:Stance"
    assert import_class(path)({"reason": "short", "speakers": []}).startswith("Stance refuses it at reason:")
    assert import_class(path)({"reason": "long enough", "speakers": []}) is None


def test_a_class_of_a_function_does_not_travel():
    """It is said before anything is paid, with two ways out."""

    class Local(BaseModel):
        """Only this function knows it."""

        name: str

    with pytest.raises(SettingError, match=r"Local.*a function; move it to a module.*model_json_schema\(\)"):
        RecordClass(Local).import_path()


@pytest.mark.parametrize("path", ["no.such.module:A", "tests.unit.task.travelling:Nobody"])
def test_a_worker_without_the_class_says_what_to_install(path):
    """The module's first name is what has to be there."""
    with pytest.raises(SettingError, match=r"a worker cannot import .*; install \w+ there"):
        import_class(path)


def test_a_class_of_the_same_schema_and_other_code_is_another_task(project):
    """Its validators decide, so what an earlier one accepted is not taken over."""

    class Lenient(BaseModel):
        """The same fields, with nothing to hold them to."""

        model_config = ConfigDict(title="Stance")
        reason: str
        speakers: list[travelling.Speaker] = []

    tasks = [
        ad_hoc_task(travelling.Stance.model_json_schema(), "", project.prompts, check=check)
        for check in (
            None,
            RecordClass(travelling.Stance),
            RecordClass(Lenient),
            RecordClass(travelling.Stance),
        )
    ]
    identities = [task.identity for task in tasks]

    assert len(set(identities)) == 3
    assert identities[1] == identities[3]


# ---- the bar: nothing the class refuses is accepted, and every correct null is


class Cat(BaseModel):
    """One kind."""

    kind: Literal["cat"] = "cat"
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"] = "dog"
    owner: str | None


class Node(BaseModel):
    """A tree."""

    name: str
    born: dt.date | None
    children: list[Node] = []


class Colour(enum.Enum):
    """Labels."""

    RED = "red"
    BLUE = "blue"


class Everything(BaseModel):
    """Dates, identifiers, validators, unions, recursion, dictionaries, tuples, sets."""

    id: uuid.UUID
    day: dt.date
    at: dt.datetime | None
    wait: dt.timedelta | None
    share: Annotated[float, Field(ge=0, le=1)] | None
    price: decimal.Decimal | None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None
    pets: list[Cat | Dog]
    tree: Node | None
    by_name: dict[str, int]
    by_day: dict[str, dt.date] | None
    span: tuple[int, int] | None
    tags: set[str]
    colour: Colour | None
    maybe: list[str | None]
    first: int
    last: int
    note: str = ""
    level: int = 3

    @field_validator("tags")
    @classmethod
    def check_tags(cls, tags: set[str]) -> set[str]:
        """A validator JSON Schema knows nothing of."""
        if any(tag != tag.lower() for tag in tags):
            raise ValueError("tags are lower case")
        return tags

    @model_validator(mode="after")
    def check_order(self) -> Everything:
        """Neither of one that compares two fields."""
        if self.last < self.first:
            raise ValueError("last is before first")
        return self


EVERYTHING = RecordClass(Everything)
ODD = st.sampled_from(
    ["", "x", "Tag", "2025-02-30", "2025-02-28", "P1D", "yesterday", "6f1c1f3e-2a77-4e53-9d6b-0a8f9a3b1c11", 0, 1, -1, 2.5, 10, True, [], {}, [1, 2], [1], [{"key": "a", "value": 1}], None]
)  # fmt: skip
cats = st.fixed_dictionaries({"kind": st.just("cat"), "lives": st.integers(1, 9)})
dogs = st.fixed_dictionaries({"kind": st.just("dog"), "owner": st.none() | st.text(max_size=3)})
days = st.dates(dt.date(1000, 1, 1)).map(dt.date.isoformat)
trees = st.recursive(
    st.fixed_dictionaries({"name": st.text(max_size=3), "born": st.none() | days, "children": st.none() | st.just([])}),
    lambda inner: st.fixed_dictionaries(
        {"name": st.text(max_size=3), "born": st.none() | days, "children": st.lists(inner, max_size=2)}
    ),
    max_leaves=4,
)  # fmt: skip
pairs = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 9), max_size=3)
sent = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str), "day": days, "at": st.none() | st.datetimes().map(dt.datetime.isoformat),
        "wait": st.sampled_from([None, "P1D", "PT2H"]), "share": st.none() | st.floats(0, 1), "price": st.sampled_from([None, "5.10", 5.5, 3]),
        "pet": st.none() | cats | dogs, "pets": st.lists(cats | dogs, max_size=3), "tree": st.none() | trees,
        "by_name": pairs.map(lambda named: [{"key": key, "value": value} for key, value in named.items()]),
        "by_day": st.none() | st.just([{"key": "a", "value": "2025-03-10"}]), "span": st.none() | st.just({"item_1": 1, "item_2": 2}),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=3), "colour": st.sampled_from(["red", "blue", None]),
        "maybe": st.lists(st.none() | st.text(max_size=2), max_size=3), "first": st.just(1), "last": st.integers(1, 5),
        "note": st.none() | st.text(max_size=3), "level": st.none() | st.integers(),
    }
)  # fmt: skip
"""Replies that are right, in the form they are sent in: with null wherever the class allows it, or has a default."""


TASK = ad_hoc_task(EVERYTHING.schema, "", Path(__file__).parents[3] / "prompts", check=EVERYTHING)


def taken(reply: Any) -> tuple[Any, str | None]:
    """The record that is read from a reply, as `ask` reads it, and what is wrong."""
    record, problem = fit_of(TASK.schema).read(reply)
    return record, problem or EVERYTHING(record)


@given(sent)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_correct_null_is_accepted_at_once(reply):
    """No repair and no escalation for a record that is right; and it becomes an instance."""
    record, problem = taken(reply)

    assert problem is None
    assert isinstance(EVERYTHING.instance(record), Everything)


@given(
    sent, st.lists(st.tuples(st.sampled_from(sorted(Everything.model_fields)), ODD), min_size=1, max_size=2)
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_the_class_refuses_is_accepted(reply, changes):
    """Whatever a reply has in any of its fields."""
    record, problem = taken({**reply, **dict(changes)})
    try:
        plain = {k: v for k, v in record.items() if not (v is None and k in ("note", "level", "tree"))}
        Everything.model_validate({**plain, "tree": _said(record["tree"])})
        is_refused = False
    except (ValidationError, AttributeError):
        is_refused = True

    assert problem is not None or not is_refused


def _said(tree: Any) -> Any:
    """A tree without the nulls of what has a default."""
    if not isinstance(tree, dict):
        return tree
    said = {key: value for key, value in tree.items() if key != "children"}
    return said | (
        {} if tree.get("children") is None else {"children": [_said(each) for each in tree["children"]]}
    )
