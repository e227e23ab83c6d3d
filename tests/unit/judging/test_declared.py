"""What a task declares under [checks]: each fault is found, in words that say what to do, and a right record has none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cupel.judging import code_checks
from cupel.judging.declared import declared_faults
from cupel.text import complete_record, ground_record
from tests.outline import TAXONOMY, TEXT, outline, record, spoiled

INPUTS = {"date": "2025-03-10", "taxonomy": TAXONOMY, "topics": "Homes, Farms"}


def faults(task, said, text=TEXT, **inputs):
    """Checks that fail, each with its words."""
    evidence = ground_record(said, task.schema, text)
    return list(declared_faults(said, task, evidence, text=text, inputs={**INPUTS, **inputs}))


def test_a_record_as_it_should_be_has_no_fault(tmp_path):
    """Nor has it one for what code filled in."""
    task = outline(tmp_path)
    evidence = ground_record(record(), task.schema, TEXT)
    whole = complete_record(record(), task, evidence, text=TEXT, inputs=INPUTS)

    assert faults(task, record()) == []
    assert code_checks(whole, task, evidence, text=TEXT, inputs=INPUTS) == ()


@pytest.mark.parametrize(
    ("changed", "check", "said"),
    [
        (("events", 0, "iso", "March 2025"), "iso", "/events/0/iso: 'March 2025' is no date of ISO 8601"),
        (("events", 0, "iso", "2025-02-30"), "iso", "write 2025, 2025-03 or 2025-03-10, or null"),
        (
            ("sections", 0, "path", "Housing"),
            "paths",
            "'Housing' is not in taxonomy; did you mean 'Society > Housing'?",
        ),
        (("sections", 0, "path", "Sport"), "paths", "'Sport' is not in taxonomy; choose one that is there"),
        (("themes", 0, "Ships"), "values", "/themes/0: 'Ships' is not in topics"),
        (("citations", 0, "normal", "Art. 13(3)"), "digits", "no 13 stands in 'Article 12(3)'"),
        (("sections", 0, "begins", "we must build"), "cover", "'we must build' is not where the text begins"),
        (("sections", 1, "begins", "Madam"), "cover", "begins no further on than the one before it"),
    ],
)
def test_a_fault_is_found_and_says_what_to_do(tmp_path, changed, check, said):
    """One record of each kind, nothing else wrong with it."""
    *path, to = changed
    ((found, words),) = faults(outline(tmp_path), spoiled(*path, to=to))

    assert found == check
    assert said in words


def test_without_its_list_nothing_is_held_against_a_value(tmp_path):
    """An optional input that is missing is no fault of the record's."""
    task = outline(tmp_path)

    assert faults(task, spoiled("sections", 0, "path", to="Sport"), taxonomy="") == []
    assert faults(task, record() | {"themes": ["Ships"]}, topics=None) == []


@given(st.permutations([0, 1, 2, 3]))
def test_only_quotes_in_the_order_of_the_text_cover_it(tmp_path_factory, order):
    """Every other order has a fault, whichever it is."""
    task = outline(tmp_path_factory.getbasetemp() / "outline")
    words = ["alpha", "beta", "gamma", "delta"]
    said = record() | {
        "sections": [{"begins": words[at], "path": "Law"} for at in order],
        "events": [],
        "citations": [],
    }

    assert bool(faults(task, said, " ".join(words))) == (order != sorted(order))
