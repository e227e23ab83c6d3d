"""Whose code runs: the user's own, what the user allowed, and nothing that a folder says of itself."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from cupel.api.doctor_checks import _graphs
from cupel.cli._env import read_environment
from cupel.cli.init import make_project
from cupel.errors import UntrustedError
from cupel.project import find_project, is_trusted, load_graph, starter_folder, trust
from tests.conftest import ROOT, clone_project

pytestmark = pytest.mark.usefixtures("nobody_trusted")


@pytest.fixture
def foreign(tmp_path):
    """A project from elsewhere whose node leaves a mark when it runs."""
    folder = clone_project(tmp_path / "cloned")
    node = folder / "nodes" / "finish.py"
    node.write_text(node.read_text() + f"\n__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()\n")
    return folder


def test_a_project_nobody_trusted_is_not_executed(foreign, tmp_path):
    """The sentence says what would run and how to allow it."""
    with pytest.raises(UntrustedError, match=r"graphs/enrich\.py and what it imports.*`cupel trust"):
        load_graph(find_project(foreign))
    assert not (tmp_path / "ran").exists()


def test_trusted_once_an_edit_is_not_asked_about_and_another_graph_is(foreign, tmp_path):
    """What is kept is a hash of what langgraph.json names; its `.env` and words do not count."""
    trust(foreign)
    with (foreign / "nodes" / "judge.py").open("a") as file:
        file.write("\n# as I like it\n")
    config = json.loads((foreign / "langgraph.json").read_text())
    (foreign / "langgraph.json").write_text(json.dumps({**config, "env": "other.env"}))
    load_graph(find_project(foreign))
    assert (tmp_path / "ran").exists()

    config["graphs"]["enrich"] = "./nodes/mine.py:graph"
    (foreign / "langgraph.json").write_text(json.dumps(config))
    with pytest.raises(UntrustedError, match="names other graphs now"):
        load_graph(find_project(foreign))


def test_what_is_remembered_is_the_users_alone(foreign, tmp_path):
    """In the configuration folder, never in the project."""
    trust(foreign)
    kept = tmp_path / "home" / ".config" / "cupel" / "trusted.json"

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert list(json.loads(kept.read_text())) == [str(foreign)]


def test_a_folder_cannot_say_of_itself_that_it_is_trusted(foreign, monkeypatch):
    """Neither its `.env` nor a configuration it brings along."""
    (foreign / ".env").write_text(f"CUPEL_TRUST=/\nHOME={foreign}\nXDG_CONFIG_HOME={foreign}\nOTHER=1\n")
    monkeypatch.chdir(foreign)
    env = {}
    read_environment(env)

    assert env == {"OTHER": "1"}


def test_an_environment_may_name_trusted_folders(foreign, monkeypatch):
    """For images and workers, which have no home."""
    monkeypatch.setenv("CUPEL_TRUST", f"/nowhere{os.pathsep}{foreign.parent}")
    assert is_trusted(foreign)


def test_own_prompts_with_the_graphs_as_installed_need_no_trust(foreign, tmp_path):
    """They are then loaded from the installation: a file that the folder adds beside them is not found."""
    shutil.copyfile(ROOT / "nodes" / "finish.py", foreign / "nodes" / "finish.py")
    (foreign / "cupel.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (foreign / "json.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    graph = load_graph(find_project(foreign))

    assert "extract" in graph.nodes
    assert not (tmp_path / "ran").exists()


def test_this_repository_and_what_init_makes_run_without_a_question(tmp_path):
    """So do the starter and everything the tests and the demo do in a fresh clone."""
    made = make_project(tmp_path / "study")
    assert is_trusted(ROOT)
    assert is_trusted(starter_folder())
    assert is_trusted(made)


def test_the_doctor_looks_at_a_foreign_project_and_runs_nothing_of_it(foreign, tmp_path):
    """It says why its graphs were not loaded."""
    checks = list(_graphs(find_project(foreign)))
    assert [check.level for check in checks] == ["trouble"]
    assert "cupel trust" in checks[0].what
    assert not (tmp_path / "ran").exists()


def test_the_search_for_a_project_ends_at_home(tmp_path, monkeypatch):
    """A project above one's home is somebody else's idea."""
    for folder in (tmp_path, tmp_path / "home" / "work"):
        (folder / "prompts").mkdir(parents=True)
    (tmp_path / "langgraph.json").write_text("{}")

    assert find_project(tmp_path / "home" / "work").folder == starter_folder()
    assert find_project(tmp_path / "prompts").folder == tmp_path


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a folder away")
def test_a_project_of_another_user_is_refused_until_trusted(foreign):
    """Also where only its langgraph.json is another's, in a folder that everybody may write to."""
    os.chown(foreign / "langgraph.json", 1234, 1234)
    with pytest.raises(UntrustedError, match="belongs to another user"):
        find_project(foreign / "prompts")
    trust(foreign)
    assert find_project(foreign / "prompts").folder == foreign


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be somebody else")
def test_a_command_given_inside_another_users_folder_runs_nothing(foreign, tmp_path):
    """The whole command, as another user would type it."""
    for path in (foreign, *foreign.rglob("*")):
        os.chown(path, 1234, 1234)
    (tmp_path / "d.jsonl").write_text('{"text": "We must act."}\n')
    run = subprocess.run(
        [sys.executable, "-m", "cupel", "run", str(tmp_path / "d.jsonl"), "--task", "sentiment"],
        cwd=foreign, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 2
    assert "belongs to another user" in run.stderr
    assert not (tmp_path / "ran").exists()
