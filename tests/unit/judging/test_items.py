"""A record as numbered items: every value once, in the order of the document."""

import random

import pytest

from cupel.judging.items import items_of, kinds_of, show_items
from cupel.text import ground_record

from .records import SCHEMA, TEXT, draw_record

NESTED = {
    "type": "object",
    "properties": {
        "site": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "a/b": {"type": "array", "items": {"enum": ["x", "y"]}},
            },
        },
        "mood": {"enum": ["glad", "sad", None]},
    },
}


def items(record, schema=SCHEMA, text=TEXT):
    return items_of(record, schema, ground_record(record, schema, text))


@pytest.mark.parametrize("seed", range(20))
def test_every_entry_and_every_single_value_is_one_item(seed):
    """Nothing of a record goes unjudged, and nothing is judged twice, whatever is in it."""
    record = draw_record(random.Random(seed))
    found = items(record)
    entries = [f"/{name}/{at}" for name in ("claims", "premises") for at in range(len(record[name]))]

    assert sorted(item.path for item in found) == sorted([*entries, "/matter", "/stance"])
    assert [item.number for item in found] == list(range(1, len(found) + 1))
    starts = [item.start for item in found if item.is_entry]
    assert starts == sorted(starts)


def test_objects_are_opened_and_lists_in_them_too():
    """A value inside an object is an item of its own, however its name is written."""
    found = items({"site": {"city": "Rome", "a/b": ["x"]}, "mood": None}, NESTED)

    assert {(item.path, item.is_entry) for item in found} == {
        ("/site/a~1b/0", True),
        ("/site/city", False),
        ("/mood", False),
    }
    assert set(kinds_of(NESTED).lists) == {"site/a~1b"}


def test_what_gold_leaves_out_is_no_item():
    """A record that says nothing of a field, not even null, is not asked about it."""
    assert [item.name for item in items({"claims": [], "premises": []})] == []


def test_items_are_shown_with_what_their_references_name():
    """The judge sees the number of an item where the record has an id, and the neighbours of a word said twice."""
    record = {
        "claims": [{"id": 7, "quote": "We must act now"}],
        "premises": [{"quote": "waiting costs more", "supports": 7}, {"quote": "The ice", "supports": None}],
        "matter": "",
        "stance": "support",
    }
    shown = show_items(items(record), SCHEMA, TEXT).splitlines()

    assert shown[0] == '1. claims: "We must act now"'
    assert shown[1].startswith('2. premises: "waiting costs more" (in “…') or shown[1].endswith(
        "supports: item 1"
    )
    assert "supports: item 1" in shown[1]
    assert shown[-2:] == ["4. matter: (empty)", "5. stance: support"]
    assert "supports: nothing" in shown[2]
