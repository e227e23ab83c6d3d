"""The tasks on the structure of texts: what code fills in and checks, on the folders' own examples."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from cupel.judging import certain_faults
from cupel.task import load_task
from cupel.text import WindowRecord, complete_record, ground_record, merge_windows, shift

PROMPTS = Path(__file__).parents[3] / "prompts"
STRUCTURE = ("categories", "checkworthy", "citations", "glossary", "sections", "threads", "timeline")
INPUTS = {
    "date": "2021-02-10",
    "previous": "Hens are too loud for the allotments.",
    "taxonomy": "Food > Kitchens\nFood > Prices\nSchools > Buildings\nSchools > Meals\nSport",
}


def example_of(name, number=0):
    """The task, and the text and record of one of its examples."""
    task = load_task(name, PROMPTS)
    return task, task.examples[number].text, deepcopy(task.examples[number].record)


def completed(task, text, record, **inputs):
    evidence = ground_record(record, task.schema, text)
    return complete_record(record, task, evidence, text=text, inputs=inputs)


def faults(task, text, record):
    evidence = ground_record(record, task.schema, text)
    return list(certain_faults(record, task, evidence, text=text, inputs=INPUTS))


@pytest.mark.parametrize("name", STRUCTURE)
def test_an_example_stands_the_checks_that_its_task_declares(name):
    """What a model is shown as right is right by code, too."""
    for number in range(len(load_task(name, PROMPTS).examples)):
        assert faults(*example_of(name, number)) == []


def test_sections_cover_the_text_without_gap_or_overlap():
    """Each begins where the one before it ends, the first with the text and the last ends with it."""
    task, text, record = example_of("sections")
    spans = [section["span"] for section in completed(task, text, record)["sections"]]

    assert spans[0]["start"] == 0
    assert [span["end"] for span in spans] == [*(span["start"] for span in spans[1:]), len(text)]
    assert [text[span["start"] :][:5] for span in spans] == ["Good ", "So we", "The c"]


def test_sections_that_leave_out_the_beginning_or_go_back_are_faults():
    """They would not cover the text."""
    task, text, record = example_of("sections")
    record["sections"] = [record["sections"][2], record["sections"][1]]

    assert [check for check, _ in faults(task, text, record)] == ["cover", "cover"]


def test_times_of_the_timeline_are_counted_from_the_date_of_the_text():
    """A month without its year, a day counted back and a plain year come out as exactly as they were said."""
    task, text, record = example_of("timeline")

    dates = [event["date"] for event in completed(task, text, record, date="2021-02-10")["events"]]
    undated = [event["date"] for event in completed(task, text, record)["events"]]

    assert dates == ["2020-10", "2021-02-09", "2021-06", "2023"]
    assert undated == [None, None, None, "2023"]


def test_a_date_that_there_is_not_is_a_fault_of_the_timeline():
    """It is told with what to write."""
    task, text, record = example_of("timeline")
    record["events"][3]["iso"] = "2023-02-30"

    ((check, told),) = faults(task, text, record)

    assert check == "iso"
    assert "'2023-02-30' is no date of ISO 8601 that there is; write 2025" in told


def test_a_category_is_one_of_the_taxonomy_and_written_as_it_is_there():
    """Case and spaces are mended, a path that is not there is a fault."""
    task, text, record = example_of("categories")
    record["categories"][1]["path"] = "schools >meals"
    mended = completed(task, text, record, **INPUTS)
    record["categories"][1]["path"] = "Schools > Soup"

    assert mended["categories"][1]["path"] == "Schools > Meals"
    assert [check for check, _ in faults(task, text, record)] == ["paths"]


def test_a_number_in_a_reference_that_the_text_does_not_give_is_a_fault():
    """References are made up by adding what one believes to remember."""
    task, text, record = example_of("citations")
    record["citations"][0]["normal"] = "Noise Act 1996, Art. 4"

    ((check, told),) = faults(task, text, record)

    assert check == "digits"
    assert "1996" in told


@pytest.mark.parametrize(
    ("name", "kept"), [("glossary", 7), ("categories", 2), ("citations", 8), ("checkworthy", 8)]
)
def test_what_is_named_once_is_one_item_in_a_long_text(name, kept):
    """Terms and paths that two windows find are one; references, each with its own use, and sentences are not."""
    task, text, record = example_of(name)
    evidence = ground_record(record, task.schema, text)
    windows = [
        WindowRecord(record, evidence),
        WindowRecord(deepcopy(record), shift(deepcopy(evidence), len(text))),
    ]
    merged, _ = merge_windows(task, windows)

    assert [len(items) for items in merged.values()] == [kept]
