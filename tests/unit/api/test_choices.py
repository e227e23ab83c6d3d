"""Which tasks a run is of: what names no task, or one task twice, is refused before anything is asked."""

from __future__ import annotations

import shutil

import pytest

from cupel.api.choices import choose_tasks, name_tasks
from cupel.errors import SettingError
from cupel.project import Project
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "tasks", [["sentiment", None], 3, {"sentiment", "summary"}, {"sentiment": 1}, [["sentiment"]]]
)
def test_what_is_no_list_of_names_is_said_to_be_none(tasks):
    """A set has no order, and the columns have one."""
    with pytest.raises(SettingError, match=r"^tasks="):
        name_tasks(None, tasks)


def test_two_tasks_that_say_the_same_are_one_run_and_refused(tmp_path):
    """A copied folder is another task from its first edit on."""
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    mine = tmp_path / "prompts" / "mine"
    shutil.copytree(tmp_path / "prompts" / "sentiment", mine)
    project = Project(tmp_path, tmp_path / ".cupel")
    with pytest.raises(SettingError, match="tasks 'sentiment' and 'mine' say the same"):
        choose_tasks(["sentiment", "mine"], project)

    settings = (mine / "task.toml").read_text(encoding="utf-8")
    (mine / "task.toml").write_text(settings.replace("Sentiment", "Mood"), encoding="utf-8")
    (mine / "rules.toml").unlink()

    assert [choice.task.name for choice in choose_tasks(["sentiment", "mine"], project)] == [
        "sentiment",
        "mine",
    ]
