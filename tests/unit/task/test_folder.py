"""A task's folder is checked before anything is paid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cupel.errors import TaskError
from cupel.task.folder import load_task, task_names
from cupel.task.settings import SETTINGS

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


CRITERIA = '[[criteria]]\nid = "{id}"\nquestion = "{question}"\ncritical = {critical}\n'
TASK_WITHOUT = (PROMPTS / "sentiment" / "task.toml").read_text(encoding="utf-8").partition("[[criteria]]")[0]


def criteria(*rows):
    """The task's task.toml with these criteria and no others."""
    full = [{"id": "fits", "question": "Does it?", "critical": "true", **row} for row in rows]
    return TASK_WITHOUT + "\n".join(CRITERIA.format(**row) for row in full)


RULE = '[[rules]]\nid = "edges"\ntext = "{text}"\n'
EXTRACT = (PROMPTS / "sentiment" / "extract.md").read_text(encoding="utf-8")
JUDGE = (PROMPTS / "_generic" / "judge.md").read_text(encoding="utf-8")
SILENT = {
    "rules under a name that is near": ("rules.toml", RULE.format(text="Copy.").replace("[[rules]]", "[[rule]]"), "unknown key 'rule': rules stand under"),
    "a rule without words": ("rules.toml", RULE.format(text="  "), "rule 1 has no text: '  '"),
    "a rule without a name": ("rules.toml", RULE.format(text="x").replace("edges", ""), "rule 1 has no id"),
    "a rule that is a number": ("rules.toml", '[[rules]]\nid = "a"\ntext = 5\n', "rule 1 has no text: 5"),
    "a rule of 5,000 tokens": ("rules.toml", RULE.format(text="word " * 4_000), "takes about 5000 tokens, 600 are the most"),
    "rules that are too many": ("rules.toml", "".join(f'[[rules]]\nid = "r{n}"\ntext = "{"word " * 300}"\n' for n in range(6)), "take about 2250 tokens together, 2000"),
    "a contract without the rules": ("extract.md", EXTRACT.replace("{{rules}}", ""), "shows no {{rules}}"),
    "a contract without the labels": ("extract.md", EXTRACT.replace("{{labels}}", ""), "shows no {{labels}}"),
    "a contract without the examples": ("extract.md", EXTRACT.replace("{{examples}}", ""), "shows no {{examples}}"),
    "a judge without the criteria": ("judge.md", JUDGE.replace("{{criteria}}", ""), "shows no {{criteria}}"),
    "no criteria": ("task.toml", criteria(), "no [[criteria]]: the judge would have nothing"),
    "a criterion twice": ("task.toml", criteria({}, {}), "two criteria are called 'fits'"),
    "a criterion without a question": ("task.toml", criteria({"question": " "}), "has no id or no question"),
    "no criterion that rejects": ("task.toml", criteria({"critical": "false"}), "none of the criteria fits has critical = true"),
    "a label no record can hold": ("task.toml", criteria({}).replace("positive =", "positivo ="), "no record can hold 'positivo'; did you mean 'positive'? The schema has"),
    "labels of no field": ("task.toml", criteria({}).replace("[labels.sentiment]", "[labels.mood]"), "the record has no field 'mood', and no list 'negative' either"),
    "a merge by a field there is not": ("task.toml", criteria({}).replace('evidence = "union"', 'evidence = "union by quote"'), "merge rule 'union by quote' for 'evidence'; use one of union"),
    "a metric there is not": ("task.toml", criteria({}).replace('metric = "sentiment"', 'metric = "sentimnt"'), "metric = 'sentimnt': use one of record, exact, items"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "text", "why"), SILENT.values(), ids=SILENT)
def test_what_would_have_no_effect_is_an_error_that_names_its_file(prompts, file, text, why):
    """No model and no parser would complain: it is said as the task is read, before anything is paid."""
    (prompts / "sentiment" / file).write_text(text, encoding="utf-8")

    with pytest.raises(TaskError) as caught:
        load_task("sentiment", prompts)

    assert why in str(caught.value)
    assert f"sentiment/{file}" in str(caught.value)


@pytest.mark.parametrize("name", task_names(PROMPTS))
def test_no_shipped_task_has_a_silent_fault(name):
    """What the folders say reaches the models."""
    assert load_task(name, PROMPTS).criteria
