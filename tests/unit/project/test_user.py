"""A container's user has neither name nor home, and works all the same."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import shutil

import pytest

from cupel.errors import ProjectError
from cupel.project import expand, find_project, is_trusted, starter_folder, trust, user_name
from cupel.project.user import home_folder
from tests.conftest import ROOT


@pytest.fixture
def nobody(monkeypatch):
    """Whom no table of this machine knows."""

    def unknown(_):
        raise KeyError("getpwuid(): uid not found: 54321")

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CONFIG_HOME", "APPDATA", "USERPROFILE", "CUPEL_TRUST"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.fixture
def foreign(tmp_path):
    """A project from elsewhere."""
    folder = tmp_path / "cloned"
    (folder / "prompts").mkdir(parents=True)
    shutil.copyfile(ROOT / "langgraph.json", folder / "langgraph.json")
    return folder


def test_a_user_without_a_name_or_a_home_has_a_number_and_is_trusted_with_nothing(nobody, foreign, tmp_path):
    """Projects are found, `~` stays as it is, and what cannot be remembered is said with the way out."""
    assert (home_folder(), user_name()) == (None, str(os.getuid()))
    assert find_project(foreign).folder == foreign
    assert find_project(tmp_path).folder == starter_folder()
    assert expand(tmp_path / "~nosuch" / "x") == tmp_path / "~nosuch" / "x"
    assert not is_trusted(foreign)
    with pytest.raises(ProjectError, match="no home folder"):
        trust(foreign)


@pytest.mark.parametrize("variable", ["HOME", "XDG_CONFIG_HOME", "APPDATA", "USERPROFILE"])
@pytest.mark.parametrize("value", ["", ".", "conf", "~", "~nosuch"])
def test_what_a_folder_brings_along_is_never_read_as_this_users_word(
    nobody, foreign, monkeypatch, variable, value
):
    """A configuration folder that is no full path would begin in the folder itself, where a stranger can lay one."""
    monkeypatch.setenv(variable, value)
    monkeypatch.chdir(foreign)
    known = importlib.import_module("cupel.project.trust").named_hash(foreign)
    for place in {"", value}:
        for kept in (
            foreign / place / "cupel" / "trusted.json",
            foreign / place / ".config" / "cupel" / "trusted.json",
        ):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps({str(foreign): known}))

    assert not is_trusted(foreign)


def test_a_home_that_is_reached_by_a_link_ends_the_search_too(tmp_path, monkeypatch):
    """What is above it is somebody else's idea, by whichever way one came."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "langgraph.json").write_text("{}")
    (tmp_path / "real" / "work").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("HOME", str(tmp_path / "link"))

    assert find_project(tmp_path / "real" / "work").folder == starter_folder()
