"""A record's questions asked back: by somebody who sees them alone, and compared by code."""

import pytest

from cupel.cascade.ask_back import list_unconfirmed
from cupel.cascade.work import Work, as_whole, read_edits
from cupel.task.folder import load_task
from cupel.testing.models import reply
from cupel.text.evidence import ground_record
from tests.integration.cascade import walk
from tests.unit.cascade.factory import asking, attempt, context, state

TEXT = (
    "The library will stay shut until the spring. Asbestos was found above the reading room. "
    "I want the school to open its own library on Saturdays. Thank you."
)
SHUT, ASBESTOS = "The library will stay shut until the spring", "Asbestos was found above the reading room"
SCHOOL = "I want the school to open its own library on Saturdays"
UNJUDGED = {"task": "questions", "judge": "never", "strong_model": "none"}


def question(quote, asked, kind="fact"):
    """One item of a record of questions."""
    return {"quote": quote, "question": asked, "answer": "as quoted", "kind": kind}


RECORD = {
    "questions": [
        question(SHUT, "How long will the library stay shut?"),
        question(ASBESTOS, "Why did the library close?", "reason"),
        question(SCHOOL, "What does the speaker want?", "position"),
    ]
}


def answers(*quotes):
    """What the model that is asked back replies, by number."""
    return {"answers": [{"number": number, "quote": quote} for number, quote in enumerate(quotes, 1)]}


def says(said, record=RECORD):
    """A cheap model that writes the record, and replies this when it is asked back."""
    return lambda _messages, schema: said if "answers" in schema["properties"] else record


def confirmed(outcome):
    """The computed field of every item."""
    return [item["confirmed"] for item in outcome["record"]["questions"]]


async def test_an_item_is_confirmed_where_the_question_alone_leads_to_its_passage(project):
    """Half of the shorter passage in common is the same one; another passage and no answer are none."""
    cheap = says(answers("stay shut until the spring", SCHOOL, None))
    walked = await walk(project, TEXT, settings=UNJUDGED, cheap=cheap)
    made = walked.outcome["attempts"][0]

    assert confirmed(walked.outcome) == [True, False, False]
    assert made["signals"]["confirmed"] == pytest.approx(1 / 3)
    assert walked.outcome["score"] == pytest.approx(1 / 3, abs=1e-3)
    assert walked.outcome["status"] == "accepted"


async def test_who_is_asked_back_sees_the_questions_and_the_document_alone(project):
    """One request for the whole record: neither quotes nor answers of it are shown."""
    walked = await walk(project, TEXT, settings=UNJUDGED, cheap=says(answers(SHUT, ASBESTOS, SCHOOL)))
    asked = [each for each in walked.models["cheap"].requests if "answers" in each.schema["properties"]]
    shown = asked[0].messages[-1]["content"]

    assert len(asked) == 1
    assert "2. Why did the library close?" in shown
    assert "as quoted" not in shown
    assert shown.count(ASBESTOS) == 1


async def test_what_asking_back_took_is_on_the_documents_bill(project):
    """Its call stands with the attempt, under a kind of its own."""
    walked = await walk(project, TEXT, settings=UNJUDGED, cheap=says(answers(SHUT, ASBESTOS, SCHOOL)))

    assert [call["kind"] for call in walked.outcome["attempts"][0]["calls"]] == ["extract", "answer"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("no JSON", [None, None, None], id="a reply that cannot be read"),
        pytest.param(reply("", refusal="No."), [None, None, None], id="a refusal"),
        pytest.param(answers(*[SHUT] * 3, "a fourth"), [True, False, False], id="a number nobody asked"),
        pytest.param(answers(SHUT), [True, None, None], id="no entry for two of them"),
        pytest.param(
            answers("The library burnt down in March", ASBESTOS, SCHOOL),
            [None, True, True],
            id="words that do not stand in the document",
        ),
    ],
)
async def test_what_could_not_be_asked_is_neither_confirmed_nor_not(project, said, expected):
    """A missing judgement is null, takes nothing off the score, and is no error of the document."""
    walked = await walk(project, TEXT, settings=UNJUDGED, cheap=says(said))
    known = [value for value in expected if value is not None]

    assert confirmed(walked.outcome) == expected
    assert walked.outcome["status"] == "accepted"
    assert walked.outcome["score"] == pytest.approx(sum(known) / len(known) if known else 1, abs=1e-3)


async def test_a_record_without_questions_asks_nothing(project):
    """No request is made, and no signal noted."""
    walked = await walk(project, TEXT, settings=UNJUDGED, cheap=says("never asked", {"questions": []}))

    assert len(walked.models["cheap"].requests) == 1
    assert walked.outcome["attempts"][0]["signals"]["confirmed"] is None


async def test_a_passage_that_stands_twice_is_found_where_the_item_quotes_it(project):
    """The second place of the same words is not held against the first."""
    text = f"{SHUT}. I say it again: {SHUT}."
    record = {"questions": [question(SHUT, "How long?"), question(SHUT, "What is said again?")]}
    walked = await walk(project, text, settings=UNJUDGED, cheap=says(answers(SHUT, SHUT), record))

    assert confirmed(walked.outcome) == [True, True]


@pytest.mark.parametrize("way", ["criteria", "items"])
async def test_the_judge_hears_what_was_not_confirmed(project, way):
    """In words behind the record, which itself shows nothing that code computed."""
    settings = {"task": "questions", "judge": "always", "judge_way": way, "strong_model": "none"}
    cheap = says(answers(SHUT, SCHOOL, None))
    walked = await walk(project, TEXT, settings=settings, cheap=cheap, judge="says nothing of use")
    shown = walked.models["judge"].requests[0].messages[-1]["content"]

    assert "confirmed" not in shown
    assert "Checked by asking" in shown
    assert (
        "/questions/1: asked 'Why did the library close?' alone, another reader finds another passage"
        in shown
    )
    assert "/questions/2: asked 'What does the speaker want?' alone, another reader finds no answer" in shown


async def test_the_refiner_is_told_of_each_as_a_finding(runtime):
    """It names the check, the item and what was found instead."""
    record = {"questions": [{**RECORD["questions"][1], "confirmed": False}]}
    found = [{"question": "Why did the library close?", "start": None, "end": None}]
    document = state(attempt(record=record, found=found), text=TEXT, task="questions")
    task = await runtime.task({"task": "questions"}, asking())
    findings = list_unconfirmed(Work(document, task, context(), runtime))

    assert [finding["criterion"] for finding in findings] == ["confirmed"]
    assert "no answer in the document" in findings[0]["reasoning"]


async def test_a_record_that_was_asked_back_is_not_taken_for_an_edited_one(project):
    """What a later step computes of the stored attempt is what stands in it."""
    walked = await walk(project, TEXT, settings=UNJUDGED, cheap=says(answers(SHUT, SCHOOL, None)))
    document = state(*walked.outcome["attempts"], text=TEXT, task="questions")

    assert read_edits(document, load_task("questions", project.prompts)) == []


async def test_an_edited_record_keeps_what_was_found_and_is_compared_anew(runtime):
    """The answer is of the document and the question: a new quote is held against it, a new question was not asked."""
    task = await runtime.task({"task": "questions"}, asking())
    start = TEXT.index(ASBESTOS)
    found = [{"question": "Why did the library close?", "start": start, "end": start + len(ASBESTOS)}]
    document = state(attempt(record=None, found=found), text=TEXT, task="questions")
    items = [
        question(ASBESTOS, "Why did the library close?"),
        question(SHUT, "Why did the library close?"),
        question(SHUT, "How long?"),
    ]
    record = {"questions": items}
    whole = as_whole(record, ground_record(record, task.schema, TEXT), task, document)

    assert [item["confirmed"] for item in whole["questions"]] == [True, False, None]


async def test_a_task_that_does_not_ask_back_is_left_as_it_is(project):
    """No call, no signal."""
    walked = await walk(
        project,
        TEXT,
        settings={**UNJUDGED, "task": "summary"},
        cheap={"points": [{"quote": SHUT, "point": "It stays shut."}]},
    )

    assert "confirmed" not in walked.outcome["attempts"][0]["signals"]
    assert "found" not in walked.outcome["attempts"][0]
