"""An example is held to what its task declares: what is shown as right is nothing that code would send back."""

from __future__ import annotations

import json
import shutil

import pytest

from cupel.api import list_tasks
from cupel.api.source import read_task
from cupel.errors import TaskError
from cupel.judging.examples import check_task, split_inputs
from cupel.project import Project
from cupel.task.folder import load_task, task_names
from tests.conftest import ROOT

PROMPTS = ROOT / "prompts"


@pytest.fixture
def prompts(tmp_path):
    """A prompts folder whose tasks may be spoiled."""
    return shutil.copytree(PROMPTS, tmp_path / "prompts")


def spoil(prompts, name, change):
    """The task with its first example changed."""
    path = prompts / name / "examples.jsonl"
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    change(row)
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    return load_task(name, prompts)


def put(row, place, value):
    """Set a value of an example by the steps that lead there."""
    *above, last = place
    for step in above:
        row = row[step]
    row[last] = value


SPOILED = {
    "iso": ("timeline", ("events", 0, "iso"), "October", "/events/0/iso: 'October' is no date of ISO 8601"),
    "paths": ("categories", ("categories", 0, "path"), "Schools > Walls", "/categories/0/path: 'Schools > Walls' is not in taxonomy"),
    "values": ("gaps", ("points", 0, "point"), "the weather", "/points/0/point: 'the weather' is not in outline"),
    "digits": ("citations", ("citations", 0, "normal"), "Act 77/1999", "/citations/0/normal: of 'Act 77/1999' no 77"),
    "computed": ("timeline", ("events", 1, "date"), "2021-02-10", "/events/1/date is '2021-02-10', and code computes '2021-02-09'"),
    "computed as null": ("timeline", ("events", 1, "date"), None, "/events/1/date is None, and code computes '2021-02-09'"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "place", "value", "why"), SPOILED.values(), ids=SPOILED)
def test_an_example_that_fails_a_check_of_its_task_is_refused(prompts, name, place, value, why):
    """It names file and example, the value and what is wrong with it."""
    task = spoil(prompts, name, lambda row: put(row["record"], place, value))

    with pytest.raises(TaskError) as caught:
        check_task(task)

    assert why in str(caught.value)
    assert f"{name}/examples.jsonl: example " in str(caught.value)


def test_quotes_that_do_not_begin_with_the_text_are_refused_where_they_must_cover_it(prompts):
    """The first section is taken out, and with it the text's first words."""
    task = spoil(prompts, "sections", lambda row: row["record"]["sections"].pop(0))

    with pytest.raises(TaskError, match="is not where the text begins"):
        check_task(task)


def test_a_span_in_two_lists_and_a_quote_too_short_are_refused(prompts):
    """What `exclusive` and `min_quote_words` declare holds for examples too."""

    def twice(row):
        claims, premises = row["record"]["claims"], row["record"]["premises"]
        premises[0]["quote"] = claims[0]["quote"]

    with pytest.raises(TaskError, match="a span is in one of claims, premises"):
        check_task(spoil(prompts, "arguments", twice))

    def short(row):
        claim = row["record"]["claims"][0]
        claim["quote"] = claim["quote"].split()[0]

    with pytest.raises(TaskError, match="the task wants at least"):
        check_task(spoil(prompts, "arguments", short))


def test_what_code_computes_may_stand_in_an_example_as_code_computes_it(prompts):
    """The date of the text is read from its first line."""
    check_task(
        spoil(prompts, "timeline", lambda row: put(row["record"], ("events", 1, "date"), "2021-02-09"))
    )


def test_a_date_that_hangs_on_one_the_example_does_not_give_is_told_with_how_to_give_it(prompts):
    """Without the date of the text code knows no yesterday."""

    def undated(row):
        row["text"] = row["text"].removeprefix("[Date of the text: 2021-02-10] ")
        put(row["record"], ("events", 1, "date"), "2021-02-09")

    with pytest.raises(TaskError, match=r"code computes None; .*begins with \[Date: …\]"):
        check_task(spoil(prompts, "timeline", undated))


def test_the_inputs_of_an_example_are_read_from_the_brackets_it_begins_with():
    """By the input's name in the head, or as the only one there is; what follows is the text at its own offsets."""
    text = "[Date of the text: 2021-02-10] [Topic: trams]\nWe [all] ride."

    assert split_inputs(text, ("topic", "date")) == (
        {"date": "2021-02-10", "topic": "trams"},
        " " * 46 + "We [all] ride.",
    )
    assert split_inputs("[The text before it: No.] Yes.", ("previous",))[0] == {"previous": "No."}
    assert split_inputs("[Applause: long] Yes.", ())[0] == {}
    assert split_inputs("[Applause: long] Yes.", ("topic", "date")) == ({}, "[Applause: long] Yes.")


@pytest.mark.parametrize("name", task_names(PROMPTS))
def test_every_example_of_a_shipped_task_passes(name):
    """Nothing is shown as right that code would send back."""
    check_task(load_task(name, PROMPTS))


def test_whatever_takes_a_task_refuses_a_wrong_example(prompts):
    """A plan of it would be for nothing; run, plan and calibration take it here."""
    spoil(prompts, "timeline", lambda row: put(row["record"], ("events", 0, "iso"), "October"))
    project = Project(prompts.parent, prompts.parent / ".cupel")

    with pytest.raises(TaskError, match="is no date of ISO 8601"):
        read_task("timeline", project, default="")
    assert read_task("gaps", project, default="")[0].name == "gaps"


def test_the_list_of_tasks_tells_of_a_wrong_example(prompts):
    """It is where a task's author looks first."""
    spoil(prompts, "timeline", lambda row: put(row["record"], ("events", 0, "iso"), "October"))
    listed = {task.name: task for task in list_tasks(Project(prompts.parent, prompts.parent / ".cupel"))}

    assert "is no date of ISO 8601" in (listed["timeline"].error or "")
    assert listed["gaps"].error is None
