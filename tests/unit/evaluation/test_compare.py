"""Two sides on the same documents, and a judge that is asked in both orders."""

from __future__ import annotations

import pytest
from langgraph.runtime import Runtime

from cupel.errors import SettingError, UsageError
from cupel.evaluation.compare import check_sides, read_side
from cupel.evaluation.comparison import Comparison, compare_documents
from cupel.improvement.ledger import ledger_of
from cupel.improvement.versions import version_of
from cupel.runs.bench import Document
from cupel.testing.models import scripted
from nodes.answer import answer
from nodes.prefer import prefer
from tests.integration.improvement import TASK, extractor
from tests.unit.evaluation.study import CONTEXT
from tests.unit.report.factory import outcome


async def answer_both(state, context):
    """The node's answer with this context."""
    return await answer(state, Runtime(context=context))


async def prefer_one(state, context):
    """The node's preference with this context."""
    return await prefer(state, Runtime(context=context))


HARD = "Colleagues, it has drawbacks. Nevertheless I welcome proposal 4."


def preferring(choose):
    """A judge that is told what is shown first, and answers what `choose` makes of it."""

    def judge(messages, _schema):
        first = messages[-1]["content"].split("<first>")[1].split("</first>")[0]
        return {"reasoning": "Looked at both.", "better": choose(first)}

    return judge


def fair(first):
    """What is in favour, wherever it stands."""
    return "first" if '"favor"' in first else "second"


def compared(a, b, **state):
    """The state as it is once both sides have answered."""
    outcomes = {"a": outcome(record=a), "b": outcome(record=b)}
    return {"text": HARD, "task": TASK, "doc_id": "d", "meta": {"topic": "it"}, "outcomes": outcomes, **state}


def stance(name):
    """A record with this stance."""
    return {"evidence": ["I welcome proposal 4"], "reason": "The speaker says so.", "stance": name}


def side_of(name, study, task):
    """What `--a` makes of a name in this study."""
    return read_side(name, task, ledger_of(study.state), study.folder)


def test_a_side_is_a_model_a_version_or_both(study, task):
    """A rules file stands in for the folder's rules, and the page calls it by its version."""
    active, model = side_of("active", study, task), side_of("scripted:one", study, task)
    both = side_of("scripted:one@mine.toml", study, task)

    assert active == {"name": "active"}
    assert model == {"name": "scripted:one", "model": "scripted:one"}
    assert both["model"] == "scripted:one"
    assert both["name"].startswith("scripted:one@")
    assert both["name"] != f"scripted:one@{version_of(task)}"
    assert [rule["id"] for rule in both["rules"]][-1] == "mine"
    with pytest.raises(UsageError, match="no version 'abcdef' of task 'stance'"):
        side_of("abcdef", study, task)


@pytest.mark.parametrize(
    ("a", "b", "judge", "why"),
    [
        ("scripted:one", "scripted:one", "scripted:judge", "a and b are the same: scripted:one"),
        ("scripted:one", "scripted:two", "none", "no judge is attached"),
        ("scripted:judge", "scripted:two", "scripted:judge", "would judge its own records"),
    ],
)
def test_sides_that_cannot_be_compared_are_refused(a, b, judge, why):
    """It is said before anything is asked."""
    context = CONTEXT.model_copy(update={"judge_model": judge, "judge": "always"})
    with pytest.raises(SettingError, match=why):
        check_sides({"name": a, "model": a}, {"name": b, "model": b}, context, {})


async def test_each_side_answers_alone_with_its_own_prompt(study, task, models, runtime):
    """The side with the helpful rule reads a hard speech rightly; no stronger model and no judge is asked."""
    state = {"text": HARD, "task": TASK, "meta": {"topic": "it"}}
    sides = {"a": side_of("mine.toml", study, task), "b": side_of("active", study, task)}
    answered = await answer_both({**state, **sides}, CONTEXT.model_copy(update={"judge": "always"}))

    assert {side: one["record"]["stance"] for side, one in answered["outcomes"].items()} == {
        "a": "favor",
        "b": "against",
    }
    assert answered["doc_id"] == answered["outcomes"]["a"]["doc_id"]
    assert models["scripted:judge"].requests == []


@pytest.mark.parametrize(
    ("a", "b", "preferred"),
    [
        pytest.param(None, None, "unknown", id="neither has a record"),
        pytest.param(None, stance("favor"), "b", id="no record loses to one"),
        pytest.param(stance("favor"), None, "a", id="whichever side has it"),
        pytest.param(stance("favor"), stance("favor"), "tie", id="the same record is a tie"),
    ],
)
async def test_what_needs_no_judge_asks_none(a, b, preferred):
    """Where the records leave nothing to ask, nothing is paid."""
    assert await prefer_one(compared(a, b), CONTEXT) == {"opinions": [], "preferred": preferred}


@pytest.mark.parametrize(
    ("choose", "preferred"),
    [
        pytest.param(fair, "a", id="the same record in both orders"),
        pytest.param(lambda _: "first", "tie", id="whatever is shown first"),
    ],
)
async def test_a_side_is_preferred_only_where_both_orders_agree(choose, preferred, runtime):
    """A judge that follows the order prefers nothing."""
    with scripted({"scripted:judge": preferring(choose)}):
        told = await prefer_one(compared(stance("favor"), stance("none")), CONTEXT)

    assert told["preferred"] == preferred
    assert [opinion["first"] for opinion in told["opinions"]] == ["a", "b"]
    assert {opinion["reasoning"] for opinion in told["opinions"]} == {"Looked at both."}


@pytest.mark.parametrize(
    ("script", "judge", "why"),
    [
        pytest.param([], "none", "no judge is attached", id="no judge"),
        pytest.param("no JSON", "scripted:judge", "no judgement: ", id="no answer that fits"),
    ],
)
async def test_a_judgement_that_could_not_be_had_prefers_nothing(script, judge, why, runtime):
    """The reason is kept in place of the judge's own."""
    with scripted({"scripted:judge": script}):
        context = CONTEXT.model_copy(update={"judge_model": judge})
        told = await prefer_one(compared(stance("favor"), stance("none")), context)

    assert told["preferred"] == "unknown"
    assert all(opinion["reasoning"].startswith(why) for opinion in told["opinions"])


class Walked:
    """Stands in for the compare graph: the two stages one after the other."""

    async def ainvoke(self, state, *, context):
        """As a compiled graph is invoked."""
        state = {**state, **await answer_both(state, context)}
        return {**state, **await prefer_one(state, context)}


async def test_a_file_is_compared_document_by_document(study, task, runtime):
    """The win rate, cost and time of each side, and how often the judge followed the order."""
    documents = [
        Document(doc_id=f"d{n}", text=HARD.replace("4", str(n)), group=f"g{n}", inputs={"topic": "it"})
        for n in range(4)
    ]
    sides = (side_of("scripted:one", study, task), side_of("scripted:two", study, task))
    with scripted(
        {"scripted:one": stance("favor"), "scripted:two": extractor, "scripted:judge": preferring(fair)}
    ):
        comparison = await compare_documents(Walked(), documents, task, sides, CONTEXT)

    told = comparison.to_json()
    assert (told["a_better"], told["b_better"], told["ties"], told["unknown"]) == (4, 0, 0, 0)
    assert (told["documents"], told["judge"], told["judge_followed_the_order"]) == (4, "scripted:judge", 0)
    assert told["a"]["cost_usd_per_document"] == 0.0
    assert (told["win_rate"], told["b"]["name"]) == (1.0, "scripted:two")


def test_one_unknown_price_makes_a_sides_cost_unknown():
    """A mean with a gap in it is not told as a mean."""
    priced, unpriced = compared({}, {}), compared({}, {})
    unpriced["outcomes"]["b"]["cost_usd"] = None
    rows = [(None, priced), (None, unpriced)]
    comparison = Comparison(a={"name": "a"}, b={"name": "b"}, judge="j", rows=rows, rate=None, swayed=0)

    assert comparison.cost_usd("a") == pytest.approx(0.001)
    assert comparison.cost_usd("b") is None
