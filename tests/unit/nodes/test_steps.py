"""Each node called by itself: what it writes, and that it writes nothing else."""

import pytest

from cupel.engine.run import ask_as
from cupel.errors import SettingError
from nodes.escalate import escalate
from nodes.extract import extract
from nodes.finish import finish
from nodes.judge import judge
from nodes.prepare import prepare
from nodes.refine import refine
from nodes.review import review
from nodes.route import route
from nodes.verify import verify
from tests.integration.cascade import ACCEPTS, INVENTED, LOOK_AT_THE_END, TEXT, models, record
from tests.unit.cascade.factory import asking, attempt, grounded, state, verdict

pytestmark = pytest.mark.usefixtures("runtime")


async def test_prepare_names_and_cuts_a_document(under):
    """What it finds is what every later node relies on."""
    with models():
        update = await prepare({"text": TEXT, "task": "arguments"}, under())

    assert (update["problem"], update["windows"], update["path"]) == (None, [[0, len(TEXT)]], ["prepare"])


@pytest.mark.parametrize(("node", "tier"), [(extract, "cheap"), (escalate, "strong")])
async def test_a_tier_adds_one_attempt(under, node, tier):
    """The next number, the tier's own model, and nothing of the attempts before."""
    with models(**{tier: record()}):
        update = await node(state(attempt()), under())

    assert set(update) == {"attempts", "path"}
    assert [(a["number"], a["tier"], a["record"]) for a in update["attempts"]] == [(2, tier, record())]


async def test_a_node_asks_as_whoever_started_the_document_said(under):
    """The run's counts are told of the call."""
    told = asking()
    with models(cheap=record()), ask_as(told):
        await extract(state(), under())

    assert dict(told.run.tally.calls) == {"scripted:cheap": 1}


async def test_verify_completes_the_latest_attempt(under, runtime):
    """It keeps its number, so that it takes its own place in the state."""
    written = await grounded(runtime, record=record(INVENTED), score=None)
    update = await verify(state(written), under())

    assert [(a["number"], a["in_doubt"], a["score"]) for a in update["attempts"]] == [(1, True, 0.5)]
    assert update["attempts"][0]["record"] == written["record"]


@pytest.mark.parametrize(
    ("claim", "said", "asked"), [("we must build more homes", "accepted", 1), (INVENTED, "rejected", 0)]
)
async def test_judge_shows_a_model_only_what_passes_the_code_checks(under, runtime, claim, said, asked):
    """An invented quote needs no model to be found."""
    with models(judge=ACCEPTS) as made:
        update = await judge(state(await grounded(runtime, record=record(claim))), under())

    assert [v["verdict"] for v in update["verdicts"]] == [said]
    assert len(made["judge"].requests) == asked


async def test_refine_adds_one_addendum(under):
    """It belongs to the tier whose record was rejected."""
    with models(refiner=LOOK_AT_THE_END):
        update = await refine(state(attempt(), verdicts=(verdict(),)), under())

    assert [(a["tier"], a["round"], len(a["instructions"])) for a in update["addenda"]] == [("cheap", 1, 1)]


async def test_review_goes_on_where_no_person_is_attached(under):
    """The document ends as in need of review."""
    update = await review(state(attempt()), under(human_review=False))

    assert update == {"review": None, "asked": None, "path": ["review"]}


async def test_route_needs_the_file_it_is_told_of(under):
    """A pre-router that is not there is an error with the command that makes one."""
    with pytest.raises(SettingError, match="cupel calibrate --prerouter"):
        await route(state(), under(prerouter="nowhere.json"))


async def test_finish_settles_the_outcome():
    """The best attempt with its status, and the language of the text."""
    update = await finish(state(attempt(), language=None))

    assert (update["status"], update["language"], update["record"]) == ("accepted", "en", record())
