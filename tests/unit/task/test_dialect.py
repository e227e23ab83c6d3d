"""A schema as people have it lying about, of any draft and of none, is read for what it says, or refused in a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from jsonschema import Draft202012Validator

from cupel.errors import TaskError
from cupel.task.dialect import modern
from cupel.task.fit import fit_of
from cupel.task.form import strict_form
from cupel.task.node import nullable
from cupel.task.rendering import sent_schema
from cupel.task.schema import strict_schema
from cupel.task.validator import Validator
from cupel.testing import fill
from tests.unit.task.test_form import faults
from tests.unit.task.test_shape import KINDS, built


def record(*, defs=None, required=(), **properties):
    """The schema of an object with these properties."""
    beside = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **beside, **(defs or {})}


PET = {"kind": {"type": "string", "enum": ["cat"]}, "lives": {"type": "integer"}}
HABITS = {
    "definitions": record(p={"$ref": "#/definitions/P"}, defs={"definitions": {"P": record(name={"type": "string"})}}),
    "nullable, OpenAPI": record(a={"type": "string", "nullable": True}, b={"enum": ["x"], "nullable": True}, required="ab"),
    "nullable beside a reference": record(b={"$ref": "#/$defs/B", "nullable": True}, defs={"$defs": {"B": {"type": "integer"}}}),
    "a list of types": record(a={"type": ["string", "null"]}, required="a"),
    "const": record(version={"const": 1}, kind={"type": "string", "const": "x"}),
    "null in enum": record(a={"enum": ["x", "y", None]}),
    "oneOf with a discriminator": record(
        pet={"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"type": "null"}], "discriminator": {"propertyName": "kind"}},
        defs={"components": {"schemas": {"Cat": record(**PET)}}},
    ),
    "draft 4": {
        "$schema": "http://json-schema.org/draft-04/schema#", "id": "http://example.org/x",
        **record(n={"type": "number", "minimum": 0, "exclusiveMinimum": True}, pair={"type": "array", "items": [{"type": "string"}], "additionalItems": False}),
    },
    "draft 3": record(a={"type": "string", "required": True}, b={"type": "string", "required": False}),
    "draft 7 dependencies": record(a={"type": "string"}, b={"type": "string"}, defs={"dependencies": {"a": ["b"]}}),
    "no type": {"properties": {"a": {"type": "string"}}},
    "a reference to itself": record(text={"type": "string"}, children={"type": "array", "items": {"$ref": "#"}}),
    "a reference to a property": record(a=record(b={"type": "string"}), c={"$ref": "#/properties/a"}),
    "an anchor": record(a={"$ref": "#it"}, defs={"$defs": {"x": {"$anchor": "it", "type": "string"}}}),
    "names of any script": record(größe={"$ref": "#/$defs/Größe der Tür"}, defs={"$defs": {"Größe der Tür": {"type": "number"}}}),
    "a percent sign": record(a={"$ref": "#/$defs/a%20b"}, defs={"$defs": {"a b": {"type": "string"}}}),
    "allOf at the root": {"allOf": [record(a={"type": "string"}, required="a"), {"properties": {"b": {"type": "integer"}}}]},
    "a pattern Python cannot read": record(a={"type": "string", "pattern": "^\\p{Lu}*"}),
    "an editor's keywords": record(a={"type": "string", "example": "hi", "markdownDescription": "**a**", "tsType": "A", "enumNames": ["a"]}),
    "what OpenAI is given": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": record(a={"type": "string"})}},
    "what a tool is given": {"name": "x", "schema": record(a={"type": "string"})},
    "inheritance": record(
        dog={"allOf": [{"$ref": "#/$defs/Animal"}, record(owner={"type": "string"}, required=["owner"])]},
        defs={"$defs": {"Animal": record(name={"type": "string"}, tail={"type": "boolean"}, required=["name"])}},
    ),
    "fields beside a choice of fields": record(
        a=record(shared={"type": "string"}, defs={"anyOf": [record(left={"type": "string"}), record(right={"type": "integer"})]})
    ),
    "true and {}": record(a=True, b={}),
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_a_schema_as_people_write_it_is_sent_in_the_form_and_its_record_is_taken(habit):
    """Whatever it was written by."""
    strict = strict_schema(HABITS[habit], path="x.json")
    sent, _ = sent_schema(strict)
    made, problem = fit_of(strict).read(fill(sent, "It rains."))

    assert faults(sent) == []
    assert problem is None, made


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (record(a=record(b=True, defs={"additionalProperties": {"type": "integer"}})), "a has no form.*any name"),
        ({"type": "array", "items": {"type": "string"}}, "put a list or a choice into a field"),
        (True, "this is bool"),
        ([{"type": "string"}], "this is list"),
        ("object", "this is str"),
        (None, "this is NoneType"),
        ({}, "has nothing"),
        ({"type": "object", "properties": {}}, "must describe an object"),
        ({"name": "string", "age": "integer"}, "has 'name', 'age'"),
        (record(a={"type": "any"}), r'"any" is not one of .*"string".* \(at properties/a/type\)'),
        (record(a={"type": "string", "pattern": "("}), "not a JSON Schema.*properties/a/pattern"),
        (record(a=3), r"3 is not of types .*\(at properties/a\)"),
        (record(a={"enum": "x"}), r'"x" is not of type "array" \(at properties/a/enum\)'),
        (record(a={"$ref": "https://json.schemastore.org/package.json"}), r"nothing is fetched.*\(at /properties/a\)"),
        (record(a={"$ref": "common.json#/a"}), "nothing is fetched"),
        (record(a={"$ref": "#/$defs/Nobody"}), "leads to nothing"),
        ({"$ref": "#"}, "circle"),
        (record(a={"anyOf": [{"$ref": "#/properties/a"}]}), "circle"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_refused_with_its_place(schema, words):
    """When it is read, before anything is paid; the sentence begins with the file."""
    with pytest.raises(TaskError, match=words) as refused:
        strict_form(strict_schema(schema, path="x.json"), path="x.json")

    assert str(refused.value).startswith("x.json: ")


@given(st.lists(st.sampled_from(KINDS), max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_schema_of_today_says_afterwards_what_it_said(kinds):
    """References go by other ways, and nothing else changes."""
    schema, value = built(kinds)
    made = modern(schema, path="x.json")

    assert Draft202012Validator(made).is_valid(value)
    assert not Draft202012Validator(made).is_valid({"x": object})


def test_a_schema_in_the_dialect_is_given_back_to_the_letter():
    """What is sent stays the same, and stored answers stay valid."""
    schema = record(
        claims={"type": "array", "items": {"$ref": "#/$defs/c"}},
        defs={"$defs": {"c": record(id={"type": "integer"})}},
    )

    assert json.dumps(modern(schema, path="x.json")) == json.dumps(schema)


NODES = st.sampled_from(
    [
        {"type": "string"}, {"type": ["string", "integer"]}, {"enum": ["a", 1]}, {"const": "a"}, {"type": "string", "const": "a"},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "string", "anyOf": [{"minLength": 1}]}, {"oneOf": [{"type": "string"}]},
        {"allOf": [{"type": "string"}]}, {"$ref": "#/$defs/a"}, {"type": "string", "enum": ["a"]}, {}, {"title": "T"}, {"not": {"type": "null"}},
        {"anyOf": [{"type": "string"}], "enum": ["a"]}, {"if": {"type": "string"}, "then": {}, "else": False}, {"minLength": 1},
        {"type": "object", "oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]},
    ]
)  # fmt: skip


@given(NODES, st.sampled_from([None, "", "a", "b", 1, 2, {}, {"a": "a"}, {"a": 1}]))
def test_a_nullable_node_takes_null_and_what_it_took_before(node, value):
    """Whatever keyword it is made of."""
    defs = {"$defs": {"a": {"type": "string"}}}
    before, after = Validator({**node, **defs}), Validator({**nullable(node), **defs})

    assert after.fits(None)
    assert value is None or after.fits(value) == before.fits(value)
