"""Prompts mirrored in LangSmith's hub: on a named parent, pulled by hash, against a stand-in for what the SDK calls."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.errors import InputError, SettingError
from cupel.improvement.ledger import ledger_of
from cupel.improvement.versions import version_of
from cupel.task.folder import load_task
from tests.integration.hub import running_hub
from tests.integration.improvement import made_project
from tests.integration.server import free_port

TASK = "stance"
NAME = f"cupel-{TASK}-extract"
AT = "2026-11-20T12:00:00+00:00"


@pytest.fixture
def hub(monkeypatch):
    """The stand-in, where the environment leads."""
    with running_hub() as (stand_in, env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield stand_in


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


def prompts(*args):
    """A `cupel prompts` command's JSON, or what it raised."""
    done = CliRunner().invoke(app, ["prompts", *args, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout)


def edit(study, old, new):
    path = study.prompts / TASK / "extract.md"
    path.write_text(path.read_text().replace(old, new))
    return path


def test_a_prompt_is_pushed_on_its_parent_and_pulled_by_its_hash(study, hub):
    """Contract and rules come back word for word as a candidate with its lineage; nothing is promoted."""
    first = prompts("push", TASK)
    before = load_task(TASK, study.prompts)
    edit(study, "# user", "Take irony for what it means.\n\n# user")
    second = prompts("push", TASK)

    assert (first["parent_commit"], second["parent_commit"]) == (None, first["commit"])
    assert len(hub.commits[NAME]) == 2
    pulled = prompts("pull", TASK, "--commit", first["commit"])
    assert pulled["version"] == first["version"] == version_of(before)
    assert pulled["parent"] == version_of(load_task(TASK, study.prompts))
    assert pulled["origin"] == {"commit": first["commit"]}
    assert ledger_of(study.state).active(TASK) is None


def test_what_was_edited_in_the_hub_comes_back_as_edited(study, hub):
    """The messages count, not what they were pushed as."""
    commit = prompts("push", TASK)["commit"]
    system = hub.commits[NAME][0]["manifest"]["kwargs"]["messages"][0]["kwargs"]["prompt"]["kwargs"]
    system["template"] = system["template"].replace("Rules:", "Take irony for what it means.\n\nRules:")

    pulled = prompts("pull", TASK, "--commit", commit)

    assert pulled["version"] != pulled["parent"]
    with closing((study.folder / pulled["file"]).open()) as file:
        assert "Take irony" in file.read()


def test_a_hub_that_moved_on_is_not_overwritten(study, hub):
    """Nothing is pushed on an outdated parent, nor where no parent is known here."""
    prompts("push", TASK)
    hub.commits[NAME].append({**hub.commits[NAME][0], "commit_hash": "f" * 64})
    edit(study, "# user", "Mind irony.\n\n# user")

    with pytest.raises(SettingError, match="was changed in the hub since"):
        prompts("push", TASK)
    for path in study.state.glob("runlog.sqlite*"):
        path.unlink()
    with pytest.raises(SettingError, match="no commit of it is known here"):
        prompts("push", TASK)
    assert prompts("push", TASK, "--parent", "f" * 64)["parent_commit"] == "f" * 64


def test_tags_and_broken_contracts_and_a_silent_endpoint_are_refused(study, hub, monkeypatch):
    """Each is refused with its reason."""
    commit = prompts("push", TASK)["commit"]
    with pytest.raises(SettingError, match="pulled by hash, never by tag"):
        prompts("pull", TASK, "--commit", "production")
    user = hub.commits[NAME][0]["manifest"]["kwargs"]["messages"][1]["kwargs"]["prompt"]["kwargs"]
    user["template"] = user["template"].replace("{{topic}}", "it")
    with pytest.raises(Exception, match=r"lost a placeholder: \{\{topic\}\}"):
        prompts("pull", TASK, "--commit", commit)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SettingError, match="cannot be reached"):
        prompts("push", TASK)


def test_a_server_nobody_answers_is_named_with_the_way_to_start_it(study):
    """One clear text, where Studio's server was meant."""
    with pytest.raises(InputError, match=r"no LangGraph server answers there .* `make dev`"):
        prompts("pull-from-studio", TASK, "--assistant", "mine", "--url", f"http://127.0.0.1:{free_port()}")
