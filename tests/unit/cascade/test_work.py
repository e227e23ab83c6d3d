"""What a step works on: a record that a fork changed is looked at anew, all that follows from it too."""

from __future__ import annotations

from cupel.cascade.work import as_whole, read_edits
from cupel.tables.rows import Row
from cupel.text import Twin, ground_record, take_over
from tests.outline import TEXT, outline, record
from tests.unit.cascade.factory import attempt, state


def written(task, **meta):
    """An attempt as the cascade leaves one."""
    evidence = ground_record(record(), task.schema, TEXT)
    document = state(text=TEXT, task="outline", meta=meta)
    return attempt(record=as_whole(record(), evidence, task, document), evidence=evidence)


def test_a_record_that_nobody_changed_is_as_it_was(tmp_path):
    """Computing again what was computed changes nothing."""
    task = outline(tmp_path)

    assert read_edits(state(written(task), text=TEXT), task) == []


def test_a_fork_that_changes_what_a_value_is_computed_from_changes_the_value(tmp_path):
    """Of quotes the places, of flags their share."""
    task = outline(tmp_path)
    made = written(task)
    changed = {**made["record"], "is_calm": False, "sections": made["record"]["sections"][1:]}
    (edited,) = read_edits(state({**made, "record": changed}, text=TEXT), task)

    assert edited["record"]["calm_and_fair"] == 0
    assert edited["record"]["sections"][0]["span"] == {"start": 0, "end": len(TEXT)}
    assert len(edited["evidence"]) == len(made["evidence"]) - 1


def test_a_near_duplicate_computes_what_is_its_own(tmp_path):
    """Its text is longer, and it may have another date."""
    task = outline(tmp_path)
    made = written(task, date="2025-03-10")
    original = {
        "status": "accepted", "record": made["record"], "evidence": made["evidence"], "reasons": [], "doc_id": "a",
        "attempts": [], "verdicts": [], "addenda": [],
    }  # fmt: skip
    row = Row(position=1, values={}, text=f"{TEXT} Thank you.", doc_id="b", inputs={"date": "2020-01-01"})
    taken = take_over(original, row, Twin(position=0, similarity=0.95, exact=False), task)

    assert taken is not None
    assert taken["record"]["events"][0]["date"] == "2019"
    assert taken["record"]["sections"][-1]["span"]["end"] == len(row.text)
    assert taken["record"]["reading"]["words"] == made["record"]["reading"]["words"] + 2
