"""A thread that is used again: its next document is done as if the thread were new."""

from __future__ import annotations

import pytest

from tests.integration.cascade import ACCEPTS, CANNOT_TELL, INVENTED, TEXT, record
from tests.integration.threads import Thread, answering, kept, steady

pytestmark = pytest.mark.usefixtures("runtime")

UNSURE = f"Tell nobody. {TEXT}"
SCHEMA = {
    "type": "object",
    "properties": {"demand": {"type": "string"}},
    "required": ["demand"],
    "additionalProperties": False,
}
WHOLE = {"text": TEXT, "task": "arguments", "doc_id": "whole", "meta": {"topic": "housing", "party": "x"}}
INPUTS = {
    "whole": WHOLE,
    **{
        f"without {name}": {key: WHOLE[key] for key in WHOLE if key != name}
        for name in ("task", "doc_id", "meta")
    },
    "the text alone": {"text": f"{TEXT} Also: fund it."},
    "another task": {"text": TEXT, "task": "stance", "meta": {"topic": "housing"}, "doc_id": "stance"},
    "a schema of its own": {"text": TEXT, "output_schema": SCHEMA, "instructions": "What is demanded?"},
    "escalated": {"text": f"Twist it. {TEXT}", "doc_id": "escalated"},
    "failing": {"text": f"Fail me. {TEXT}", "doc_id": "failing"},
    "for a person": {"text": UNSURE, "doc_id": "unsure"},
    "blank": {"text": "  ", "doc_id": "blank"},
    "no text": {"task": "arguments"},
    "an unknown task": {"text": TEXT, "task": "argument"},
}


def _extract(messages, schema):
    said = messages[-1]["content"]
    if "demand" in schema["properties"]:
        return {"demand": "homes"}
    if "Fail me" in said:
        return "no record at all"
    if "claims" not in schema["properties"]:
        return {"evidence": ["we must build more homes"], "reason": "It says so.", "stance": "favor"}
    return record(INVENTED if "Twist it" in said else "we must build more homes")


def _judge(messages, schema):
    if "told_apart" not in schema["properties"]:
        finding = {"reasoning": "fine", "evidence_quote": None, "finding": "pass"}
        return dict.fromkeys(schema["properties"], finding)
    return CANNOT_TELL if "Tell nobody" in messages[-1]["content"] else ACCEPTS


SCRIPTS = {
    "cheap": _extract,
    "strong": lambda messages, schema: _extract([{"content": ""}], schema),
    "judge": _judge,
}


def every_order(names):
    """A walk in which each name is followed once by every other one, and by itself."""
    for at, name in enumerate(names):
        yield name
        for other in names[at + 1 :]:
            yield from (name, other)
    yield names[0]


HALF_WAY = "stopped half way"


async def test_a_second_input_is_done_as_on_a_new_thread(project, subtests):
    """Whatever became of the document before, in every order, the outcome is that of a fresh thread."""
    graph, fresh = kept(project), {}
    used, before = Thread(graph, "used", {"human_review": True}), ""
    with answering(**SCRIPTS):
        for name, given in INPUTS.items():
            thread = Thread(graph, name, {"human_review": True})
            fresh[name] = steady(await thread.run(given)), (await thread.state()).next
        for name in every_order([HALF_WAY, *INPUTS]):
            if name == HALF_WAY:
                await used.run(WHOLE, stop_before="judge")
            else:
                outcome = steady(await used.run(INPUTS[name]))
                with subtests.test(f"{name} after {before}"):
                    assert (outcome, (await used.state()).next) == fresh[name]
            before = name


async def test_the_thread_keeps_its_history(project):
    """The first document's checkpoints stay, its outcome among them."""
    thread = Thread(kept(project))
    with answering(**SCRIPTS):
        await thread.run(WHOLE)
        await thread.run(INPUTS["the text alone"])

    settled = [
        checkpoint.values["doc_id"]
        async for checkpoint in thread.graph.aget_state_history(thread.config)
        if not checkpoint.next
    ]
    assert settled[1] == "whole"
    assert settled[0] != "whole"


async def test_what_a_person_answered_about_one_document_is_not_said_of_the_next(project):
    """An accepted document's review does not accept the one after it."""
    thread = Thread(kept(project), settings={"human_review": True})
    with answering(**SCRIPTS):
        await thread.run(INPUTS["for a person"])
        assert (await thread.resume("accept"))["status"] == "accepted"
        second = await thread.run({**INPUTS["for a person"], "doc_id": "second"}, human_review=False)

    assert (second["status"], second["review"], second["doc_id"]) == ("needs_review", None, "second")


async def test_a_resume_that_brings_only_an_answer_goes_on_under_the_settings_of_the_run_that_asked(project):
    """Models, prompts and caps hold for whatever follows the answer, and for being asked again."""
    thread = Thread(kept(project), settings={"human_review": True, "judge_model": "scripted:judge"})
    better = record(matter="rents")
    judged = lambda messages, schema: ACCEPTS if "rents" in messages[-1]["content"] else CANNOT_TELL  # noqa: E731
    with answering(cheap=[record(), better], judge=judged):
        await thread.run({"text": f"{TEXT} Costs rose."})
        await thread.resume("hm", cheap_model="scripted:strong", judge="never")
        assert "no instruction" in (await thread.question())["description"]
        outcome = await thread.resume({"type": "response", "args": "Look at the costs.", "by": "Ada"})

    assert outcome["path"][4:] == ["review", "extract", "verify", "judge", "finish"]
    assert (outcome["status"], outcome["record"]) == ("accepted", better)
    assert [attempt["model"] for attempt in outcome["attempts"]] == ["scripted:cheap"] * 2
    assert (outcome["review"]["action"], outcome["review"]["by"]) == ("respond", "Ada")
    assert (await thread.whole())["addenda"][-1]["instructions"] == ["Look at the costs."]


async def test_a_run_that_brings_no_answer_takes_its_own_settings_to_the_person(project):
    """Walked again from the question by somebody else, it is asked, and goes on, under what they brought."""
    thread = Thread(kept(project), settings={"human_review": True})
    with answering(**SCRIPTS):
        await thread.run(INPUTS["for a person"])
        await thread.run(None, max_refinements=2)
        waiting = await thread.state()
        assert (waiting.next, waiting.values["asked"]["settings"]["max_refinements"]) == (("review",), 2)
        outcome = await thread.run(None, human_review=False)

    assert (outcome["status"], outcome["review"]) == ("needs_review", None)
