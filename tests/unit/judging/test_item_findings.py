"""A judge's reply by items: what it may say, and what code makes of what it cannot."""

import pytest
from jsonschema import Draft202012Validator

from cupel.judging.item_findings import items_schema, read_items
from cupel.judging.items import items_of
from cupel.task import TaskCriterion, schema_problem, strict_form
from cupel.text import ground_record, grounder_of

from .records import SCHEMA, TEXT
from .test_estimate import RECORD


def read(*entries, missing=(), record=RECORD, schema=SCHEMA, text=TEXT):
    items = items_of(record, schema, ground_record(record, schema, text))
    return read_items(
        {"items": list(entries), "missing": list(missing)}, items, schema, grounder=grounder_of(text)
    )


def wrong(item, field, should_be=None):
    return {"item": item, "why": "See.", "finding": "wrong", "field": field, "should_be": should_be}


def found(*entries, at=1, **options):
    return read(*entries, **options).findings[at - 1]


def test_the_form_is_valid_and_strict_and_knows_the_tasks_own_lists_and_fields():
    """Every key is required, nothing is extra; why comes before what should be."""
    schema = items_schema(SCHEMA, [TaskCriterion("main", "Is it there?")])
    Draft202012Validator.check_schema(schema)
    fault = schema["$defs"]["fault"]

    assert fault["properties"]["field"]["enum"] == [
        "should not be here",
        "wrong list",
        "quote",
        "supports",
        "matter",
        "stance",
    ]
    assert list(fault["properties"])[:3] == ["item", "why", "finding"]
    assert schema["properties"]["missing"]["items"]["properties"]["list"]["enum"] == ["claims", "premises"]
    assert schema_problem({"items": [{"item": 1, "finding": "right"}, wrong(2, "quote")], "missing": [], "criteria": {
        "main": {"reasoning": "", "evidence_quote": None, "finding": "pass"}}}, schema) is None  # fmt: skip
    assert strict_form(schema).schema


def test_a_task_without_lists_is_asked_for_nothing_missing():
    """A record of single values has no list that could lack something."""
    schema = items_schema({"type": "object", "properties": {"mood": {"enum": ["glad", "sad"]}}})

    assert set(schema["properties"]) == {"items"}
    assert schema["$defs"]["fault"]["properties"]["field"]["enum"] == ["mood", "value"]


def test_the_form_is_small():
    """It is paid for with every document: under four hundred tokens for two lists."""
    import json

    assert len(json.dumps(items_schema(SCHEMA), separators=(",", ":"))) / 4 < 400


@pytest.mark.parametrize(
    ("told", "fault", "should_be", "criterion"),
    [
        (wrong(1, "should not be here"), "extra", None, "claims_extra"),
        (wrong(1, "wrong list", "premises"), "wrong list", "premises", "premises_as_claims"),
        (wrong(1, "wrong list"), "wrong list", "premises", "premises_as_claims"),
        (wrong(1, "quote", "act now"), "cut", "act now", "claims_cut"),
        (wrong(1, "quote", "words of nobody at all"), "cut", None, "claims_cut"),
        (wrong(1, "supports", "1"), "extra", None, "claims_extra"),
        (wrong(2, "supports", "item 1"), None, None, None),
        (wrong(2, "supports", None), "wrong label", None, "premises_supports"),
        (wrong(4, "stance", "Oppose"), "wrong label", "oppose", "stance"),
        (wrong(4, "stance", "perhaps"), "wrong label", None, "stance"),
        (wrong(3, "matter", "melting ice"), "other", "melting ice", "matter"),
    ],
)
def test_what_should_be_is_held_against_schema_record_and_document(told, fault, should_be, criterion):
    """A label is one of the schema's, a quote one of the document's, a reference an item there is; else nobody said."""
    one = found(told, at=told["item"])

    if fault is None:
        assert one.finding == "unknown"  # it refers to that item already
    else:
        assert (one.finding, one.fault, one.should_be, one.criterion) == ("fail", fault, should_be, criterion)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        ({"item": 9, "finding": "right"},),
        ({"item": 4, "finding": "right"}, wrong(4, "stance", "oppose")),
        (wrong(4, "stance", "support"),),
        ({"item": "4", "finding": "right"},),
    ],
    ids=["silent", "of another", "two things", "what it is", "no number"],
)
def test_what_cannot_be_is_unknown(entries):
    """Silence, a contradiction, and that it should be what it is say nothing of an item."""
    assert found(*entries, at=4).finding == "unknown"


@pytest.mark.parametrize(
    ("quote", "is_void"),
    [
        ("The ice melts in the north", False),
        ("We must act now", True),
        ("must act now", True),
        ("nobody ever said this", True),
        ("the ice melts in the north", False),
    ],
)
def test_what_is_missing_stands_in_the_document_and_in_no_item(quote, is_void):
    """A passage code cannot find, or that an item holds, is void."""
    reading = read(missing=[{"quote": quote, "list": "premises"}])

    assert bool(reading.void) == is_void
    assert len(reading.missing) == (not is_void)


def test_a_name_said_twice_may_be_missing_once_and_once_again_only():
    """The n-th time a passage is missed is its n-th place."""
    schema = {
        "type": "object",
        "properties": {"names": {"type": "array", "items": {"type": "string", "x-grounded": True}}},
    }
    text = "Rome is old. Rome is large. Rome is far."
    told = [{"quote": "Rome", "list": "names"}] * 3
    reading = read(missing=told, record={"names": ["Rome"]}, schema=schema, text=text)

    assert [one.start for one in reading.missing] == [13, 28]
    assert len(reading.void) == 1


def test_a_missing_label_is_told_by_its_name():
    """Of a list of labels the passage only shows it."""
    schema = {
        "type": "object",
        "properties": {"moods": {"type": "array", "items": {"enum": ["joy", "fear"]}}},
    }
    text = "I am glad, and afraid."
    told = [
        {"quote": "afraid", "list": "moods", "label": "fear"},
        {"quote": "glad", "list": "moods", "label": "joy"},
    ]
    reading = read(missing=told, record={"moods": ["joy"]}, schema=schema, text=text)

    assert [one.label for one in reading.missing] == ["fear"]
    assert len(reading.void) == 1


@pytest.mark.parametrize("reply", [None, [], {}, {"items": "all"}, "right"])
def test_a_reply_of_another_form_is_no_judgement(reply):
    """It is None, not a pass."""
    items = items_of(RECORD, SCHEMA, ground_record(RECORD, SCHEMA, TEXT))

    assert read_items(reply, items, SCHEMA, grounder=grounder_of(TEXT)) is None
