"""Items as rows of their own: every item once, its place right, its references in words, and the record back without loss."""

from __future__ import annotations

import itertools
import json

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from cupel.errors import InputError
from cupel.tables.tidy import Level, read_record, tidy_of
from cupel.task.field import field_of
from cupel.task.folder import load_task, task_names
from cupel.task.schema import grounded_quotes, strict_schema
from cupel.text.computed import complete_record
from cupel.text.evidence import ground_record, shift
from cupel.text.window_merge import WindowRecord, merge_windows
from tests.conftest import ROOT

PROMPTS = ROOT / "prompts"


def untidy(level: Level, rows, cells, pointer=""):
    """The value a level's rows were made of."""
    if level.entry:
        return cells[level.entry]
    made: dict = {}
    absent = []
    for path, column in level.presence.items():
        if path not in level.lists and not any(path[: len(above)] == above for above in absent):
            put(made, path, {} if cells[column] else None)
            absent += [] if cells[column] else [path]
    for value in level.values:  # noqa: PD011  # a list of ours
        if not any(value.path[: len(path)] == path for path in absent):
            put(made, value.path, cells[value.column])
    for path, entry in level.lists.items():
        if any(path[: len(above)] == above for above in absent):
            continue
        below = pointer + "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in path)
        mine = [row for row in rows if (row["item_pointer"] or "").rpartition("/")[0] == below]
        is_null = path in level.presence and cells[level.presence[path]] is None
        put(made, path, None if is_null else [untidy(entry, rows, row, row["item_pointer"]) for row in mine])
    return made


def put(made, path, value):
    """Set what stands at a path."""
    for name in path[:-1]:
        made = made.setdefault(name, {})
    made[path[-1]] = value


def count_entries(record, schema):
    """How many entries lists have that columns do not hold whole."""
    tidy = tidy_of(schema)

    def count(level, holder):
        total = 0
        for path, entry in level.lists.items():
            there = holder
            for name in path:
                there = there.get(name) if isinstance(there, dict) else None
            for item in there or []:
                total += 1 + count(entry, item)
        return total

    return count(tidy.record, record)


@pytest.mark.parametrize("name", task_names(PROMPTS))
def test_every_shipped_task_goes_to_rows_and_back(name):
    """On its own worked examples: each item once, at its place in the text."""
    task = load_task(name, PROMPTS)
    assert task.examples
    for example in task.examples:
        evidence = ground_record(example.record, task.schema, example.text)
        record = complete_record(example.record, task, evidence, text=example.text, inputs={})
        rows = list(tidy_of(task.schema).rows(record, evidence))
        pointers = [row["item_pointer"] for row in rows if row["item_pointer"]]

        assert untidy(tidy_of(task.schema).record, rows, rows[0]) == record
        assert len(pointers) == len(set(pointers)) == count_entries(record, task.schema)
        for row in rows:
            if row["item_match"] == "verbatim":
                assert example.text[row["item_start"] : row["item_end"]] == row["item_text"]
            # an item whose quotes are a list of its own has none beside it: they are rows themselves
            assert row["item_match"] is None or row["item_pointer"] is not None


NAMES = ["id", "quote", "list", "text", "start", "a", "a_b", "b", "x/y", "value", "parts", "count"]
_numbers = itertools.count()


@st.composite
def schemas(draw, depth=3):
    """An object's schema, with a strategy of its records."""
    properties, parts = {}, {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        properties[name], parts[name] = draw(places(depth - 1))
    schema = {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip
    return schema, st.fixed_dictionaries(parts)


@st.composite
def places(draw, depth):
    """The schema of any place, with a strategy of its values."""
    kinds = ["quote", "string", "integer", "boolean", "labels", "union", "open"]
    kind = draw(st.sampled_from(kinds + (["object", "array", "array"] if depth > 0 else [])))
    schema, values = {
        "quote": ({"type": "string", "x-grounded": True}, st.builds(lambda: f"word{next(_numbers)} said")),
        "string": ({"type": "string"}, st.text(max_size=5)),
        "integer": ({"type": "integer"}, st.integers()),
        "boolean": ({"type": "boolean"}, st.booleans()),
        "labels": ({"type": "string", "enum": ["x", "y"]}, st.sampled_from(["x", "y"])),
        "union": ({"type": ["string", "integer"]}, st.one_of(st.text(max_size=3), st.integers())),
        "open": ({"type": "object", "additionalProperties": {"type": "string"}}, st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)),
    }.get(kind, (None, None))  # fmt: skip
    if kind == "object":
        schema, values = draw(schemas(depth))
    if kind == "array":
        item, entries = draw(places(depth - 1))
        schema, values = {"type": "array", "items": item}, st.lists(entries, max_size=3)
    if kind not in ("open", "union") and draw(st.booleans()):
        schema = {"anyOf": [schema, {"type": "null"}]} if kind != "labels" else {"enum": ["x", "y", None]}
        values = st.none() | values
    return schema, values


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_nested_record_goes_to_rows_and_back_without_loss(data):
    """Lists in items, objects in objects, what is null and what is empty, fields named as the columns are."""
    schema, records = data.draw(schemas())
    record = data.draw(records)
    text = "Then " + " and then ".join(quote for _, quote in grounded_quotes(record, schema)) + " at last."
    evidence = ground_record(record, schema, text)
    tidy = tidy_of(schema)
    rows = list(tidy.rows(record, evidence))
    pointers = [row["item_pointer"] for row in rows if row["item_pointer"]]

    assert untidy(tidy.record, rows, rows[0]) == record
    assert len(pointers) == len(set(pointers)) == count_entries(record, schema)
    assert all(set(row) == set(tidy.columns) for row in rows)
    for row in rows:
        if row["item_start"] is not None:
            assert text[row["item_start"] : row["item_end"]] == row["item_text"]


CLAIM = {
    "type": "object",
    "properties": {"id": {"type": "integer", "x-id": True}, "quote": {"type": "string", "x-grounded": True}},
}
PREMISE = {"type": "object", "properties": {
    "quote": {"type": "string", "x-grounded": True},
    "supports": {"type": ["integer", "null"], "x-refers-to": "claims/id"},
    "also": {"type": "array", "items": {"type": "integer", "x-refers-to": "claims/id"}},
    "source": {"type": "string", "x-grounded": True},
}}  # fmt: skip
ARGUMENTS = strict_schema(
    {"type": "object", "properties": {"premises": {"type": "array", "items": PREMISE}, "claims": {"type": "array", "items": CLAIM}}},
    path="test",
)  # fmt: skip


def test_references_are_resolved_to_the_words_they_refer_to():
    """Whichever list comes first, one or several; a reference to nothing is nothing in words."""
    record = {
        "premises": [
            {"quote": "Rents rose", "supports": 2, "also": [1, 9], "source": "in 2020"},
            {"quote": "It rained", "supports": None, "also": [], "source": "nowhere said"},
        ],
        "claims": [{"id": 1, "quote": "we must build"}, {"id": 2, "quote": "we must act"}],
    }
    text = "Rents rose in 2020, so we must build; we must act. It rained."
    rows = list(tidy_of(ARGUMENTS).rows(record, ground_record(record, ARGUMENTS, text)))

    assert [row["item_supports_text"] for row in rows] == ["we must act", None, None, None]
    assert [row["item_also_text"] for row in rows] == [["we must build", None], [], None, None]
    assert [row["item_source_match"] for row in rows] == ["verbatim", "absent", None, None]
    assert text[rows[0]["item_source_start"] : rows[0]["item_source_end"]] == "in 2020"


def test_an_elided_quote_has_its_parts():
    """From its first word to its last, and each part of it; others have no parts to tell."""
    record = {
        "premises": [],
        "claims": [
            {"id": 1, "quote": "We must act here and now … build more homes for the young"},
            {"id": 2, "quote": "at once"},
        ],
    }
    text = (
        "We must act here and now, as I have often said before, and build more homes for the young at once."
    )
    rows = list(tidy_of(ARGUMENTS).rows(record, ground_record(record, ARGUMENTS, text)))

    assert [row["item_match"] for row in rows] == ["elided", "verbatim"]
    assert text[rows[0]["item_start"] : rows[0]["item_end"]] == text[: text.index(" at once")]
    assert [text[slice(*part)] for part in rows[0]["item_parts"]] == [
        "We must act here and now",
        "build more homes for the young",
    ]
    assert rows[1]["item_parts"] is None


def test_items_of_windows_stand_at_their_places_in_the_whole():
    """The evidence of a run says in which window a quote was seen, and the rows have it so."""
    task = load_task("arguments", PROMPTS)
    half = "We must act. That is all there is to say. "
    text = half + half
    seen = {"matter": "m", "claims": [{"id": 1, "quote": "We must act"}], "premises": [], "stance": "none"}
    second = WindowRecord(seen, shift(ground_record(seen, task.schema, half), len(half)))
    empty = {**seen, "claims": []}
    record, evidence = merge_windows(task, [WindowRecord(empty, []), second])
    [row] = tidy_of(task.schema).rows(record, evidence)

    assert (row["item_start"], row["item_pointer"]) == (len(half), "/claims/0")
    assert text[row["item_start"] : row["item_end"]] == "We must act"


def test_a_document_without_items_has_one_row():
    """It is not lost, whether its record is empty or there is none; no item is told of it."""
    for record in (None, {"premises": [], "claims": []}):
        [row] = tidy_of(ARGUMENTS).rows(record, [])

        assert {value for name, value in row.items() if name.startswith("item_")} == {None}


def test_own_columns_of_these_names_are_refused():
    """Neither of the two would be known by its name."""
    with pytest.raises(InputError, match="has the columns 'item_list' already"):
        tidy_of(ARGUMENTS).check(["text", "item_list"], source="debates.csv")


@pytest.mark.parametrize("value", [{"a": 1}, '{"a": 1}', pd.Series([{"a": 1}])[0]])
def test_records_are_read_as_they_stand_in_a_cell(value):
    """A dict, a struct, or the JSON text of a CSV file."""
    assert read_record(value, row=1, source="x") == {"a": 1}


@pytest.mark.parametrize("value", [None, "", float("nan"), pd.NA])
def test_no_record_is_none(value):
    """As the row of a document that failed has it."""
    assert read_record(value, row=1, source="x") is None


@pytest.mark.parametrize("value", ["{", "[1]", 3, ["a"]])
def test_a_cell_that_is_no_record_is_named_by_its_row(value):
    """Another column was meant."""
    with pytest.raises(InputError, match="x: row 7: "):
        read_record(value, row=7, source="x")


def test_a_schema_that_leads_back_to_itself_has_an_end():
    """A tree is rows as far as its schema says anew, and a value below."""
    node = {"type": "object", "properties": {"name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["name", "below"], "additionalProperties": False}  # fmt: skip
    schema = {
        "type": "object",
        "properties": {"root": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "$defs": {"node": node},
    }
    leaf = {"name": "c", "below": []}
    record = {"root": [{"name": "a", "below": [{"name": "b", "below": [leaf]}]}]}
    rows = list(tidy_of(schema).rows(record, []))

    assert untidy(tidy_of(schema).record, rows, rows[0]) == record
    assert field_of(schema).fields["root"].kind == "array"
    assert json.dumps(rows)
