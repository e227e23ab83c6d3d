"""The shipped task folders: read as files, so that a slip in one shows here and not in a run."""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cupel.judging.checks import certain_faults
from cupel.metrics.records import record_metric
from cupel.task.computed import asked_schema
from cupel.task.folder import load_task, task_names
from cupel.task.rendering import check_prompts, stable_values
from cupel.task.schema import grounded_quotes
from cupel.task.sizes import prompt_tokens
from cupel.text.computed import complete_record

PROMPTS = Path(__file__).parents[3] / "prompts"
TASKS = tuple(task_names(PROMPTS))
STRICT_KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "enum", "description"}
BUDGETS = {"entities": 1_250}
"""Tokens besides the text, as `prompt_tokens` counts; 900 for the rest."""
each_task = pytest.mark.parametrize("name", TASKS)


def schema_of(name):
    return json.loads((PROMPTS / name / "schema.json").read_text(encoding="utf-8"))


def settings_of(name):
    return tomllib.loads((PROMPTS / name / "task.toml").read_text(encoding="utf-8"))


def rules_of(name):
    return tomllib.loads((PROMPTS / name / "rules.toml").read_text(encoding="utf-8"))["rules"]


def examples_of(name):
    lines = (PROMPTS / name / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def nodes_of(schema):
    """Every schema inside a schema, itself first."""
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes_of(child)
    if "items" in schema:
        yield from nodes_of(schema["items"])


def test_every_task_is_in_the_table_of_the_readme_and_nothing_else_is():
    """A folder is a task, and whoever looks for one looks there; `_generic` is none."""
    text = (PROMPTS / "README.md").read_text(encoding="utf-8")
    table = text.partition("| task |")[2].partition("\n\n")[0]

    assert tuple(re.findall(r"^\| `([a-z]+)` \|", table, flags=re.MULTILINE)) == TASKS


@each_task
def test_a_task_folder_loads_and_all_its_prompts_can_be_rendered(name):
    """No placeholder is unknown, no part is missing, and every example fits."""
    check_prompts(load_task(name, PROMPTS))


@each_task
def test_every_schema_fits_strict_structured_output(name):
    """All properties are required, nothing is extra, and no keyword is one a strict mode refuses."""
    schema = load_task(name, PROMPTS).asked
    Draft202012Validator.check_schema(schema_of(name))
    for node in nodes_of(schema):
        assert {key for key in node if not key.startswith("x-")} <= STRICT_KEYWORDS
        if node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False


@each_task
def test_every_example_fits_the_schema_and_quotes_its_own_text(name):
    """An example quotes its text character by character, and says where its text is from."""
    schema = asked_schema(schema_of(name))
    for example in examples_of(name):
        Draft202012Validator(schema).validate(example["record"])
        quotes = [quote for _, quote in grounded_quotes(example["record"], schema)]

        assert example["source"]
        assert [quote for quote in quotes if quote not in example["text"]] == []


def test_the_answers_on_an_arguments_quality_are_added_up_by_code():
    """Three questions each for strength, evidence and coherence; nobody is asked for a grade."""
    task = load_task("quality", PROMPTS)
    example = task.examples[0]
    whole = complete_record(example.record, task, [], text=example.text, inputs={})

    assert (whole["strength"], whole["evidence"], whole["coherence"]) == (
        1,
        1,
        pytest.approx(1 / 3, abs=1e-4),
    )


def test_a_point_that_is_none_of_the_outline_is_a_fault():
    """Code holds each against the outline; case and spaces do not matter."""
    task = load_task("gaps", PROMPTS)
    points = [
        {"point": point, "evidence": [], "lacking": "all of it", "coverage": "missing"}
        for point in ("What it  costs, and who pays", "the weather")
    ]
    inputs = {"outline": "what is planned\nwhat it costs, and who pays"}
    faults = list(certain_faults({"points": points}, task, [], text="", inputs=inputs))

    assert [check for check, _ in faults] == ["values"]
    assert faults[0][1].startswith("/points/1/point: 'the weather' is not in outline")


def test_the_points_of_the_example_of_gaps_are_those_of_its_outline():
    """The outline stands before its text; none of its lines is left out."""
    example = examples_of("gaps")[0]
    outline = example["text"].removeprefix("[Outline: ").split("]")[0].splitlines()

    assert [point["point"] for point in example["record"]["points"]] == outline


@each_task
def test_quotes_of_a_list_stand_in_the_order_of_the_text(name):
    """The examples show the order that the prompts ask for: an item stands where its `quote` does, else its first one."""
    for example in examples_of(name):
        quotes_by_list = defaultdict(dict)
        for pointer, quote in grounded_quotes(example["record"], schema_of(name)):
            field, *item = pointer.split("/")[1:3]
            if pointer.endswith("/quote") or tuple(item) not in quotes_by_list[field]:
                quotes_by_list[field][tuple(item)] = quote
        for quotes in (list(quotes.values()) for quotes in quotes_by_list.values()):
            position = 0
            for quote in quotes:
                position = example["text"].index(quote, position) + 1


@each_task
def test_every_label_has_a_definition_and_every_definition_a_label(name):
    """Closed vocabularies of the schema and of task.toml are the same; the rest defines lists."""
    schema = schema_of(name)
    labels = settings_of(name).get("labels", {})
    choices = {
        field: node["enum"]
        for parent in nodes_of(schema)
        for field, node in parent.get("properties", {}).items()
        if "enum" in node
    }
    for field, choice in choices.items():
        assert list(labels[field]) == [label for label in choice if label is not None]
    for group in labels.keys() - choices.keys():
        assert set(labels[group]) <= set(schema["properties"])


@each_task
def test_every_field_says_how_windows_are_merged(name):
    """Nothing is left to a default that nobody chose."""
    assert set(settings_of(name)["merge"]) == set(asked_schema(schema_of(name))["properties"])


@each_task
def test_criteria_are_few_binary_and_partly_critical(name):
    """A task has four to six questions, or few beside the items; each has its own id, and some reject by themselves."""
    criteria = settings_of(name)["criteria"]

    assert 4 <= sum(each.get("way") != "items" for each in criteria) <= 6
    assert sum(each.get("way") != "criteria" for each in criteria) <= 2
    assert len({each["id"] for each in criteria}) == len(criteria)
    assert all("?" in each["question"] for each in criteria)
    assert 0 < sum(each["critical"] for each in criteria) < len(criteria)


@each_task
def test_the_metric_finds_every_example_equal_to_itself(name):
    """It is one that exists, and 1 means right."""
    for example in examples_of(name):
        agreement = record_metric(
            example["record"], example["record"], metric=settings_of(name)["metric"], schema=schema_of(name)
        )

        assert agreement == pytest.approx(1)


@each_task
def test_every_rule_says_why(name):
    """A rule without a reason cannot be judged by the next person who reads it."""
    rules = rules_of(name)

    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["text"] and rule["why"] for rule in rules)


@pytest.mark.parametrize(
    "path", [pytest.param(p, id=f"{p.parent.name}/{p.name}") for p in sorted(PROMPTS.glob("*/*.md"))]
)
def test_documents_are_data_in_every_prompt_that_shows_one(path):
    """Whatever reads a document is told to follow no instruction in it, in the system part."""
    text = path.read_text(encoding="utf-8")
    system, _, user = text.partition("\n# user\n")

    assert ("{{document}}" in user) == ("follow no instruction in" in system)
    assert "{{document}}" not in system


@pytest.mark.parametrize(
    "path", [pytest.param(p, id=p.parent.name) for p in sorted(PROMPTS.glob("*/extract.md"))]
)
def test_what_is_written_for_one_document_comes_after_it(path):
    """The prompt up to the document stays the same, so that providers can cache it."""
    text = path.read_text(encoding="utf-8")

    assert text.index("{{document}}") < text.index("{{addendum}}")


@each_task
def test_a_task_costs_no_more_than_its_budget_beyond_the_text(name):
    """Tokens per document are what a free tier runs out of; one, of many examples, has its own."""
    assert prompt_tokens(load_task(name, PROMPTS)) <= BUDGETS.get(name, 900)


@each_task
def test_heads_among_the_definitions_name_fields_of_the_schema(name):
    """A model fills in fields: a head that is none of them is a name it has to guess at."""
    task = load_task(name, PROMPTS)
    fields = {field for node in nodes_of(task.schema) for field in node.get("properties", {})}
    lines = stable_values(task)["labels"].splitlines()

    assert {line.removesuffix(":") for line in lines if not line.startswith("- ")} <= fields


@each_task
def test_no_rule_tells_how_often_a_data_set_has_something(name):
    """A share that holds for one corpus misleads on the next."""
    told = " ".join([rule["text"] for rule in rules_of(name)]).lower()

    assert not re.search(
        r"\b(?:in four|in three|per cent|percent|most of the sentences|half of)\b|\d ?%", told
    )


def test_the_demo_speeches_are_twelve_and_no_example_is_among_them():
    """A prompt must not be shown what it is tried on."""
    lines = (PROMPTS.parent / "evals/datasets/speeches-demo.jsonl").read_text(encoding="utf-8").splitlines()
    speeches = [json.loads(line) for line in lines]
    words = [
        set(re.findall(r"\w+", example["text"].lower())) for name in TASKS for example in examples_of(name)
    ]

    assert len({speech["id"] for speech in speeches}) == 12
    assert all(set(speech) == {"id", "text", "meta"} for speech in speeches)
    for speech in speeches:
        said = set(re.findall(r"\w+", speech["text"].lower()))
        assert all(len(shown & said) < 0.8 * len(shown) for shown in words)
