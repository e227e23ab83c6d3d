"""What is known of a document before any model is asked."""

from dataclasses import replace

import pytest

from cupel.cascade.prepare import begin, check_document, find_task, missing_input, name_and_cut, read_input
from cupel.task import of_document, template_of
from tests.integration.cascade import TEXT
from tests.unit.cascade.factory import asking


async def test_an_unknown_task_is_the_document_s_problem(runtime):
    """The run goes on with the other documents."""
    task = await find_task({"task": "nonsense"}, asking())

    assert isinstance(task, str)
    assert "nonsense" in task
    assert check_document({"text": TEXT}, task) == (TEXT, task)


async def test_a_version_that_is_tried_stands_in_for_the_folder_of_its_name(runtime):
    """Whoever started the document says so; another task is read from its folder."""
    asked = asking()
    spec = await find_task({"task": "arguments"}, asked)
    asked.run.task = tried = replace(spec, title="tried")

    assert await find_task({"task": "arguments"}, asked) is tried
    assert (await find_task({"task": "arguments"}, asking())).title != "tried"


@pytest.mark.parametrize("text", ["", "   ", None, 7], ids=["empty", "blank", "missing", "a number"])
async def test_a_text_that_cannot_be_used_is_named_and_not_cut(runtime, text):
    """Its problem is said in words, and it has an id all the same."""
    document = {"text": text, "task": "arguments"}
    task = await find_task(document, asking())
    shown, problem = check_document(document, task)
    prepared = name_and_cut(document, shown, task, problem)

    assert problem
    assert prepared["problem"] == problem
    assert prepared["windows"] == []
    assert prepared["doc_id"]


async def test_a_long_text_is_cut_into_windows_that_overlap(runtime):
    """Every character is in a window, and the id is one's own where there is one."""
    text = " ".join([TEXT] * 200)
    begun = await begin({"text": text, "task": "arguments", "doc_id": "mine"}, asking())
    starts, ends = zip(*begun["windows"], strict=True)

    assert (starts[0], ends[-1], begun["doc_id"]) == (0, len(text), "mine")
    assert all(start < end for start, end in zip(starts[1:], ends, strict=False))
    assert begun["path"] == ["prepare"]


async def test_an_input_the_task_needs_is_missed(runtime):
    """The first one is named, before anything is paid for."""
    spec = await find_task({"task": "arguments"}, asking())
    needs = replace(spec, inputs=("topic", "date"))

    assert "'topic'" in missing_input({"meta": {"topic": ""}}, needs)
    assert "'date'" in missing_input({"meta": {"topic": "homes"}}, needs)
    assert missing_input({"meta": {"topic": "homes", "date": "today"}}, needs) is None


SCHEMA = {"type": "object", "properties": {"demand": {"type": "string"}}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"task": "arguments", "output_schema": SCHEMA},
            "'arguments' and an output_schema are two tasks; leave task out",
        ),
        (
            {"task": "arguments", "instructions": "Demands."},
            "instructions have no effect without an output_schema",
        ),
        ({"instructions": "Demands."}, "give the schema of a one-off task with them"),
        ({"task": 7, "output_schema": SCHEMA}, "task is 7"),
        ({"output_schema": SCHEMA, "instructions": "Demands."}, None),
        ({"task": "arguments", "output_schema": None, "instructions": ""}, None),
        ({"task": "", "output_schema": SCHEMA}, None),
        ({}, None),
    ],
)
def test_what_would_have_no_effect_beside_the_rest_is_the_document_s_problem(given, says):
    """A served document is told what the command line would be told; nothing is asked for it."""
    fault = read_input({"text": TEXT, **given})[1]

    assert fault is None if says is None else says in fault


@pytest.mark.parametrize(
    ("given", "lacks"), [("  ", True), ([], True), (["Health"], False), (2025, False), ({"a": 1}, False)]
)
async def test_an_input_of_a_client_is_read_as_one_of_a_table_is(runtime, given, lacks):
    """Blanks and an empty list are nothing; whatever else JSON has is something."""
    task = await find_task({"task": "stance"}, asking())

    assert (missing_input({"meta": {"topic": given}}, task) is not None) == lacks


async def test_a_list_of_a_client_is_shown_a_line_each(runtime):
    """No model reads the words of a programming language."""
    task = await find_task({"task": "topics"}, asking())
    shown = of_document(
        template_of(task, "extract"), {"themes": ["Health", "Trade"]}, task.inputs, text=TEXT, doc_id="d"
    )

    assert "Health\nTrade" in str(shown["themes"])
