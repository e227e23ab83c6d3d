"""The quick yes agrees with jsonschema: it never says yes to what jsonschema refuses."""

import json
import random

import pytest
from jsonschema import Draft202012Validator

from cupel.judging.findings import judge_schema
from cupel.project import find_project
from cupel.task.folder import load_task, task_names
from cupel.task.schema_check import surely_fits

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
    {"$ref": "#/nowhere"}, {"type": "array", "items": {"$ref": "#"}}, {"uniqueItems": True}, {"type": "text"}, {"pattern": "("},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_a_quick_yes_is_never_a_no_of_jsonschema(schema):
    """Whatever the keyword, a yes holds, and what is not understood is left to jsonschema."""
    for value in VALUES:
        if surely_fits(value, schema):
            assert Draft202012Validator(schema).is_valid(value), value


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
    """On the schemas that are really used the quick answer is the answer: thousands of records are alike."""
    rng = random.Random(7)
    task = load_task(name, find_project().prompts)
    validator = Draft202012Validator(task.schema)
    records = [example.record for example in task.examples]
    assert all(surely_fits(record, task.schema) for record in records)
    for _ in range(300):
        record = mutated(rng.choice(records or [{}]), rng)
        quick, slow = surely_fits(record, task.schema), validator.is_valid(record)
        assert slow or not quick, record


def test_a_judgement_is_answered_quickly():
    """The judge's schema refers to one definition; its replies need no jsonschema."""
    task = load_task("arguments", find_project().prompts)
    schema = judge_schema(task.criteria)
    finding = {"reasoning": "so", "evidence_quote": None, "finding": "pass"}
    assert surely_fits({criterion.id: finding for criterion in task.criteria}, schema)
    assert not surely_fits(
        {criterion.id: {**finding, "finding": "maybe"} for criterion in task.criteria}, schema
    )
