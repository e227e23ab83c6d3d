"""One walker of JSON Schema sees every value and every schema that speaks of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from jsonschema import Draft202012Validator

from cupel.errors import TaskError
from cupel.task.schema import strict_schema
from cupel.task.shape import Shape
from cupel.text import ground_record

QUOTE = {"type": "string", "x-grounded": True}
SAID = "Nobody ever said this"


def number(depth):
    """Another choice than the one with the quote, told apart at every depth."""
    return {
        "type": "object",
        "properties": {"kind": {"type": "string", "const": f"number {depth}"}, "value": {"type": "integer"}},
        "required": ["kind", "value"],
    }


def quotes(schema, record):
    """Pointers of the values marked as quotes."""
    return [
        part.pointer
        for part in Shape(schema).parts(record)
        if part.mark("x-grounded") and isinstance(part.value, str)
    ]


def refer(defs, node, name, *beside):
    """A reference to a new definition."""
    defs[name] = node
    return {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1')}", **dict(beside)}


def recursive(defs, node):
    """A definition that has the node and children of its own kind."""
    name = f"D{len(defs)}"
    kids = {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}
    made = {"type": "object", "properties": {"own": node, "kids": kids}, "required": ["own", "kids"]}
    return refer(defs, made, name)


WRAPPED = {
    "property": lambda n, v, d, k: ({"type": "object", "properties": {"a": n}, "required": ["a"]}, {"a": v}),
    "item": lambda n, v, d, k: ({"type": "array", "items": n}, [v, v]),
    "tuple": lambda n, v, d, k: ({"type": "array", "prefixItems": [{"type": "integer"}, n]}, [1, v]),
    "after a tuple": lambda n, v, d, k: ({"type": "array", "prefixItems": [{"type": "integer"}], "items": n}, [1, v]),
    "pattern": lambda n, v, d, k: (
        {"type": "object", "patternProperties": {"^q": n}, "additionalProperties": False}, {"q1": v},
    ),
    "any name": lambda n, v, d, k: ({"type": "object", "additionalProperties": n}, {"x/y~z": v}),
    "anyOf first": lambda n, v, d, k: ({"anyOf": [n, number(k)]}, v),
    "anyOf last": lambda n, v, d, k: ({"anyOf": [{"type": "null"}, number(k), n]}, v),
    "oneOf": lambda n, v, d, k: ({"oneOf": [number(k), n]}, v),
    "allOf": lambda n, v, d, k: ({"allOf": [{}, n]}, v),
    "ref": lambda n, v, d, k: (refer(d, n, f"D{len(d)}"), v),
    "ref with a description": lambda n, v, d, k: (refer(d, n, f"D{len(d)}", ("description", "what it is")), v),
    "escaped ref": lambda n, v, d, k: (refer(d, n, f"D{len(d)}/~x"), v),
    "chain of refs": lambda n, v, d, k: (refer(d, refer(d, n, f"D{len(d)}"), f"C{len(d)}"), v),
    "recursion": lambda n, v, d, k: (recursive(d, n), {"own": v, "kids": [{"own": v, "kids": []}]}),
    "if": lambda n, v, d, k: ({"if": {"type": "integer"}, "then": {}, "else": n}, v),
}  # fmt: skip
"""Each keyword around a node: the schema, and a value for it, of node, value, definitions and depth."""

KINDS = tuple(WRAPPED)


def built(kinds):
    """A schema with a quote inside all these keywords, and a record for it."""
    defs = {}
    node, value = QUOTE, SAID
    for depth, kind in enumerate(kinds):
        node, value = (WRAPPED | UNSENT)[kind](node, value, defs, depth)
    schema = {"type": "object", "properties": {"x": node}, "required": ["x"], "$defs": defs}
    return schema, {"x": value}


def strings(value):
    """How often the quote stands in a record."""
    if isinstance(value, dict):
        return sum(map(strings, value.values()))
    return sum(map(strings, value)) if isinstance(value, list) else int(value == SAID)


UNSENT = {
    "then": lambda n, v, d, k: ({"if": {}, "then": n}, v),
    "contains": lambda n, v, d, k: ({"type": "array", "contains": n}, [v, None]),
    "unevaluated items": lambda n, v, d, k: ({"type": "array", "prefixItems": [{}], "unevaluatedItems": n}, [1, v]),
    "unevaluated names": lambda n, v, d, k: ({"type": "object", "properties": {"a": {}}, "unevaluatedProperties": n}, {"a": 1, "b": v}),
    "dependent": lambda n, v, d, k: (
        {"type": "object", "properties": {"a": {}}, "dependentSchemas": {"a": {"properties": {"b": n}}}}, {"a": 1, "b": v},
    ),
    "beside a union": lambda n, v, d, k: (
        {"type": "object", "properties": {"a": n}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": v},
    ),
    "two at once": lambda n, v, d, k: ({"allOf": [{"type": "object", "properties": {"a": {}}}, {"properties": {"a": n}}]}, {"a": v}),
    "a reference into a property": lambda n, v, d, k: (
        refer(d, {"type": "object", "properties": {"a": n}}, f"P{len(d)}") | {"$ref": f"#/$defs/P{len(d) - 1}/properties/a"}, v,
    ),
}  # fmt: skip
"""More ways to a value, by what no strict mode takes."""

ROOTS = {
    "an object": lambda schema: schema,
    "a reference": lambda schema: {
        "$ref": "#/$defs/root", "$defs": {**schema["$defs"], "root": {k: v for k, v in schema.items() if k != "$defs"}},
    },
    "parts": lambda schema: {"allOf": [{k: v for k, v in schema.items() if k != "$defs"}, {"title": "T"}], "$defs": schema["$defs"]},
    "definitions of old": lambda schema: json.loads(json.dumps(schema).replace("$defs", "definitions")),
}  # fmt: skip


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from([*KINDS, *UNSENT]), max_size=4), st.sampled_from(sorted(ROOTS)))
def test_a_quote_is_seen_wherever_it_stands(kinds, root):
    """Every keyword that leads to a value, in every other, four deep, below every kind of root; and as a task has it."""
    schema, record = built(kinds)
    schema = ROOTS[root](schema)
    assert Draft202012Validator(schema).is_valid(record)
    assert len(quotes(schema, record)) == strings(record), schema

    strict = strict_schema(schema, path="test")
    invented = ground_record(record, strict, "Somebody said that.")
    assert [entry["match"] for entry in invented] == ["absent"] * strings(record), strict


def test_a_choice_the_value_does_not_fit_has_nothing_to_say():
    """A label that happens to be text is no quote because another choice has one."""
    label = {
        "type": "object",
        "properties": {"kind": {"const": "label"}, "text": {"type": "string"}},
        "required": ["kind", "text"],
    }
    claim = {
        "type": "object",
        "properties": {"kind": {"const": "claim"}, "text": QUOTE},
        "required": ["kind", "text"],
    }
    schema = {"type": "object", "properties": {"x": {"type": "array", "items": {"anyOf": [label, claim]}}}}

    assert quotes(schema, {"x": [{"kind": "label", "text": "a"}, {"kind": "claim", "text": "b"}]}) == [
        "/x/1/text"
    ]


def test_a_mark_on_a_list_is_its_entries():
    """`"evidence": {"type": "array", "x-grounded": true}` means each of them."""
    schema = {
        "type": "object",
        "properties": {"e": {"type": "array", "items": {"type": "string"}, "x-grounded": True}},
    }

    assert quotes(schema, {"e": ["a", "b"]}) == ["/e/0", "/e/1"]


def test_a_mark_beside_a_reference_counts():
    """What stands beside `$ref` holds as well."""
    schema = {
        "type": "object",
        "properties": {"q": {"$ref": "#/$defs/T", "x-grounded": True}},
        "$defs": {"T": {"type": "string"}},
    }

    assert quotes(schema, {"q": "a"}) == ["/q"]


def test_a_reference_at_the_root_is_followed():
    """A recursive pydantic class has nothing else there."""
    node = {
        "type": "object",
        "properties": {"q": QUOTE, "kids": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
    }
    schema = {"$ref": "#/$defs/N", "$defs": {"N": node}}

    assert quotes(schema, {"q": "a", "kids": [{"q": "b", "kids": []}]}) == ["/q", "/kids/0/q"]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("http://127.0.0.1:9/schema.json", "nothing is fetched"),
        ("other.json#/x", "nothing is fetched"),
        ("#/$defs/Nobody", "leads to nothing"),
        ("#/$defs/Self", "circle"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error_when_the_schema_is_read(reference, words):
    """Not in the middle of a run, and never a request to an address."""
    schema = {
        "type": "object",
        "properties": {"x": {"$ref": reference}},
        "$defs": {"Self": {"$ref": "#/$defs/Self"}},
    }

    with pytest.raises(TaskError, match=words):
        Shape(schema).check()


def test_what_all_choices_share_is_put_into_each():
    """Properties beside a union hold for every choice."""
    schema = {
        "type": "object",
        "properties": {"q": QUOTE},
        "anyOf": [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {"type": "integer"}}}],
    }

    assert [sorted(variant["properties"]) for variant in Shape(schema).variants(schema)] == [
        ["a", "q"],
        ["b", "q"],
    ]
