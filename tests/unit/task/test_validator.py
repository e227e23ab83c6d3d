"""A value is held against a schema as the standard has it, and what does not fit is said so that it can be mended."""

import json
import random

import pytest
from jsonschema import Draft202012Validator

from cupel.errors import TaskError
from cupel.project import find_project
from cupel.task.folder import load_task, task_names
from cupel.task.validator import Validator

VALUES = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    -3,
    2.5,
    "",
    "a",
    "support",
    [],
    ["a"],
    [1, "a"],
    {},
    {"a": 1},
    {"a": None},
]
SCHEMAS = [
    {"type": "integer"}, {"type": "number"}, {"type": ["string", "null"]}, {"enum": [1, True, "a", None]}, {"const": 0},
    {"minimum": 1}, {"maximum": 1}, {"minLength": 1}, {"maxItems": 0}, {"items": {"type": "string"}}, {"not": {}},
    {"properties": {"a": {"type": "integer"}}, "additionalProperties": False}, {"required": ["a"]}, {"pattern": "^s"},
    {"additionalProperties": {"type": "null"}}, {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/b"}], "$defs": {"b": {"const": "a"}}},
    {"type": "array", "items": {"$ref": "#"}}, {"uniqueItems": True}, {"prefixItems": [{"type": "string"}], "items": False},
    {"oneOf": [{"type": "integer"}, {"minimum": 1}]}, {"patternProperties": {"^a": {"type": "null"}}}, {"contains": {"const": "a"}},
    {"if": {"type": "string"}, "then": {"minLength": 1}}, {"unevaluatedProperties": False, "allOf": [{"properties": {"a": {}}}]},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_a_value_fits_where_the_standards_other_reader_says_so(schema):
    """Whatever the keyword, jsonschema and we agree."""
    validator = Validator(schema)
    for value in VALUES:
        assert validator.fits(value) == Draft202012Validator(schema).is_valid(value), value
        assert (validator.problem(value) is None) == validator.fits(value), value


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/nowhere"}, {"type": "text"}, {"pattern": "("}, {"$ref": "http://127.0.0.1:9/x"}]
)
def test_what_is_no_schema_is_said_when_it_is_compiled(schema):
    """Not at the first record, and nothing is fetched to find out."""
    with pytest.raises(TaskError, match="not a JSON Schema"):
        Validator(schema)


@pytest.mark.parametrize(
    ("value", "where", "words"),
    [
        pytest.param({"side": "pro"}, "side", '"pro" is not one of "for", "against", null', id="a label"),
        pytest.param({"side": "for", "of": "8"}, "of", '"8" is not of type "integer"', id="in a union"),
        pytest.param(
            {"side": "for", "list": [{"kind": "b", "n": "x"}]}, "list/0/n", "integer", id="the choice meant"
        ),
        pytest.param(
            {"side": "for", "list": [{"kind": "c", "n": 1}]},
            "list/0/kind",
            'one of "a", "b"',
            id="no such choice",
        ),
        pytest.param({}, "top level", '"side" is a required property', id="left out"),
        pytest.param({"side": "for", "sied": 1}, "top level", "'sied'", id="not known"),
        pytest.param(
            {"side": ["for"] * 500}, "side", 'is not one of "for", "against", null', id="a long value"
        ),
        pytest.param({"side": "\ud800"}, "top level", "surrogates", id="half a character"),
    ],
)
def test_what_does_not_fit_is_said_with_place_value_and_what_would(value, where, words):
    """These words are what the model is shown to repair its reply, and what a person reads."""
    kinds = [
        {"type": "object", "properties": {"kind": {"const": kind}, "n": {"type": "integer"}}, "required": ["kind", "n"]}
        for kind in "ab"
    ]  # fmt: skip
    schema = {
        "type": "object",
        "properties": {
            "side": {"enum": ["for", "against", None]},
            "of": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "list": {"type": "array", "items": {"anyOf": kinds}},
        },
        "required": ["side"],
        "additionalProperties": False,
    }
    problem = Validator(schema).problem(value)

    assert f"at {where}:" in problem
    assert words in problem
    assert len(problem) < 400


def test_a_pattern_takes_no_time_whatever_it_meets():
    """What takes Python's patterns longer than a lifetime is a matter of microseconds."""
    assert not Validator({"pattern": "^(a+)+$"}).fits("a" * 5_000 + "!")


def mutated(value, rng):
    """The value with one part of it exchanged, dropped or added."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        if rng.random() < 0.2:
            return {key: part for key, part in value.items() if key != name}
        if rng.random() < 0.1:
            return {**value, "extra": 1}
        return {**value, name: mutated(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        index = rng.randrange(len(value))
        return [mutated(part, rng) if n == index else part for n, part in enumerate(value)]
    return rng.choice(VALUES)


@pytest.mark.parametrize("name", task_names(find_project().prompts))
def test_the_tasks_own_records_fit_and_their_mutants_are_judged_alike(name):
    """On the schemas that are really used, too."""
    rng = random.Random(7)
    task = load_task(name, find_project().prompts)
    ours, theirs = Validator(task.schema), Draft202012Validator(task.schema)
    records = [example.record for example in task.examples]
    assert all(ours.fits(record) for record in records)
    for _ in range(100):
        record = mutated(rng.choice(records or [{}]), rng)
        assert ours.fits(record) == theirs.is_valid(record), record


MANY = [
    ({"items": {"type": "object", "properties": {"id": {"type": "integer"}}}}, [{"id": 1}] * 9_000, {"id": "1"}, "9000/id"),
    ({"additionalProperties": {"type": "integer"}}, {f"k{n}": n for n in range(9_000)}, None, "more"),
    ({"items": {"items": {"maximum": 1}}}, [[0, 1]] * 9_000, [0, 2], "9000/1"),
    ({"maxItems": 9_000}, ["a"] * 9_000, "a", ""),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "values", "odd", "where"), MANY)
def test_one_odd_value_among_thousands_is_named(schema, values, odd, where):
    """However long a value is, it fits or its fault is said, and at its place."""
    validator = Validator(schema)
    spoiled = {**values, "more": odd} if isinstance(values, dict) else [*values, odd]

    assert validator.problem(values) is None
    assert [fault.where for fault in validator.faults(spoiled)] == [where]


def test_of_a_hundred_thousand_faults_one_is_made():
    """The validator would make all of them before the first could be read: seconds for a megabyte."""
    validator = Validator({"items": {"type": "string"}})

    assert len(validator.faults([1] * 100_000)) == 1
    assert len(validator.faults([1] * 50)) == 50
