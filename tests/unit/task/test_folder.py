"""A task's folder is checked before anything is paid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cupel.errors import TaskError
from cupel.task.folder import SETTINGS, load_task

PROMPTS = Path(__file__).parents[3] / "prompts"


@pytest.fixture
def prompts(tmp_path):
    """A prompts folder with the task `sentiment`, to be spoiled."""
    for name in ("sentiment", "_generic"):
        shutil.copytree(PROMPTS / name, tmp_path / name)
    return tmp_path


def settings(prompts, old, new):
    """The task's task.toml with one text for another."""
    path = prompts / "sentiment" / "task.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("name", ["title", "level", "must_fill", "metric", "wrong_below", "output_language"])
def test_a_misspelt_key_is_an_error_that_names_the_right_one(prompts, name):
    """A setting that has no effect is never read over in silence."""
    settings(prompts, f"\n{name} =" if name != "title" else f"{name} =", f"\n{name[:-1]} =")

    with pytest.raises(TaskError, match=f"unknown key '{name[:-1]}'; did you mean '{name}'") as caught:
        load_task("sentiment", prompts)

    assert "sentiment/task.toml" in str(caught.value)


def test_a_key_that_resembles_none_is_answered_with_all_there_are(prompts):
    """The error says what would have been valid."""
    settings(prompts, "title =", "zzz = 1\ntitle =")

    with pytest.raises(TaskError, match=f"unknown key 'zzz' .keys: {', '.join(SETTINGS)}"):
        load_task("sentiment", prompts)


@pytest.mark.parametrize("level", ['"corpus"', '"documents"', '""', "1", '["document"]'])
def test_the_only_level_is_document(prompts, level):
    """A level there is no graph for is an error, not a setting without effect."""
    settings(prompts, 'level = "document"', f"level = {level}")

    with pytest.raises(TaskError, match="the only level there is"):
        load_task("sentiment", prompts)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("inputs = []", 'inputs = "topic"', "a list of column names", id="one input as a text"),
        pytest.param(
            "wrong_below = 0.5", "wrong_below = 50", "a number from 0 to 1", id="a share in percent"
        ),
        pytest.param(
            "wrong_below = 0.5", 'wrong_below = "0.5"', "a number from 0 to 1", id="a share as a text"
        ),
        pytest.param("title =", "min_quote_words = -1\ntitle =", "0 or more", id="fewer words than none"),
        pytest.param("title =", "min_quote_words = true\ntitle =", "0 or more", id="a number that is none"),
        pytest.param(
            "title =", 'exclusive = ["evidence"]\ntitle =', "groups of lists", id="names for groups"
        ),
        pytest.param(
            "title =", 'exclusive = [["evidence"]]\ntitle =', "groups of lists", id="a group of one"
        ),
        pytest.param(
            "title =",
            'exclusive = [["evidence", "claims"]]\ntitle =',
            "field 'claims' is not",
            id="no such list",
        ),
        pytest.param(
            "title =",
            'exclusive = [["evidence", "sentiment"]]\ntitle =',
            "'sentiment' holds no quote",
            id="no quotes",
        ),
        pytest.param("title =", "merge = 3\ntitle =", "a table", id="a table that is a number"),
    ],
)
def test_a_value_of_another_kind_is_an_error_that_says_which_is_meant(prompts, old, new, words):
    """`inputs = "topic"` would else be five inputs of a letter each."""
    path = prompts / "sentiment" / "task.toml"
    text = path.read_text(encoding="utf-8")
    if new.startswith("merge"):
        text = text.replace("[merge]", "[labels.other]")
    path.write_text(text, encoding="utf-8")
    settings(prompts, old, new)

    with pytest.raises(TaskError, match=words):
        load_task("sentiment", prompts)


def test_arguments_declares_what_its_prompt_asks_for(prompts):
    """A span is a claim or a premise, and a statement has its verb; who declares neither is the task it was."""
    task, other = load_task("arguments", PROMPTS), load_task("sentiment", prompts)
    before = other.identity
    settings(prompts, "title =", "min_quote_words = 2\ntitle =")

    assert (task.exclusive, task.min_quote_words) == ((("claims", "premises"),), 2)
    assert (other.exclusive, other.min_quote_words) == ((), 0)
    assert load_task("sentiment", prompts).identity != before


def test_every_shipped_task_has_only_keys_that_are_read():
    """The five tasks load as they are."""
    for path in PROMPTS.glob("[a-z]*/task.toml"):
        assert load_task(path.parent.name, PROMPTS).name == path.parent.name
