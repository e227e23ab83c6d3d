"""What whoever writes a task of their own gets wrong: each is said as the folder is read, with what to write."""

from __future__ import annotations

import json
import shutil

import pytest

from cupel.errors import TaskError
from cupel.task.folder import ad_hoc_task, load_task
from tests.conftest import ROOT

PROMPTS = ROOT / "prompts"
TOML = (PROMPTS / "sentiment" / "task.toml").read_text(encoding="utf-8")
RULES = '[[rules]]\nid = "edges"\ntext = "Copy exactly."\n'


@pytest.fixture
def prompts(tmp_path):
    """A prompts folder with the task `sentiment`, to be spoiled."""
    for name in ("sentiment", "_generic"):
        shutil.copytree(PROMPTS / name, tmp_path / name)
    return tmp_path


def refused(prompts, file, text):
    """What is said of the task with this text in one of its files."""
    (prompts / "sentiment" / file).write_text(text, encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        load_task("sentiment", prompts)
    assert f"sentiment/{file}" in str(caught.value)
    return str(caught.value)


CASES = {
    "labels in a nested table": ("task.toml", TOML.replace("[labels.sentiment]", "[labels.evidence.sentiment]"), "[labels.evidence]: 'sentiment' is a table; labels go by the bare name of their field, inside a list too: write [labels.sentiment]"),
    "a definition that is a number": ("task.toml", TOML.replace("[labels.sentiment]", "[labels.sentiment]\nother = 3"), "[labels.sentiment] other = 3: needs a text"),
    "labels in a list": ("task.toml", TOML.replace("[labels.sentiment]", "[[labels]]"), "tables [labels.FIELD]"),
    "an item for items": ("task.toml", TOML.replace('way = "criteria"', 'way = "item"'), "way = 'item': needs \"criteria\" or \"items\", or nothing for both"),
    "a misspelt weight": ("task.toml", TOML + "weights = 2\n", "unknown key 'weights'; did you mean 'weight'? (keys: id, question, critical, weight, way)"),
    "a weight in words": ("task.toml", TOML.replace("weight = 1.0", 'weight = "heavy"'), "weight = 'heavy': needs a number, 0 or more"),
    "critical in words": ("task.toml", TOML.replace("critical = true", 'critical = "yes"'), "critical = 'yes': needs true or false"),
    "a criterion without a question": ("task.toml", TOML + '[[criteria]]\nid = "lone"\n', "[[criteria]] 'lone' lacks 'question'"),
    "a misspelt key of a rule": ("rules.toml", RULES + "failure = []\n", "[[rules]] 'edges': unknown key 'failure'; did you mean 'failures'?"),
    "a misspelt key of the window": ("task.toml", TOML.replace("overlap_chars", "overlap"), "[window]: unknown key 'overlap'; did you mean 'overlap_chars'? (keys: max_chars, overlap_chars)"),
    "a window in words": ("task.toml", TOML.replace("overlap_chars = ", "overlap_chars = 1.5 #"), "[window] overlap_chars = 1.5: needs a whole number, 0 or more"),
    "a text without quotes": ("task.toml", "title = Mood\n" + TOML.partition("\n")[2], 'put texts in quotes: title = "Mood"'),
    "a text without quotes that begins like a number": ("task.toml", "title = information\n", 'put texts in quotes: title = "information"'),
    "a list of texts without quotes": ("task.toml", TOML.replace("inputs = []", "inputs = [topic]"), "put texts in quotes"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "text", "why"), CASES.values(), ids=CASES)
def test_what_was_read_over_is_said_with_what_to_write(prompts, file, text, why):
    """The sentence names the key, the value and what is valid; it shows no dictionary and no words of Python."""
    said = refused(prompts, file, text)

    assert why in said
    assert "__init__" not in said
    assert "{'" not in said


def test_a_toml_fault_without_a_bare_word_is_told_as_the_parser_tells_it(prompts):
    """The advice on quotes would mislead where a bracket is missing."""
    assert "quotes" not in refused(prompts, "task.toml", '[window\ntitle = "Mood"\n')


@pytest.mark.parametrize(
    ("mark", "near"), [("x-ground", "x-grounded"), ("x-compute", "x-computed"), ("x-refer-to", "x-refers-to")]
)
def test_a_misspelt_mark_is_refused_wherever_it_stands(prompts, mark, near):
    """A quote under a misspelt mark would be looked for nowhere; so would it in a schema given for once."""
    schema = json.loads((PROMPTS / "sentiment" / "schema.json").read_text(encoding="utf-8"))
    schema["properties"]["evidence"]["items"][mark] = True
    said = refused(prompts, "schema.json", json.dumps(schema))

    assert f"unknown mark {mark!r} at /properties/evidence/items; did you mean {near!r}?" in said
    assert "(marks: x-grounded, x-id, x-refers-to, x-computed)" in said
    with pytest.raises(TaskError, match=f"did you mean {near!r}"):
        ad_hoc_task(schema, "What is the mood?", PROMPTS)


def test_an_extension_of_others_is_refused_in_a_folder_and_kept_in_a_schema_given_for_once(prompts):
    """A folder's schema is written for Cupel; one given for once may come from an OpenAPI file."""
    schema = json.loads((PROMPTS / "sentiment" / "schema.json").read_text(encoding="utf-8"))
    schema["properties"]["sentiment"]["x-internal"] = True

    assert "unknown mark 'x-internal' at /properties/sentiment (marks:" in refused(
        prompts, "schema.json", json.dumps(schema)
    )
    assert ad_hoc_task(schema, "What is the mood?", PROMPTS).fields.keys() == schema["properties"].keys()


def test_a_property_may_be_called_like_a_mark():
    """It is a name, not a mark."""
    schema = {"type": "object", "properties": {"x-ground": {"type": "string"}}}

    assert list(ad_hoc_task(schema, "Which ground?", PROMPTS).fields) == ["x-ground"]
