"""What is sent is in the form strict structured output accepts, or nothing is sent; and a reply finds its way back."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, RootModel

from cupel.errors import TaskError
from cupel.task.folder import load_task, task_names
from cupel.task.form import strict_form
from cupel.task.rendering import wire_schema
from cupel.task.schema import strict_schema
from cupel.testing import fill
from tests.unit.task.test_shape import KINDS, built

PROMPTS = Path(__file__).parents[3] / "prompts"

FORBIDDEN = {
    "oneOf", "allOf", "not", "if", "then", "else", "patternProperties", "dependentRequired", "dependentSchemas", "prefixItems",
    "uniqueItems", "propertyNames", "contains", "discriminator", "default", "unevaluatedProperties", "minProperties", "examples",
}  # fmt: skip
"""Keywords that OpenAI's guide to structured outputs does not list, or lists as unsupported."""


def faults(node, where="", *, at_root=True):
    """What strict structured output refuses, by the providers' documented rules."""
    if not isinstance(node, dict):
        return [f"{where}: no schema object"]
    seen = [f"{where}: {word}" for word in sorted(FORBIDDEN & node.keys())]
    if at_root and (node.get("type") != "object" or "anyOf" in node or "$ref" in node):
        seen.append("the root is no plain object")
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    named, is_object = list(node.get("properties", {})), "object" in kinds
    wrong = {
        "something beside $ref": "$ref" in node and len(node) > 1,
        "look-around": re.search(r"\(\?[=!<]", str(node.get("pattern", ""))) is not None,
        "says no type": not node.keys() & {"type", "anyOf", "$ref", "enum", "const"},
        "open to more properties": is_object and node.get("additionalProperties") is not False,
        "a property that is not required": is_object and list(node.get("required", ())) != named,
        "a list of anything": "array" in kinds and not isinstance(node.get("items"), dict),
    }
    seen += [f"{where}: {fault}" for fault, is_there in wrong.items() if is_there]
    inner = [
        *node.get("properties", {}).items(),
        *node.get("$defs", {}).items(),
        *enumerate(node.get("anyOf", ())),
    ]
    if isinstance(node.get("items"), dict):
        inner.append(("items", node["items"]))
    return [
        *seen,
        *(fault for name, child in inner for fault in faults(child, f"{where}/{name}", at_root=False)),
    ]


def form_of(schema):
    """The form of a schema as it is sent."""
    form = strict_form(strict_schema(schema, path="test"))
    return form, wire_schema(form.schema)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(KINDS), max_size=4))
def test_every_schema_is_sent_in_the_form_or_refused_with_a_way_out(kinds):
    """All keywords in all others, four deep; what fits the form fits the schema on the way back."""
    schema, _ = built(kinds)
    try:
        form, sent = form_of(schema)
    except TaskError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "has no form" in refused
        return

    assert faults(sent) == []
    restored = form.restore(fill(sent, "Nobody ever said this."))
    if not {"if", "pattern"} & set(kinds):  # the stand-in fills in neither by them
        assert Draft202012Validator(strict_schema(schema, path="test")).is_valid(restored), (sent, restored)


class Inner(BaseModel):
    """A class inside another."""

    name: str


class Claim(BaseModel):
    """One kind of a union."""

    kind: Literal["claim"]
    text: str


class Premise(BaseModel):
    """The other kind."""

    kind: Literal["premise"]
    backs: str


class Tree(BaseModel):
    """A class that refers to itself."""

    name: str
    children: list[Tree]


class Level(enum.IntEnum):
    """Numbers to choose from."""

    LOW = 1
    HIGH = 2


class Described(BaseModel):
    """A reference with a description."""

    inner: Inner = Field(description="the inner one")


class Union(BaseModel):
    """A discriminated union, alone and in a list."""

    part: Annotated[Claim | Premise, Field(discriminator="kind")]
    parts: list[Annotated[Claim | Premise, Field(discriminator="kind")]]
    either: Claim | str | None = None


class Loose(BaseModel):
    """Whatever else there is."""

    model_config = ConfigDict(extra="allow")
    amount: decimal.Decimal
    by_name: dict[str, str]
    payload: dict
    value: Any
    span: tuple[int, int]
    tags: set[str]
    day: dt.date
    at: dt.datetime | None = None
    level: Level
    one: Literal["only"] = "only"


@pytest.mark.parametrize("kind", [Described, Union, Tree, Loose])
def test_a_pydantic_class_is_sent_in_the_form_and_its_record_comes_back_as_the_class_takes_it(kind):
    """Decimals, dictionaries, tuples, sets, enumerations, recursion."""
    form, sent = form_of(kind.model_json_schema())

    assert faults(sent) == []
    record = fill(sent, "The levy was 5 euro.")
    if kind is Loose:
        record |= {"amount": "5.10", "day": "2025-03-10", "at": None, "tags": ["a", "b", "a"], "level": 2}
        record |= {
            "by_name": [{"key": "a", "value": "x"}],
            "payload": [{"key": "n", "value": 1}],
            "span": {"item_1": 3, "item_2": 5},
        }
    restored = form.restore(record)
    made = kind.model_validate(restored)

    if kind is Loose:
        assert (made.by_name, made.payload, made.span, made.tags) == (
            {"a": "x"},
            {"n": 1},
            (3, 5),
            {"a", "b"},
        )
        assert restored["tags"] == ["a", "b"]


def test_a_list_as_the_whole_record_is_refused_with_a_way_out():
    """Strict modes want an object; nothing is sent."""

    class Rooted(RootModel[list[Inner]]):
        """A list at the root."""

    with pytest.raises(TaskError, match="object"):
        form_of(Rooted.model_json_schema())


@pytest.mark.parametrize("name", task_names(PROMPTS))
def test_a_schema_in_the_form_is_sent_to_the_letter(name):
    """Stored answers stay valid: nothing is written anew, nothing has to come back."""
    schema = load_task(name, PROMPTS).asked
    form = strict_form(schema)

    assert json.dumps(form.schema) == json.dumps(schema)
    assert form.back is None


def test_a_name_with_two_values_is_left_for_the_schema_to_refuse():
    """Nothing is chosen in silence."""
    schema = {
        "type": "object",
        "properties": {"d": {"type": "object", "additionalProperties": {"type": "integer"}}},
        "required": ["d"],
    }
    form, _ = form_of(schema)
    pairs = [{"key": "a", "value": 1}, {"key": "a", "value": 2}]

    assert form.restore({"d": pairs}) == {"d": pairs}
