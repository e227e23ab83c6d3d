"""Versions of a prompt: named by what is sent, found by their beginning, written back into the folder."""

import pytest

from cupel.errors import OutputPathError, TaskError, UsageError
from cupel.improvement.ledger import ledger_of
from cupel.improvement.steps.promote import load_version
from cupel.improvement.versions import (
    contract_problem,
    known_version,
    publish,
    read_candidate,
    replace_prompt,
    rule_rows,
    rules_of,
    rules_toml,
    version_diff,
    version_of,
)
from cupel.task.folder import load_task, parse_rules
from cupel.task.spec import Rule
from tests.integration.improvement import TASK, made_project

AT = "2026-11-20T12:00:00Z"
NEW = Rule("new", 'Say "yes" – or no.\tTwice\\', why="because", failures=("f1", "f2"), effect="+1 \x7f")


@pytest.fixture
def study(tmp_path):
    """A project whose prompts may be written."""
    return made_project(tmp_path)


@pytest.fixture
def task(study):
    """The task as its folder has it."""
    return load_task(TASK, study.prompts)


def test_a_version_is_what_is_sent_and_nothing_else(task):
    """Another text is another version; another reason for a rule is the same one."""
    reworded = replace_prompt(task, [*task.rules[:-1], Rule(task.rules[-1].id, "Another text.")])
    explained = replace_prompt(task, [Rule(rule.id, rule.text, why="another") for rule in task.rules])

    assert version_of(reworded) != version_of(task) == version_of(explained)


def test_rules_survive_json_and_toml(task):
    """Every field, with quotes, tabs, backslashes and the delete character."""
    rules = (*task.rules, NEW)

    assert rules_of(rule_rows(rules)) == rules
    assert parse_rules(rules_toml(rules, "# short rules"), "x") == rules


def test_a_difference_shows_rules_and_then_the_contract(task):
    """As a person reads them."""
    edited = replace_prompt(task, (*task.rules, NEW), task.prompts["extract"] + "\nAnd so on.")

    lines = version_diff(task, edited).splitlines()

    assert f"+new: {NEW.text}" in lines
    assert lines[-1] == "+And so on."


def test_a_contract_that_cannot_be_filled_is_refused(task):
    """A placeholder lost, a part lost, or nothing changed but blanks."""
    contract = task.prompts["extract"]

    assert contract_problem(task, contract) is None
    assert contract_problem(task, contract.replace("{{rules}}", "")) == "lost a placeholder: {{rules}}"
    assert "extract" in contract_problem(task, contract.replace("# user", "user"))
    assert contract_problem(task, contract.replace("# user", "Take care.\n\n# user")) is None


def test_a_version_is_found_by_its_beginning_and_an_unknown_one_lists_those_there_are(study, task):
    """Where several begin so, all are named."""
    ledger = ledger_of(study.state)
    with pytest.raises(
        UsageError, match=r"no version 'a' of task 'stance' in .* none yet; `cupel improve` makes them"
    ):
        known_version(ledger, TASK, "a")
    data = {"rules": rule_rows([NEW]), "extract": task.prompts["extract"]}
    for version in ("aa1", "aa2", "b"):
        ledger.append("version", task=TASK, key=version, at=AT, data={**data, "version": version})

    assert known_version(ledger, TASK, "b").key == "b"
    assert load_version(study.prompts, study.state, TASK, "aa2").rules == (NEW,)
    for wanted, why in (
        ("aa", r"2 versions begin with 'aa' .*aa1, aa2\)"),
        ("", r"no version '' .*aa1, aa2, b\)"),
    ):
        with pytest.raises(UsageError, match=why):
            known_version(ledger, TASK, wanted)


def test_a_version_is_written_with_the_comments_the_file_began_with(study, task):
    """And its contract where that differs."""
    contract = task.prompts["extract"].replace("# user", "Take care.\n\n# user")

    publish(task, [NEW], contract, against=version_of(task))

    written = load_task(TASK, study.prompts)
    assert written.rules == (NEW,)
    assert written.prompts["extract"] == contract
    assert (study.prompts / TASK / "rules.toml").read_text().startswith("# Short rules")


def test_a_folder_edited_since_is_not_overwritten(study, task):
    """Nor one that cannot be written, nor a task that has none."""
    with pytest.raises(UsageError, match="edited since 0123 was compared"):
        publish(task, [NEW], task.prompts["extract"], against="0123")
    path = study.prompts / TASK / "rules.toml"
    path.unlink()
    path.mkdir()
    (path / "in the way").touch()
    with pytest.raises(OutputPathError, match=r"rules\.toml: cannot be written"):
        publish(task, [NEW], task.prompts["extract"], against=version_of(task))


def test_a_candidate_is_a_rules_file_or_a_contract(study, task):
    """Anything else is refused by name."""
    (study.folder / "mine.toml").write_text(rules_toml([NEW]))
    (study.folder / "mine.md").write_text("# user\n{{document}}")

    assert read_candidate(study.folder / "mine.toml", task).rules == (NEW,)
    assert read_candidate(study.folder / "mine.md", task).prompts["extract"] == "# user\n{{document}}"
    with pytest.raises(
        TaskError, match=r"mine\.txt: no such file; a candidate is a rules\.toml or an extract\.md"
    ):
        read_candidate(study.folder / "mine.txt", task)
