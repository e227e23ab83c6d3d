"""Versions of a prompt: named by what is sent, found by their beginning, written back into the folder."""

import json
import tomllib
from dataclasses import replace

import pytest

from cupel.errors import OutputPathError, TaskError, UsageError
from cupel.improvement.ledger import ledger_of
from cupel.improvement.steps.promote import load_version
from cupel.improvement.versions import (
    as_version,
    contract_problem,
    copy_prompt,
    keep_edit,
    known_version,
    parts_of,
    publish,
    read_candidate,
    relabel,
    replace_prompt,
    rule_rows,
    rules_of,
    rules_toml,
    version_diff,
    version_of,
)
from cupel.task.folder import load_task, parse_rules, task_names
from cupel.task.spec import Example, Rule
from tests.conftest import ROOT
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
        TaskError,
        match=r"mine\.txt: no such file or folder; a candidate is a rules\.toml, an extract\.md or a folder",
    ):
        read_candidate(study.folder / "mine.txt", task)


def edited(task, folder, **files):
    """A copy of the prompt with some of its files written anew."""
    copy_prompt(task, folder)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def own(task, name):
    """A file of the task's folder."""
    return (task.folder / name).read_text()


def test_a_folder_is_a_candidate_of_all_that_is_sent(study, task):
    """Rules, contract, labels, examples and schema; the difference names which of them changed."""
    labels = own(task, "task.toml").replace("favor = ", 'favor = "for it, whatever the tone" # ', 1)
    examples = own(task, "examples.jsonl").splitlines()[0] + "\n"
    extract = own(task, "extract.md").replace("# system\n", "# system\nBe exact.\n")
    folder = edited(
        task,
        study.folder / "mine",
        task_toml=labels,
        examples_jsonl=examples,
        extract_md=extract,
        rules_toml=rules_toml([NEW]),
    )
    found = read_candidate(folder, task)
    said = version_diff(task, found)

    assert found.labels["stance"]["favor"] == "for it, whatever the tone"
    assert (len(found.examples), found.rules, "Be exact." in found.prompts["extract"]) == (1, (NEW,), True)
    assert (
        said.splitlines()[0]
        == "changed: rules, labels, " + ("examples, " if len(task.examples) > 1 else "") + "contract"
    )
    assert "+stance.favor: for it, whatever the tone" in said.splitlines()


def test_an_example_of_a_candidate_is_held_to_the_checks_of_its_task(tmp_path):
    """What code would send back is not shown to a model for the gate to find out."""
    dated = load_task("timeline", ROOT / "prompts")
    examples = own(dated, "examples.jsonl").replace('"--10"', '"October"')

    with pytest.raises(TaskError, match=r"mine/examples\.jsonl: example .*is no date of ISO 8601"):
        read_candidate(edited(dated, tmp_path / "mine", examples_jsonl=examples), dated)


def test_an_unchanged_copy_is_the_version_it_was_copied_from(study, task):
    """Nothing is lost on the way; a folder that holds something is not copied over."""
    folder = edited(task, study.folder / "mine")

    assert version_of(read_candidate(folder, task)) == version_of(task)
    with pytest.raises(OutputPathError, match="is there and not empty"):
        copy_prompt(task, folder)


NOT_SENT = {
    "a criterion": ("task.toml", lambda text: text.replace("critical = true", "critical = false", 1), r"criteria: not as in the task's own"),
    "the metric": ("task.toml", lambda text: text.replace('metric = "stance"', 'metric = "record"'), "metric: not as in"),
    "the judge's prompt": ("judge.md", lambda _: "# user\n{{document}} {{criteria}}", "is not sent to the extracting model"),
    "a broken schema": ("schema.json", lambda _: "{", "not valid JSON"),
    "rules by another name": ("rules.toml", lambda text: text.replace("[[rules]]", "[[rule]]"), "unknown key 'rule'"),
    "an example that does not fit": ("examples.jsonl", lambda _: '{"text": "x", "record": {}}\n', "does not fit schema.json"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "change", "why"), NOT_SENT.values(), ids=NOT_SENT)
def test_a_folder_that_would_judge_itself_or_cannot_be_read_is_no_candidate(study, task, name, change, why):
    """It is refused before a look is spent."""
    folder = edited(task, study.folder / "mine")
    old = folder / name
    old.write_text(change(old.read_text() if old.is_file() else ""))

    with pytest.raises(TaskError, match=why):
        read_candidate(folder, task)


@pytest.mark.parametrize("name", ["task.toml", "schema.json", "notes.txt", "empty"])
def test_a_file_that_is_no_candidate_is_refused(study, task, name):
    """A task.toml is no set of zero rules."""
    path = study.folder / name
    if name == "empty":
        path.mkdir()
    else:
        path.write_text(own(task, "task.toml"))

    with pytest.raises(TaskError):
        read_candidate(path, task)


def test_a_version_keeps_all_that_is_sent_and_is_written_back_file_by_file(study, task):
    """Labels go into task.toml, where everything else stays; what a file replaced is kept aside."""
    labels = own(task, "task.toml").replace("favor = ", 'favor = "for it" # ', 1)
    found = read_candidate(edited(task, study.folder / "mine", task_toml=labels), task)
    kept, aside = parts_of(found), study.state / "replaced"
    before = own(task, "task.toml")
    publish(task, found.rules, kept["extract"], against=version_of(task), version=kept, aside=aside)
    now_there = load_task(TASK, study.prompts)

    through_the_ledger = json.loads(json.dumps(kept, sort_keys=True))
    assert version_of(now_there) == version_of(found) == version_of(as_version(task, through_the_ledger))
    assert now_there.criteria == task.criteria
    assert "[[criteria]]" in own(task, "task.toml")
    assert [path.read_text() for path in aside.iterdir() if path.name.endswith("task.toml")] == [before]


def test_an_edit_by_hand_is_kept_as_a_version_once(study, task):
    """What the ledger knows is not kept again."""
    ledger = ledger_of(study.state)
    (task.folder / "rules.toml").write_text("# mine\n" + rules_toml([NEW]))
    by_hand = load_task(TASK, study.prompts)

    assert keep_edit(ledger, by_hand) == version_of(by_hand)
    assert keep_edit(ledger, by_hand) is None
    assert known_version(ledger, TASK, version_of(by_hand)).data["rules_text"].startswith("# mine\n")


@pytest.mark.parametrize("name", task_names(ROOT / "prompts"))
def test_labels_are_put_into_a_task_toml_and_nothing_else_changes(name):
    """In every shipped task, whatever stands around them."""
    spec = load_task(name, ROOT / "prompts")
    text = (spec.folder / "task.toml").read_text()
    others = {
        field: {label: f'{words} "and" more' for label, words in own.items()}
        for field, own in spec.labels.items()
    }
    written = tomllib.loads(relabel(text, others, spec.folder / "task.toml"))
    before = tomllib.loads(text)

    assert written.pop("labels", {}) == others
    assert written == {key: value for key, value in before.items() if key != "labels"}


def test_lines_of_examples_that_stay_are_kept_with_all_they_say(task):
    """A source, or whatever else somebody noted beside them; the new one is added below."""
    lines = (task.folder / "examples.jsonl").read_text().splitlines()
    new = Example("new", "Give me more.", {"evidence": [], "reason": "It asks.", "stance": "favor"})

    kept = parts_of(replace(task, examples=(*task.examples[1:], new)))["examples"].splitlines()

    assert kept[:-1] == lines[1:]
    assert all("source" in json.loads(line) for line in kept[:-1])
    assert json.loads(kept[-1])["id"] == "new"
