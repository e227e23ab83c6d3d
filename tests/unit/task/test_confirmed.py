"""A field that asking back fills in (`confirmed`): what a schema may declare of it."""

import copy
import json
import shutil

import pytest

from cupel.errors import TaskError
from cupel.task.folder import ad_hoc_task, load_task

OF = {"question": "question", "answer": "quote"}


def schema(told=None, **more):
    """A list of questions with a computed field, and what else its items have."""
    properties = {
        "quote": {"type": "string", "x-grounded": True},
        "question": {"type": "string"},
        "confirmed": {
            "type": ["boolean", "null"],
            "x-computed": {"by": "confirmed", "of": OF} if told is None else told,
        },
        **more,
    }
    return {
        "type": "object",
        "properties": {
            "questions": {"type": "array", "items": {"type": "object", "properties": properties}},
            "elsewhere": {"type": "string", "x-grounded": True},
        },
    }


def test_a_one_off_schema_can_have_its_questions_asked_back(project):
    """The mark is all it takes; the task says which field it is."""
    task = ad_hoc_task(schema(), "What does it answer?", project.prompts)

    assert task.asks_back.path == "questions/confirmed"
    assert "confirmed" not in json.dumps(task.asked)


@pytest.mark.parametrize(
    ("told", "more", "said"),
    [
        pytest.param({"by": "confirmed"}, {}, '"by": "confirmed" needs "of"', id="no of"),
        pytest.param({"by": "confirmed", "of": {"question": "question"}}, {}, 'needs "of"', id="half of it"),
        pytest.param(
            {"by": "confirmed", "of": {**OF, "answer": "words"}}, {}, "no field beside it", id="no such field"
        ),
        pytest.param(
            {"by": "confirmed", "of": {**OF, "answer": "elsewhere"}},
            {},
            "does not stand beside it",
            id="a field of the record's top",
        ),
        pytest.param(
            {"by": "confirmed", "of": {**OF, "answer": "question"}}, {}, "is no quote", id="no quote"
        ),
        pytest.param(
            None,
            {"again": {"type": ["boolean", "null"], "x-computed": {"by": "confirmed", "of": OF}}},
            "a record is asked about once",
            id="two of them",
        ),
    ],
)
def test_a_declaration_that_could_not_be_filled_in_is_refused(project, told, more, said):
    """Before anything is paid, in words that say what to write."""
    with pytest.raises(TaskError, match=said):
        ad_hoc_task(schema(told, **more), "What does it answer?", project.prompts)


def test_a_project_without_the_prompt_says_so(project, tmp_path):
    """One made before there was any has none to ask by."""
    prompts = tmp_path / "prompts"
    shutil.copytree(project.prompts, prompts)
    (prompts / "_generic" / "answer.md").unlink()

    with pytest.raises(TaskError, match=r"no answer\.md to ask by"):
        load_task("questions", prompts)
    assert load_task("summary", prompts).asks_back is None


def test_the_words_it_is_asked_by_are_part_of_the_tasks_identity_and_of_no_others(project, tmp_path):
    """A run with other words is another run; tasks that ask nothing back stay who they are."""
    prompts = tmp_path / "prompts"
    shutil.copytree(project.prompts, prompts)
    path = prompts / "_generic" / "answer.md"
    path.write_text(path.read_text(encoding="utf-8").replace("look up", "find"), encoding="utf-8")
    before, after = [
        {name: load_task(name, folder).identity for name in ("questions", "summary")}
        for folder in (project.prompts, prompts)
    ]

    assert before["questions"] != after["questions"]
    assert before["summary"] == after["summary"]


def test_the_type_that_holds_it_is_true_false_or_null(project):
    """Any other could not hold what comes of it."""
    wrong = copy.deepcopy(schema())
    wrong["properties"]["questions"]["items"]["properties"]["confirmed"]["type"] = "string"

    with pytest.raises(TaskError, match="gives a boolean"):
        ad_hoc_task(wrong, "What does it answer?", project.prompts)
