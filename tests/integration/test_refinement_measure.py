"""`evals/refinement.py`: what a round of refinement is worth, by labels the judge does not see."""

from __future__ import annotations

import json

import pytest

from cupel.task import load_task
from cupel.testing import scripted
from tests.conftest import ROOT, load_script
from tests.integration.cascade import CLAIM, PREMISE, TEXT
from tests.unit.cascade.test_judge_ways import items_judge

MIXED = {
    "matter": "housing",
    "claims": [{"id": 1, "quote": CLAIM}, {"id": 2, "quote": PREMISE}],
    "premises": [],
    "stance": "support",
}
APART = {**MIXED, "claims": MIXED["claims"][:1], "premises": [{"quote": PREMISE, "supports": 1}]}


@pytest.fixture(scope="module")
def measure():
    """The script as a module."""
    return load_script(ROOT / "evals" / "refinement.py")


@pytest.fixture
def data(tmp_path):
    """Twenty labelled documents: annotators hold the premise for one in every second of them, for a claim in the others."""
    folder = tmp_path / "argument_components"
    folder.mkdir()
    lines = []
    for n in range(20):
        found = [(CLAIM, "Claim"), (PREMISE, ("Premise", "Claim")[n % 2])]
        spans = [
            {"start": TEXT.index(quote), "end": TEXT.index(quote) + len(quote), "label": label, "text": quote}
            for quote, label in found
        ]
        lines.append(
            {"id": f"a{n}", "text": f"{TEXT} {n}", "meta": {"debate": str(n)}, "gold": {"spans": spans}}
        )
    lines.append({"id": "bare", "text": TEXT, "meta": {}, "gold": {"spans": []}})
    (folder / "dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "dev.jsonl"


def reader(messages, _schema):
    """Puts the premise among the claims until it is told where it belongs."""
    return APART if "mind also" in messages[-1]["content"] else MIXED


MOVES = items_judge([(f'claims: "{PREMISE}"', "wrong list", "premises")], [])


async def measured(measure, data, project, judge, limit=1.0):
    told = measure.SETS["argument_components"]
    task = load_task(told.task, project.prompts)
    gold = measure.choose(data, 30, 2_000, 7)
    options = {
        "cheap_model": "scripted:reader",
        "judge_model": "scripted:judge",
        "refiner_model": "none",
        "judge_way": "items",
        "max_refinements": 1,
    }
    with scripted({"scripted:reader": reader, "scripted:judge": judge}) as answering:
        outcomes = await measure.refine_all(gold, measure.replace(task, wrong_below=limit), options, project)
    trials = measure.weigh_all(gold, outcomes, told.labels)
    columns = {
        each: dict(measure.figures(trials, gold, told, each)) for each in measure.limits_of(task, limit)
    }
    asked = sum(len(model.requests) for model in answering.values())
    return gold, columns, asked


async def test_fixes_and_breaks_are_counted_by_the_labels_whatever_the_judge_thinks(measure, data, project):
    """The judge moves every premise: right on ten documents and wrong on the ten whose annotators had it as it was."""
    gold, columns, asked = await measured(measure, data, project, MOVES)
    told = columns[1.0]

    assert len(gold) == 20  # nothing to refine where nothing is labelled
    assert asked == 80
    assert (told["records refined"], told["· the new one kept"]) == ("20 of 20", "20")
    assert told["· accepted then"] == "20"
    assert told["fixes, breaks"] == "10, 10"
    assert told["gain, paired"].startswith("+0.000 [-0.")
    assert told["F1 before"][:5] == told["F1 after"][:5] == "0.750"


async def test_a_stricter_rule_is_read_from_the_same_outcomes(measure, data, project):
    """Half of each record is right by the judge: below .5 nothing is refined, and nothing gained or paid."""
    _, columns, _ = await measured(measure, data, project, MOVES)
    strict = columns[0.5]

    assert strict["records refined"] == "0 of 20"
    assert strict["gain, paired"] == "+0.000 [+0.000, +0.000]"
    begun, spent = strict["tokens a document"].split(" → ")
    assert begun == spent
    assert int(columns[1.0]["tokens a document"].split(" → ")[1]) > int(spent)


async def test_the_same_command_again_asks_nothing_and_says_the_same(measure, data, project):
    """The figures are made of the run log."""
    _, first, asked = await measured(measure, data, project, MOVES)
    _, again, none = await measured(measure, data, project, MOVES)

    assert (again, none) == (first, 0)
    assert asked > 0


async def test_a_record_the_judge_finds_right_is_left_alone(measure, data, project):
    """No objection, no round."""
    _, columns, asked = await measured(measure, data, project, items_judge())

    assert columns[1.0]["records refined"] == "0 of 20"
    assert asked == 40
