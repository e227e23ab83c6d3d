"""The records of overlapping windows become one record of the whole document."""

import pytest

from cupel.state import Evidence
from cupel.task import TaskSpec
from cupel.text.window_merge import WindowRecord, merge_windows

QUOTED = {"id": {"type": "string", "x-id": True}, "quote": {"type": "string", "x-grounded": True}}
SCHEMA = {
    "properties": {
        "claims": {"type": "array", "items": {"properties": QUOTED}},
        "premises": {
            "type": "array",
            "items": {"properties": {**QUOTED, "claim": {"type": "string", "x-refers-to": "claims/id"}}},
        },
        "stance": {"type": "string"},
    }
}


def task(**merge: str) -> TaskSpec:
    """A task with claims, premises that refer to them, and a stance."""
    return TaskSpec(name="t", title="", description="", schema=SCHEMA, prompts={}, merge=merge)


def at(path: str, start: int) -> Evidence:
    """A quote of five characters that stands verbatim where it is said to."""
    return Evidence(
        path=path, quote="quote", match="verbatim", start=start, end=start + 5,
        parts=[[start, start + 5]], similarity=1.0, diff="",
    )  # fmt: skip


def window(*claims: int, stance: str | None = None, premise_of: str | None = None) -> WindowRecord:
    """One window's record: a claim at each place, numbered from c1."""
    record = {
        "claims": [{"id": f"c{number}", "quote": "quote"} for number, _ in enumerate(claims, 1)],
        "premises": [{"id": "p1", "quote": "quote", "claim": premise_of}] if premise_of else [],
        "stance": stance,
    }
    premise = [at("/premises/0/quote", 900 + claims[-1])] if premise_of else []
    return WindowRecord(record, [at(f"/claims/{n}/quote", place) for n, place in enumerate(claims)] + premise)


def test_an_item_that_two_windows_saw_is_kept_once():
    """The same place in the document is the same item, whatever its id in either window."""
    record, evidence = merge_windows(task(), [window(10, 50), window(50, 90)])

    assert [claim["id"] for claim in record["claims"]] == ["c1", "c2", "c3"]
    assert [(entry["path"], entry["start"]) for entry in evidence] == [
        ("/claims/0/quote", 10), ("/claims/1/quote", 50), ("/claims/2/quote", 90),
    ]  # fmt: skip


def test_a_reference_follows_the_new_id_of_what_it_refers_to():
    """The second window's c1 is the document's c2, and its premise's claim becomes that."""
    record, _ = merge_windows(task(), [window(10, 50, premise_of="c1"), window(50, 90, premise_of="c1")])

    assert [(premise["id"], premise["claim"]) for premise in record["premises"]] == [
        ("p1", "c1"),
        ("p2", "c2"),
    ]


def test_a_reference_to_nothing_becomes_null():
    """An id that no claim of the window has cannot be followed."""
    record, _ = merge_windows(task(), [window(10, premise_of="c7"), window(50)])

    assert record["premises"][0]["claim"] is None


@pytest.mark.parametrize(
    ("rule", "merged"),
    [
        ("first", "no"),
        ("last", "yes"),
        ("longest", "perhaps"),
        ("majority", "yes"),
        ("join", "no yes perhaps"),
    ],
)
def test_a_single_value_goes_by_the_tasks_rule(rule, merged):
    """Windows without the value have no say."""
    stances = [None, "no", "yes", "perhaps", "yes"]
    record, _ = merge_windows(task(stance=rule), [window(10, stance=stance) for stance in stances])

    assert record["stance"] == merged


def test_one_window_is_the_whole_document():
    """Nothing is renumbered, and nothing copied."""
    only = window(10, stance="yes")

    assert merge_windows(task(), [only]) == (only.record, only.evidence)
