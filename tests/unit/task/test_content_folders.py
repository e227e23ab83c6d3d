"""What is special in the tasks for what a text says and how: their examples under code's own eyes, lists, vocabulary."""

from __future__ import annotations

import shutil

import pytest

from cupel.errors import TaskError
from cupel.judging.checks import certain_faults, code_checks
from cupel.task.folder import load_task
from cupel.task.rendering import messages, stable_values, template_of
from cupel.text.computed import complete_record
from cupel.text.evidence import ground_record
from tests.conftest import ROOT

PROMPTS = ROOT / "prompts"
CONTENT = ("attribution", "emotion", "intent", "relations", "rhetoric", "style", "topics")
THEMES = "housing\neducation\n"


def worked(name):
    """A task's first example: task, text, and the record as code completes it, with its evidence."""
    task = load_task(name, PROMPTS)
    example = task.examples[0]
    evidence = ground_record(example.record, task.schema, example.text)
    record = complete_record(example.record, task, evidence, text=example.text, inputs={})
    return task, example.text, record, evidence


def asked(name, **inputs):
    """The user part of a request."""
    task = load_task(name, PROMPTS)
    return messages(template_of(task, "extract"), stable_values(task), {"document": "We build.", **inputs})[
        -1
    ]["content"]


@pytest.mark.parametrize("name", CONTENT)
def test_code_finds_no_fault_in_an_example(name):
    """It is shown as right: schema, labels, quotes, ids, references and what the task declares."""
    task, text, record, evidence = worked(name)

    assert code_checks(record, task, evidence, text=text) == ()


def test_themes_are_shown_where_they_are_given_and_no_empty_head_where_not():
    """One prompt serves the open question and the closed one."""
    assert "Themes to choose from:" in asked("topics", themes=THEMES)
    assert "education" in asked("topics", themes=THEMES)
    assert "hemes" not in asked("topics")


def test_a_theme_that_is_not_in_the_list_is_a_fault_and_without_a_list_none():
    """Code holds a theme against the list; it names the value."""
    task, text, record, evidence = worked("topics")

    def faults(themes):
        return list(certain_faults(record, task, evidence, text=text, inputs={"themes": themes}))

    assert faults(THEMES) == faults("education; housing") == faults(None) == []
    assert [(check, "'education'" in words) for check, words in faults("housing")] == [("values", True)]


def test_the_list_of_themes_has_another_name_than_the_column_of_the_records():
    """A file that comes back with the column `topics` would else choose its themes from records when it is run again."""
    task = load_task("topics", PROMPTS)

    assert task.name not in task.inputs
    assert task.required_inputs == ()


def test_how_readable_a_text_is_stands_in_the_record_and_in_no_request():
    """Three full stops, a question and an exclamation mark: five sentences, counted by code."""
    task, _, record, _ = worked("style")
    values = stable_values(task)

    assert record["readability"]["sentences"] == 5
    assert "readability" not in str(values)
    assert "readability" not in task.asked["properties"]


def test_the_whole_emotion_is_that_of_a_sign():
    """`neutral` is no sign's, and what carries the text is in it."""
    record = worked("emotion")[2]

    assert record["emotion"] in {sign["emotion"] for sign in record["signs"]} - {"neutral"}


def test_a_relation_is_added_in_settings_and_schema_and_in_one_of_them_alone_refused(tmp_path):
    """The vocabulary is the user's; a definition that no record can hold is told with what there is."""
    shutil.copytree(PROMPTS, tmp_path / "prompts")
    settings, schema = (tmp_path / "prompts" / "relations" / name for name in ("task.toml", "schema.json"))
    told = settings.read_text(encoding="utf-8")
    settings.write_text(told.replace("pays = ", "met = 'sat at one table with'\npays = "), encoding="utf-8")

    with pytest.raises(TaskError, match=r"no record can hold 'met' The schema has works_for, .*pays"):
        load_task("relations", tmp_path / "prompts")

    held = schema.read_text(encoding="utf-8")
    schema.write_text(held.replace('"pays"', '"met", "pays"'), encoding="utf-8")

    assert (
        "- met: sat at one table with"
        in stable_values(load_task("relations", tmp_path / "prompts"))["labels"]
    )
