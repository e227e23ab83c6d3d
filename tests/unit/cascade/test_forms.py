"""What a form shows, and what of it is taken for a person's own."""

from __future__ import annotations

import pytest

from cupel.cascade.forms import (
    PROMPTS,
    CompareSettings,
    EnrichSettings,
    ImproveSettings,
    current_prompts,
    settle_prompts,
)
from cupel.project import load_graph
from cupel.task import task_names

FORMS = (EnrichSettings, ImproveSettings, CompareSettings)


@pytest.mark.parametrize("form", FORMS)
def test_every_setting_of_a_graph_is_described_and_only_its_own_are_shown(form):
    """A field says what it is for; what has no effect is not there."""
    fields = form.model_json_schema()["properties"]

    assert list(fields) == form.names()
    assert all(field.get("description") for field in fields.values())


def test_prompts_are_shown_as_the_files_have_them_and_tasks_to_choose_from(project):
    """The form is filled; an empty choice is the default task's."""
    fields = EnrichSettings.model_json_schema()["properties"]
    texts = current_prompts("arguments", project.prompts)

    assert {kind: fields[name]["default"] for kind, name in PROMPTS.items()} == texts
    assert fields["task"]["enum"] == ["", *task_names(project.prompts)]


@pytest.mark.parametrize("graph", ["enrich", "improve", "compare"])
def test_a_task_is_chosen_from_those_there_are(project, graph):
    """The input's form lists the folders of prompts/."""
    field = load_graph(project, graph).get_input_jsonschema()["properties"]["task"]

    assert field["enum"] == task_names(project.prompts)
    assert field["description"]


@pytest.mark.parametrize("form", [ImproveSettings, CompareSettings])
def test_a_setting_of_another_graph_is_refused_where_it_says_something(form):
    """What a form merely sends along as it is by default is no wish."""
    assert form(prerouter="x.json").fault.startswith("prerouter has no effect here")
    assert form(prerouter="", extract_prompt="").fault == ""
    assert form(cheap_modell="x").fault.startswith(
        "unknown setting 'cheap_modell'; did you mean 'cheap_model'?"
    )


OWN = "Mine: {{text}}"


@pytest.mark.parametrize(
    ("settings", "task", "kept"),
    [
        ({"extract_prompt": OWN}, "arguments", OWN),
        ({"extract_prompt": OWN, "task": "stance"}, "stance", OWN),
        ({"extract_prompt": OWN, "task": "stance"}, "arguments", ""),
        ({"extract_prompt": "file of arguments"}, "arguments", ""),
        ({"extract_prompt": "file of arguments"}, "stance", ""),
        ({}, "stance", ""),
    ],
)
async def test_a_prompt_replaces_what_it_was_written_for(runtime, project, settings, task, kept):
    """Not the file of a task, which a form shows; not of another task than the one it belongs to."""
    file = current_prompts("arguments", project.prompts)["extract"]
    given = {name: file if value == "file of arguments" else value for name, value in settings.items()}
    settled = await settle_prompts(EnrichSettings(**given), task, runtime)

    assert settled.extract_prompt == kept
