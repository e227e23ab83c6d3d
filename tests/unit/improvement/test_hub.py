"""Prompts in LangSmith's hub: on a named parent, pulled by hash, and nothing else."""

import pytest

from cupel.errors import SettingError
from cupel.improvement.hub import hub_name, pull_prompt, push_prompt
from cupel.improvement.versions import replace_prompt, version_of
from cupel.task.folder import load_task
from cupel.task.spec import Rule
from tests.conftest import ROOT
from tests.integration.hub import running_hub
from tests.integration.server import free_port

NAME = hub_name("stance")


@pytest.fixture(scope="module")
def task():
    """The task as this repository has it."""
    return load_task("stance", ROOT / "prompts")


@pytest.fixture
def hub():
    """An empty hub, and the environment that leads to it."""
    with running_hub() as (stand_in, env):
        yield stand_in, env


def test_what_is_pushed_comes_back_by_its_hash(hub, task):
    """Contract, rules and version, as they were."""
    commit = push_prompt(hub[1], task, parent=None)
    pulled = pull_prompt(hub[1], task, commit[:12])

    assert pulled.commit == commit
    assert (pulled.extract, pulled.rules, pulled.version) == (
        task.prompts["extract"],
        task.rules,
        version_of(task),
    )


def test_a_version_follows_the_commit_it_names_and_no_other(hub, task):
    """What was changed in the hub meanwhile is not written over."""
    first = push_prompt(hub[1], task, parent=None)
    second = push_prompt(hub[1], replace_prompt(task, [Rule("a", "Be exact.")]), parent=first)

    assert [commit["commit_hash"] for commit in hub[0].commits[NAME]] == [first, second]
    with pytest.raises(SettingError, match="was changed in the hub since"):
        push_prompt(hub[1], task, parent=first)
    with pytest.raises(SettingError, match="is in the hub already, and no commit of it is known here"):
        push_prompt(hub[1], task, parent=None)


def test_what_was_edited_in_the_hub_counts(hub, task):
    """Its text is the contract then, whatever it was pushed as."""
    commit = push_prompt(hub[1], task, parent=None)
    messages = hub[0].commits[NAME][0]["manifest"]["kwargs"]["messages"]
    messages[0]["kwargs"]["prompt"]["kwargs"]["template"] = "Be brief."

    pulled = pull_prompt(hub[1], task, commit)

    assert pulled.extract.startswith("# system\nBe brief.\n")
    assert "# user\n" in pulled.extract


def test_a_commit_that_is_no_prompt_of_ours_is_refused(hub, task):
    """One without rules of ours is taken; one without a user's message is not."""
    commit = push_prompt(hub[1], task, parent=None)
    kwargs = hub[0].commits[NAME][0]["manifest"]["kwargs"]
    del kwargs["metadata"]
    assert pull_prompt(hub[1], task, commit).rules is None

    kwargs["messages"] = []
    with pytest.raises(SettingError, match="is not a chat prompt with a user message"):
        pull_prompt(hub[1], task, commit)


@pytest.mark.parametrize("tag", ["latest", "", "prod"])
def test_a_tag_is_no_commit(task, tag):
    """Tags move; nothing is asked."""
    with pytest.raises(SettingError, match="is no commit hash; prompts are pulled by hash, never by tag"):
        pull_prompt({}, task, tag)


def test_a_hub_without_key_or_that_is_not_there_is_said(hub, task):
    """And so is one that refuses."""
    with pytest.raises(SettingError, match="the prompt hub needs LANGSMITH_API_KEY"):
        push_prompt({}, task, parent=None)
    nowhere = {**hub[1], "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(SettingError, match=r"cannot be reached .* nothing was changed"):
        push_prompt(nowhere, task, parent=None)
    with pytest.raises(SettingError, match=r"^http://127.*: \w+: "):
        pull_prompt(hub[1], task, "0123456789ab")
