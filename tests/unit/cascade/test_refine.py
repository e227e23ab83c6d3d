"""A critique turned into instructions, and what code lets through of them."""

import pytest

from cupel.cascade.refine import ask_refiner, check_instructions, list_objections
from tests.integration.cascade import LOOK_AT_THE_END, instructions, models
from tests.unit.cascade.factory import asking, attempt, failed, state, verdict, work

REJECTION = verdict(
    findings=[failed("nothing_missing", "open its funds")],
    code_findings=[failed("quote", reasoning="it is absent")],
)
REPEATING = instructions("Rents rose by 40 % in ten years, and young people cannot move out.")


async def rejected(runtime, *addenda, **settings):
    """A record that was rejected."""
    return await work(runtime, state(attempt(), verdicts=(REJECTION,), addenda=list(addenda)), **settings)


async def test_the_refiner_is_shown_what_failed_and_why(runtime):
    """Code's findings first; each with its evidence where there is some."""
    with models(refiner=LOOK_AT_THE_END) as made:
        documents = await rejected(runtime)
        await ask_refiner(documents, list_objections(documents), asking())
    request = made["refiner"].requests[0]

    assert '- quote: it is absent\n- nothing_missing: it is wrong (evidence: "open its funds")' in str(
        request.messages[-1]["content"]
    )
    item = request.schema["properties"]["instructions"]["items"]
    assert item["properties"]["criterion"]["enum"] == ["nothing_missing", "quote"]


@pytest.mark.parametrize(
    ("reply", "kept", "dropped"),
    [
        pytest.param(LOOK_AT_THE_END, 1, [], id="an instruction"),
        pytest.param(REPEATING, 0, ["repeats the document"], id="text of the document"),
        pytest.param(ConnectionError("down"), 0, ["no addendum: "], id="no reply"),
    ],
)
async def test_an_addendum_holds_what_passes_the_checks_and_says_why_the_rest_does_not(
    runtime, reply, kept, dropped
):
    """Without a usable reply it is empty, which ends this tier's rounds."""
    with models(refiner=reply):
        documents = await rejected(runtime)
        objections = list_objections(documents)
        addendum = check_instructions(
            documents, objections, await ask_refiner(documents, objections, asking())
        )

    assert len(addendum["instructions"]) == len(addendum["criteria"]) == kept
    assert len(addendum["dropped"]) == len(dropped)
    assert all(reason in said for reason, said in zip(dropped, addendum["dropped"], strict=True))
    assert (addendum["tier"], addendum["after_attempt"], addendum["model"]) == (
        "cheap",
        1,
        "scripted:refiner",
    )


async def test_without_a_refiner_the_addendum_names_the_setting(runtime):
    """Nobody is asked, and the round counts all the same."""
    earlier = {"tier": "cheap", "round": 1, "instructions": [], "calls": []}
    documents = await rejected(runtime, earlier, refiner_model="none")
    answer = await ask_refiner(documents, list_objections(documents), asking())
    addendum = check_instructions(documents, list_objections(documents), answer)

    assert answer is None
    assert "refiner_model" in addendum["dropped"][0]
    assert (addendum["round"], addendum["model"], addendum["calls"]) == (2, None, [])
