"""A reference to nothing and an id given twice are seen, whatever the rest is worth."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest

from cupel.judging.checks import code_checks
from cupel.judging.references import reference_faults
from cupel.task.folder import load_task

TASK = load_task("arguments", Path(__file__).parents[3] / "prompts")
SCHEMA = TASK.schema
RECORD = {
    "matter": "homes",
    "claims": [{"id": 1, "quote": "we must build"}, {"id": 2, "quote": "we must pay"}],
    "premises": [{"quote": "rents rose", "supports": 1}, {"quote": "people wait", "supports": None}],
    "stance": "support",
}


def test_a_sound_record_has_none():
    """Null refers to nothing, and needs nothing to be there."""
    assert list(reference_faults(RECORD, SCHEMA)) == []


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        pytest.param(
            lambda r: r["premises"][0].update(supports=8), "reference", id="to a claim that is not there"
        ),
        pytest.param(lambda r: r["claims"].clear(), "reference", id="to a list that is empty"),
        pytest.param(lambda r: r["claims"][1].update(id=1), "id", id="given twice"),
    ],
)
def test_what_is_wrong_is_one_fault_that_says_where(spoil, check):
    """The judge's code checks find it too, so no sum of criteria outvotes it."""
    record = copy.deepcopy(RECORD)
    spoil(record)
    faults = list(reference_faults(record, SCHEMA))

    assert [name for name, _ in faults] == [check]
    assert faults[0][1].startswith("/")
    assert check in {finding.criterion for finding in code_checks(record, TASK, [], text="")}


def test_every_dangling_reference_and_double_id_is_found_in_random_records():
    """Two hundred records with one spoiled place each."""
    drawing = random.Random(7)
    for _ in range(200):
        ids = drawing.sample(range(100), drawing.randint(1, 9))
        record = {
            **RECORD,
            "claims": [{"id": each, "quote": f"claim {each}"} for each in ids],
            "premises": [
                {"quote": f"premise {n}", "supports": drawing.choice([None, *ids])}
                for n in range(drawing.randint(1, 9))
            ],
        }
        assert list(reference_faults(record, SCHEMA)) == []
        drawing.choice(record["premises"])["supports"] = 100
        record["claims"].append({"id": drawing.choice(ids), "quote": "once more"})

        assert sorted(name for name, _ in reference_faults(record, SCHEMA)) == ["id", "reference"]


def test_a_number_and_a_text_are_two_ids():
    """1 is not "1", as JSON has them."""
    item = {"type": "object", "properties": {"id": {"x-id": True}, "of": {"x-refers-to": "items/id"}}}
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": item}}}

    assert [name for name, _ in reference_faults({"items": [{"id": 1, "of": "1"}]}, schema)] == ["reference"]
