"""Confidence in the graph: signals that cost calls, a calibrated policy, its certificate, and the pre-router."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from cupel.calibration.confidence import calibrate, sample_rows
from cupel.errors import NotEnoughDataError, SettingError
from cupel.metrics.gold import Gold
from cupel.routing.certify import Promise
from cupel.tables.rows import Row
from cupel.task.folder import ad_hoc_task
from tests.integration.cascade import ACCEPTS, PREMISE, TEXT, enrich_all, job, models, record, walk

MATTERS = ("budget", "housing")


def speech(number):
    """A speech whose cheap record is wrong when it is about the budget."""
    return f"{TEXT} This is speech number {number} about the {MATTERS[number % 10 > 1]}. We must hold vote {number}."


def cheap(messages, schema):
    """Right about housing; about the budget it invents a quote and misses the claim."""
    text = messages[-1]["content"]
    number = int(re.search(r"speech number (\d+)", text)[1])
    if MATTERS[0] in text:
        return record(f"an invented claim number {number}")
    return record(f"We must hold vote {number}")


def strong(messages, schema):
    """Always right."""
    return record(f"We must hold vote {re.search(r'speech number ([0-9]+)', messages[-1]['content'])[1]}")


def rows(count):
    """That many speeches."""
    return [Row(position=n, values={}, text=speech(n), doc_id=f"d{n}") for n in range(count)]


async def calibrated(project, count=120, **more):
    """A policy for the arguments task from that many labels."""
    made = job(project, judge="never", concurrency=32)
    with models(cheap=cheap, strong=strong):
        return await calibrate(rows(count), made, project, promise=Promise(risk=0.1, delta=0.1), **more)


async def test_a_calibrated_run_accepts_escalates_and_says_how_sure_it_is(project):
    """After calibration records carry a confidence, and the doubtful ones go to the strong model."""
    result = await calibrated(project)
    with models(cheap=cheap, strong=strong, judge=ACCEPTS):
        outcomes, runner = await enrich_all(
            project, job(project, audit_share=0.0), [speech(n) for n in range(200, 220)]
        )

    assert result.summary["certified"]
    accepted = [outcome for outcome in outcomes if outcome["tier"] == "cheap"]
    assert [outcome["doc_id"] for outcome in outcomes if outcome["tier"] == "strong"] == [
        "d0",
        "d1",
        "d10",
        "d11",
    ]
    assert all(outcome["calibrated"] and outcome["confidence"] > 0.8 for outcome in accepted)
    # calibrating is what makes judging cheap: only what was escalated is judged
    assert runner.tally.calls["scripted:judge"] == 4


async def test_a_calibration_for_another_prompt_is_passed_over_and_the_run_says_so(project):
    """Records say `calibrated: false`; the note names what to do."""
    await calibrated(project)
    changed = "# system\nList claims.\n# user\n{{document}}"
    with models(cheap=cheap):
        outcomes, runner = await enrich_all(
            project, job(project, judge="never", extract_prompt=changed), [speech(5)]
        )

    assert (outcomes[0]["calibrated"], outcomes[0]["confidence"]) == (False, None)
    assert "run `cupel calibrate` again" in "".join(runner.tally.notes)


async def test_the_policy_can_be_left_out(project):
    """`--policy none` is the plain rule."""
    await calibrated(project)
    with models(cheap=cheap):
        outcomes, _ = await enrich_all(project, job(project, judge="never", policy="none"), [speech(5)])

    assert outcomes[0]["calibrated"] is False


async def test_gold_labels_may_be_the_reference(project):
    """Wrong then means: differs from a person's record."""
    gold = {f"d{n}": record(f"We must hold vote {n}") for n in range(120)}
    result = await calibrated(project, gold=Gold(source="gold.csv", by_id=gold))

    assert result.policy.certificate.wrong_means == "gold"
    assert result.summary["cheap_right"] == pytest.approx(0.8)


async def test_too_few_labels_say_how_many_more_would_do(project):
    """Too few labels never give a silent number."""
    with pytest.raises(NotEnoughDataError, match="more"):
        await calibrated(project, count=20)


async def test_calibrating_again_asks_nothing_twice(project):
    """Every label came from the run log."""
    await calibrated(project)
    with models():
        again = await calibrate(
            rows(120),
            job(project, judge="never", concurrency=32),
            project,
            promise=Promise(risk=0.1, delta=0.1),
        )

    assert again.summary["labels"] == 120


def test_the_sample_is_uniform_and_never_the_first_rows():
    """A sample is drawn from everywhere, as a file's difficulty may drift."""

    class Table(list):
        pass

    chosen = [row.position for row in sample_rows(Table(rows(1000)), 100, seed=1)]

    assert len(chosen) == 100
    assert chosen != list(range(100))
    assert max(chosen) > 900


async def test_costly_signals_are_noted_and_billed_on_the_document(project):
    """For agreement, self-consistency and self-verification every sample is a call of its own."""

    def small(messages, schema):
        if "right" in schema["properties"]:
            return {"reasoning": "looks fine", "right": True}
        return record()

    settings = {"signals": "agreement,self_consistency,self_verified", "agreement_model": "scripted:strong"}
    done = await walk(
        project, settings={**settings, "judge": "never"}, cheap=small, strong=record(matter="homes")
    )

    attempt = done.outcome["attempts"][0]
    assert attempt["signals"]["self_verified"] == 1.0
    assert attempt["signals"]["self_consistency"] == 1.0
    assert 0 < attempt["signals"]["agreement"] < 1
    assert sum(call["kind"] == "verify" for call in attempt["calls"]) == 1 + 4 + 8


async def test_an_unknown_signal_is_named_before_anything_is_paid(project):
    """The error names the valid ones too."""
    with pytest.raises(SettingError, match="self_consistency"):
        await walk(project, settings={"signals": "vibes", "judge": "never"}, cheap=record())


async def test_a_learnt_prerouter_sends_hard_texts_straight_to_the_strong_model(project):
    """Prepare → route → escalate needs no cheap call where the text alone tells."""
    result = await calibrated(project, count=300, prerouter=True)
    learnt = result.path.with_suffix(".prerouter.json")
    settings = {"judge": "never", "policy": "none", "prerouter": str(learnt)}
    with models(cheap=cheap, strong=strong):
        outcomes, _ = await enrich_all(
            project, job(project, **settings), [speech(n) for n in range(300, 340)]
        )

    straight = [o["path"][1:3] == ["route", "escalate"] for o in outcomes]
    about_budget = [n % 10 < 2 for n in range(300, 340)]
    agreeing = sum(a == b for a, b in zip(straight, about_budget, strict=True))
    assert all("route" in outcome["path"] for outcome in outcomes)
    assert agreeing >= 36


async def test_a_prerouter_file_that_is_not_there_is_said(project):
    """A missing file is said in one clear text."""
    _, runner = await _only(project, prerouter="nowhere.json")

    assert isinstance(runner.stop.error, SettingError)
    assert "nowhere.json" in str(runner.stop.error)


async def _only(project, **settings):
    with models(cheap=record()):
        return await enrich_all(project, job(project, judge="never", **settings), [TEXT])


async def test_the_rows_of_a_calibration_can_be_replayed(project):
    """They show, from one's own runs, what any other policy would have saved."""
    result = await calibrated(project)
    lines = result.path.with_suffix(".rows.jsonl").read_text().splitlines()

    assert len(lines) == 120
    assert {"weak_correct", "strong_correct", "weak_cost_usd", "signals"} <= set(json.loads(lines[0]))
    assert PREMISE in json.loads(lines[0])["text"]


async def test_a_field_may_be_calibrated_by_itself_and_is_shown_beside_the_record(project):
    """`confidence/claims` among the signals; the record's own decision stays the plain rule."""
    await calibrated(project, field="claims")
    with models(cheap=cheap, strong=strong):
        outcomes, _ = await enrich_all(project, job(project, judge="never"), [speech(200), speech(205)])

    invented, right = (outcome["attempts"][0] for outcome in outcomes)
    assert invented["signals"]["confidence/claims"] < 0.5 < right["signals"]["confidence/claims"]
    assert (right["calibrated"], right["confidence"]) == (False, None)


async def test_a_field_the_task_does_not_have_is_named(project):
    """The error names those the task has too."""
    with pytest.raises(SettingError, match="claims"):
        await calibrated(project, field="claim")


async def test_a_stated_confidence_is_a_signal_and_never_decides_alone(project):
    """A schema with a `confidence` field makes the model report on itself."""
    schema = {
        "type": "object",
        "properties": {"demand": {"type": "string"}, "confidence": {"type": "number"}},
        "required": ["demand", "confidence"],
    }
    made = job(project, judge="never")
    one_off = replace(
        made, task=ad_hoc_task(schema, "What is demanded?", project.prompts), output_schema=schema
    )
    with models(cheap={"demand": "homes", "confidence": 0.1}):
        outcomes, _ = await enrich_all(project, one_off, [TEXT])

    assert outcomes[0]["attempts"][0]["signals"]["self_report"] == 0.1
    assert outcomes[0]["status"] == "accepted"
