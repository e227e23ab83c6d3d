"""One judge heard: item by item, in parts, or where two readings of the document differ."""

import re

import pytest

from cupel.cascade.judge import ask_judge, settle_verdict
from cupel.cascade.judge_ways import binding_of, hear
from cupel.judging import JudgeMeasure
from tests.integration.cascade import CLAIM, PREMISE, models, record
from tests.unit.cascade.factory import asking, attempt, grounded, state, work

LINE = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


def items_judge(wrong=(), missing=()):
    """A judge that calls the items wrong whose line holds one of these words, with what should be there."""

    def reply(messages, _schema):
        lines = LINE.findall(messages[-1]["content"].partition("<record>")[2])
        entries = []
        for number, line in lines:
            found = next(((field, should) for words, field, should in wrong if words in line), None)
            entry = {"item": int(number), "finding": "right"}
            if found:
                entry = {
                    "item": int(number),
                    "why": "See.",
                    "finding": "wrong",
                    "field": found[0],
                    "should_be": found[1],
                }
            entries.append(entry)
        return {"items": entries, "missing": list(missing)}

    return reply


async def heard(runtime, judge, way="items", *, settings=None, **changes):
    with models(judge=judge) as made:
        document = await work(runtime, state(await grounded(runtime)), judge_way=way, **(settings or {}))
        said = await ask_judge(document, asking())
    return settle_verdict(document, said, None), made["judge"].requests


async def test_a_record_is_judged_item_by_item_in_one_call(runtime):
    """Every item has a finding, and code adds them up to the task's own metric."""
    verdict, requests = await heard(runtime, items_judge())

    assert len(requests) == 1
    assert (verdict["verdict"], verdict["way"], verdict["score"]) == ("accepted", "items", 1.0)
    assert sorted(one["path"] for one in verdict["findings"]) == [
        "/claims/0",
        "/matter",
        "/premises/0",
        "/stance",
    ]
    assert (verdict["estimate"]["precision"], verdict["estimate"]["recall"]) == (1.0, 1.0)
    assert verdict["measured"] == "unmeasured"


async def test_what_is_wrong_and_missing_rejects_by_the_estimate(runtime):
    """A claim in the wrong list and a statement left out bring the metric below what the task calls wrong."""
    lost = [{"quote": "young people cannot move out", "list": "premises"}]
    verdict, _ = await heard(runtime, items_judge([(CLAIM, "wrong list", "premises")], lost))

    assert verdict["verdict"] == "rejected"
    assert verdict["score"] < 0.5
    kinds = [one["criterion"] for one in verdict["findings"] if one["finding"] == "fail"]
    assert kinds == ["premises_as_claims", "premises_missing"]


async def test_the_judge_sees_the_rules_the_record_was_made_by_and_no_json(runtime):
    """It holds each item against what whoever extracted it was told."""
    _, requests = await heard(runtime, items_judge())
    system, user = (str(message["content"]) for message in requests[0].messages)
    task = await runtime.task({"task": "arguments"}, asking())

    assert all(rule.text in system for rule in task.rules)
    assert f'1. claims: "{CLAIM}"' in user
    assert f'2. premises: "{PREMISE}" · supports: item 1' in user
    assert '"claims"' not in user


async def test_a_judge_of_criteria_is_asked_word_for_word_as_before_there_were_other_ways(runtime):
    """What was paid for stays of use: neither prompt nor form has changed."""
    with models(judge={}) as made:
        await ask_judge(await work(runtime, state(await grounded(runtime))), asking())
    request = made["judge"].requests[0]

    assert list(request.schema["properties"]) == [
        "told_apart", "nothing_missing", "only_statements", "one_each", "support_fits", "stance_fits"
    ]  # fmt: skip
    assert "Then decide every criterion by itself" in str(request.messages[0]["content"])


@pytest.mark.parametrize(
    "reply", [ConnectionError("down"), {"items": [], "missing": []}], ids=["is down", "is silent"]
)
async def test_a_judgement_by_items_that_could_not_be_had_is_unknown(runtime, reply):
    """Neither no answer nor one that says nothing is a fail."""
    verdict, _ = await heard(runtime, reply)

    assert verdict["verdict"] == "unknown"


LONG = " ".join(f"We must mend bridge number {n} because river number {n} rose." for n in range(150))


async def test_a_long_record_is_judged_in_parts_and_every_item_once(runtime):
    """Items of one window are read beside it, single values beside the whole text; together they are the record's."""
    claims = [{"id": n, "quote": f"We must mend bridge number {n}"} for n in range(150)]
    windows = [[0, 6_000], [5_400, len(LONG)]]
    made_record = {"matter": "bridges", "claims": claims, "premises": [], "stance": "support"}
    document = state(attempt(record=made_record), text=LONG, windows=windows)
    task = await runtime.task({"task": "arguments"}, asking())
    from cupel.text import ground_record

    document["attempts"][0]["evidence"] = ground_record(made_record, task.schema, LONG)
    lost = [{"quote": "river number 7 rose", "list": "premises"}]
    with models(judge=items_judge(missing=lost)) as made:
        told = await work(runtime, document, judge_way="items", max_output_tokens=4_096)
        said = await ask_judge(told, asking())
    verdict = settle_verdict(told, said, None)

    assert len(made["judge"].requests) > 3
    paths = [one["path"] for one in verdict["findings"] if one["finding"] == "pass"]
    assert sorted(paths) == sorted([*(f"/claims/{n}" for n in range(150)), "/matter", "/stance"])
    assert sum(one["criterion"] == "premises_missing" for one in verdict["findings"]) == 1


async def test_a_part_without_an_answer_leaves_no_judgement(runtime):
    """Half a judgement is none, and what was paid for it is counted."""
    claims = [{"id": n, "quote": f"We must mend bridge number {n}"} for n in range(150)]
    document = state(
        attempt(record={"matter": "b", "claims": claims, "premises": [], "stance": "none"}), text=LONG,
        windows=[[0, 6_000], [5_400, len(LONG)]],
    )  # fmt: skip
    replies = iter([{"items": [], "missing": []}] * 3)
    with models(judge=lambda *_: next(replies, ConnectionError("down"))):
        told = await work(runtime, document, judge_way="items")
        said = await ask_judge(told, asking())

    assert said.verdict.verdict == "unknown"
    assert "no judgement" in said.verdict.reason
    assert said.calls


def decides_for(words):
    """A judge that takes the side that says these words, and else neither."""

    def reply(messages, _schema):
        shown = messages[-1]["content"].partition("<differences>")[2]
        blocks = re.findall(r"(\d+)\. .*\n   A: (.*)\n   B: (.*)", shown)
        return {
            "decisions": [
                {
                    "item": int(n),
                    "why": "See.",
                    "right": "A" if words in a else "B" if words in b else "neither",
                }
                for n, a, b in blocks
            ]
        }

    return reply


async def test_where_two_readings_agree_nobody_is_asked(runtime):
    """The second reading is a sample of the same model, and what both have is right."""
    with models(cheap=record(), judge={}) as made:
        document = await work(runtime, state(await grounded(runtime)), judge_way="adjudicate")
        said = await ask_judge(document, asking())
    verdict = settle_verdict(document, said, None)

    assert made["judge"].requests == []
    assert len(made["cheap"].requests) == 1
    assert (verdict["verdict"], verdict["score"], verdict["way"]) == ("accepted", 1.0, "adjudicate")


@pytest.mark.parametrize(
    ("side", "verdict"), [("it is one of premises", "rejected"), ("it is one of claims", "accepted")]
)
async def test_the_judge_decides_only_where_two_readings_differ(runtime, side, verdict):
    """The other reading has the claim among its premises, backing nothing, and another stance: whoever is called A."""
    other = {
        **record(stance="oppose"),
        "claims": [],
        "premises": [{"quote": CLAIM, "supports": None}, {"quote": PREMISE, "supports": None}],
    }
    with models(cheap=other, judge=decides_for(side)) as made:
        document = await work(runtime, state(await grounded(runtime)), judge_way="adjudicate")
        said = await ask_judge(document, asking())
    settled = settle_verdict(document, said, None)

    shown = str(made["judge"].requests[0].messages[-1]["content"])
    assert "the same" not in shown
    assert len(re.findall(r"^\d+\. ", shown, re.MULTILINE)) == 3
    assert settled["verdict"] == verdict
    assert len(settled["calls"]) == 2


async def test_the_record_of_the_other_tier_is_the_second_reading(runtime):
    """What was paid for is read once more, and nobody is asked for another."""
    first = await grounded(runtime)
    strong = {**await grounded(runtime), "number": 2, "tier": "strong", "model": "scripted:strong"}
    with models(cheap={}, judge={}) as made:
        document = await work(runtime, state(first, strong), judge_way="adjudicate")
        said = await ask_judge(document, asking())

    assert made["cheap"].requests == []
    assert said.verdict.verdict == "accepted"


async def measured(runtime, document, **changes):
    """What `judge-check` would have kept of this judge."""
    binding = await binding_of(document.task, "scripted:judge", document.context)
    measure = JudgeMeasure(**{
        "binding": binding, "n": 60, "kappa": 0.3, "low": 0.1, "high": 0.5, "advisory": True, "why": "it agrees too little",
        **changes,
    })  # fmt: skip
    path = runtime.project.state / "judges" / f"arguments.{binding.way}.json"
    path.parent.mkdir(parents=True)
    path.write_text(measure.to_json(), encoding="utf-8")
    return measure


@pytest.mark.parametrize(("setting", "advisory"), [(None, True), (False, False), (True, True)])
async def test_a_judge_measured_as_too_weak_only_advises_unless_a_run_says_otherwise(
    runtime, setting, advisory
):
    """It says so, and what the run sets beats what was measured."""
    with models(
        judge=items_judge([(CLAIM, "should not be here", None), (PREMISE, "should not be here", None)])
    ):
        document = await work(
            runtime, state(await grounded(runtime)), judge_way="items", advisory_judge=setting
        )
        await measured(runtime, document)
        said = await hear(document, "scripted:judge", None, asking())

    assert said.verdict.advisory == advisory
    assert "kappa 0.30 [0.10, 0.50] on 60 records; advisory: it agrees too little" in said.verdict.measured


async def test_a_measurement_of_another_prompt_is_none(runtime):
    """A judge told other rules is another judge."""
    with models(judge=items_judge()):
        document = await work(runtime, state(await grounded(runtime)), judge_way="items")
        measure = await measured(runtime, document)
        other = document.context.model_copy(
            update={"judge_items_prompt": document.task.prompts["judge_items"] + "\nBe kind."}
        )
        assert (await binding_of(document.task, "scripted:judge", other)) != measure.binding
        from dataclasses import replace

        said = await hear(replace(document, context=other), "scripted:judge", None, asking())

    assert (said.verdict.advisory, said.verdict.measured) == (False, "unmeasured")


async def test_a_calibrated_estimate_decides_and_is_the_confidence_in_the_verdict(runtime):
    """A judge known to be lenient rejects what it estimates at 1, with the probability that this is right."""
    from cupel.judging.measure import SIGNAL, signal_of
    from cupel.routing import Binding, fit_calibration

    scores, right = [[signal_of(n / 40)[SIGNAL]] for n in range(40)], [float(n % 10 == 9) for n in range(40)]
    fit = fit_calibration(
        scores, right, names=[SIGNAL], binding=Binding(task="arguments", prompt_version="", model="")
    )
    with models(judge=items_judge()):
        document = await work(runtime, state(await grounded(runtime)), judge_way="items")
        await measured(runtime, document, advisory=False, why="", calibration=fit.to_dict())
        said = await hear(document, "scripted:judge", None, asking())

    assert said.verdict.verdict == "rejected"
    assert said.verdict.estimate["confidence"] > 0.5
    assert said.verdict.score == 1.0
