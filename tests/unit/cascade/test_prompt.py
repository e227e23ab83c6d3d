"""One prompt, filled for one document in one place."""

from cupel.cascade.prompt import prompt_for
from cupel.cascade.work import take_up
from cupel.runlog.store import tables
from tests.integration.cascade import TEXT
from tests.unit.cascade.factory import asking, attempt, context, state

SCHEMA = {"type": "object", "properties": {}}


async def test_a_question_holds_the_document_between_tags_and_what_the_prompt_shows(runtime):
    """The document is named by its id, and a window of it stands for the whole where one is given."""
    task = await runtime.task(state(), asking())
    prompt = await prompt_for(task, "judge", "scripted:judge", context(), SCHEMA)
    whole = prompt.about(state(), record="{}", usd_left=0.5)
    part = prompt.about(state(), text=TEXT[:30], record="{}")

    assert TEXT in whole.messages[-1]["content"]
    assert '<document id="d1">' in whole.messages[-1]["content"]
    assert (whole.kind, whole.schema_name, whole.usd_left) == ("judge", "judgement", 0.5)
    assert part.text == TEXT[:30]
    assert TEXT not in part.messages[-1]["content"]


async def test_a_prompt_is_made_once_and_noted_under_its_version(runtime):
    """The run log has what was sent beside the document."""
    task, settings = await runtime.task(state(), asking()), context()
    first, again = [
        await prompt_for(task, "extract", "scripted:cheap", settings, task.schema) for _ in range(2)
    ]
    with runtime.run_log.engine.connect() as connection:
        noted = connection.execute(tables.prompt_versions.select()).mappings().all()

    assert first is again
    assert [(row["version"], row["kind"]) for row in noted] == [(first.version, "extract")]


async def test_a_step_takes_up_the_document_with_its_task(runtime):
    """The latest attempt is what it works on."""
    document = state(attempt(), attempt(number=2))
    work = await take_up(document, context(), asking())

    assert (work.task.name, work.attempt["number"], work.runtime) == ("arguments", 2, runtime)
