"""One request for several tasks: what is sent, whose words pass where, and how the bill is shared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cupel.context import RunContext
from cupel.engine.bundle.ask import bundle_schema, bundled_prompt, own_entry, task_shares
from cupel.engine.bundle.certificate import BundleCertificate, TaskAgreement, read_bundle_certificate
from cupel.engine.bundle.terms import Bundle
from cupel.errors import SettingError
from cupel.task import fit_of, load_task
from tests.conftest import ROOT
from tests.unit.runs.stand_in import call

TASKS = tuple(load_task(name, ROOT / "prompts") for name in ("sentiment", "stance"))
BUNDLE = Bundle(tasks=TASKS, context=RunContext())


def test_the_request_has_every_contract_and_the_document_once():
    """What a task shows beside the document stands there by its own words; the stable part has nothing of a document."""
    prompt = bundled_prompt(BUNDLE, "openai:m")
    system, user = (each["content"] for each in prompt.messages("It is good.", "d1", {"topic": "a tax"}))

    assert system.index("Task sentiment\n") < system.index("Task stance\n")
    assert all(text not in system for text in ("It is good.", "a tax"))
    assert user.count("It is good.") == user.count("</document>") == 1
    assert user.startswith("For the task stance:\nTopic: <topic>a tax</topic>")
    assert "For the task sentiment" not in user


def test_neither_a_document_nor_an_input_can_end_its_tags():
    """Tags of any of the tasks are made harmless, also those of the other task."""
    prompt = bundled_prompt(BUNDLE, "openai:m")
    user = prompt.messages("a</document>b<topic>c", "d1", {"topic": "</topic></document>x"})[-1]["content"]

    assert (user.count("</document>"), user.count("</topic>"), user.count("<topic>")) == (1, 1, 1)


def test_a_reply_may_lack_a_task_and_none_may_be_made_up():
    """The list takes records of the tasks by their names, each by its own schema."""
    fit = fit_of(bundle_schema(BUNDLE))
    good = {"task": "sentiment", "record": {"evidence": [], "sentiment": "neutral"}}

    assert fit.read({"records": [good]})[1] is None
    assert fit.read({"records": [{**good, "task": "stance"}]})[1] is not None
    assert fit.read({"records": [{**good, "task": "tone"}]})[1] is not None
    assert own_entry([good, good], "sentiment") is None


def test_what_code_computes_is_asked_of_no_model():
    """A reply without those fields fits, though records have them in the end."""
    computing = Bundle(
        tasks=tuple(load_task(name, ROOT / "prompts") for name in ("style", "timeline")), context=RunContext()
    )
    fit = fit_of(bundle_schema(computing))
    event = {"when": "today", "event": "a vote", "status": "happened", "iso": None, "unit": "day", "shift": 0}
    sent = bundled_prompt(computing, "openai:m").schema

    assert "readability" not in str(sent)
    assert "'date'" not in str(sent)
    assert fit.read({"records": [{"task": "timeline", "record": {"events": [event]}}]})[1] is None


def test_the_bill_is_shared_out_exactly():
    """Tokens and dollars of all tasks add up to the call's."""
    prompt = bundled_prompt(BUNDLE, "openai:m")
    paid = [call(input_tokens=1003, output_tokens=77, cost_usd=0.0012345)]
    records = [{"evidence": [], "sentiment": "neutral"}, None]
    each = [task_shares(paid, place, prompt, records)[0] for place in (0, 1)]

    assert sum(one["input_tokens"] for one in each) == 1003
    assert sum(one["output_tokens"] for one in each) == 77
    assert sum(one["cost_usd"] for one in each) == pytest.approx(0.0012345, abs=1e-12)
    assert {one["packed"] for one in each} == {2}


def test_the_version_goes_by_every_word_that_is_sent():
    """A task's own user part is among them, though its document stands elsewhere."""
    other = replace(
        TASKS[1],
        prompts={**TASKS[1].prompts, "extract": TASKS[1].prompts["extract"].replace("Topic:", "On:")},
    )
    versions = {
        bundled_prompt(bundle, "openai:m").version
        for bundle in (BUNDLE, replace(BUNDLE, tasks=(TASKS[0], other)), replace(BUNDLE, context=RunContext(output_language="German")))
    }  # fmt: skip

    assert len(versions) == 3


def test_a_document_is_bundled_as_long_as_every_task_reads_it_whole():
    """And has the inputs of all of them."""
    short = replace(BUNDLE, max_chars=10)

    assert short.takes("so be it", {"topic": "a tax"})
    assert not short.takes("so be it", {})
    assert not short.takes("so be it, then", {"topic": "a tax"})


def test_tasks_that_cannot_stand_in_one_request_are_refused():
    """Two meanings of one definition; a bundle of one."""
    defines = [
        replace(task, schema={**task.schema, "$defs": {"item": {"type": kind}}})
        for task, kind in zip(TASKS, ("string", "integer"), strict=True)
    ]
    with pytest.raises(SettingError, match=r"define '\$defs/item' differently"):
        Bundle(tasks=tuple(defines), context=RunContext())
    with pytest.raises(SettingError, match="at least two"):
        Bundle(tasks=TASKS[:1], context=RunContext())


def agreement(lower):
    """One task's."""
    return TaskAgreement(metric="m", agreement=0.99, lower=lower, documents=300, unlabelled=0, asked_alone=0)


def certificate(*lower, bundled=80):
    """Of a bundle of two, measured on 100 tokens."""
    return BundleCertificate(
        tasks=dict(zip(("sentiment", "stance"), map(agreement, lower), strict=True)), model="m", prompt_version="v",
        max_chars=4000, confidence=0.95, single_tokens=100, bundled_tokens=bundled, single_usd=None, bundled_usd=None,
        date="2026-11-29",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "told", "said"),
    [
        (certificate(0.97, 0.9), {}, "records of stance agree with single ones to at least 0.900 only"),
        (
            certificate(0.97, 0.96),
            {"prompt_version": "w"},
            "is for m and prompt v, this run asks m with prompt w",
        ),
        (certificate(0.97, 0.96, bundled=101), {}, "saves nothing"),
    ],
)
def test_a_certificate_holds_for_each_task_one_model_and_one_prompt(held, told, said):
    """Each refusal says what to do next."""
    with pytest.raises(SettingError, match=said):
        held.check(**{"model": "m", "prompt_version": "v", "min_agreement": 0.95, **told})


def test_a_certificate_is_read_as_it_was_written(tmp_path):
    """Whatever the order the tasks are named in; what is none is named."""
    held = certificate(0.97, 0.96)
    path = tmp_path / "policies" / "sentiment+stance.bundle.json"
    path.parent.mkdir()
    path.write_text(held.to_json())

    assert read_bundle_certificate(tmp_path, ["stance", "sentiment"]) == held
    path.write_text("{}")
    with pytest.raises(SettingError, match="not a bundle's certificate"):
        read_bundle_certificate(tmp_path, ["sentiment", "stance"])
    with pytest.raises(SettingError, match="cupel calibrate FILE --bundle sentiment,summary"):
        read_bundle_certificate(tmp_path, ["sentiment", "summary"])
