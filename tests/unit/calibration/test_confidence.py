"""Labels for a task's confidence, the policy fitted to them, and what is stored of it."""

import json
import math
import random

import pytest

from cupel.calibration.confidence import (
    calibrate,
    certify_policy,
    label_rows,
    learn_prerouter,
    replay_records,
    sample_rows,
    summary,
)
from cupel.context import RunContext
from cupel.errors import BudgetExceededError, NotEnoughDataError, SettingError
from cupel.metrics.gold import Gold
from cupel.routing.certify import Promise
from cupel.tables.frames import frame_rows
from cupel.tables.rows import Row
from cupel.testing.models import scripted
from tests.unit.runs.stand_in import MODELS, call, job_of, outcome, project_of, rows

RIGHT = {"evidence": [], "reason": "It says so.", "stance": "favor"}
WRONG = {**RIGHT, "stance": "against"}
HARD = "Some say the budget is too large"


@pytest.fixture
def project(tmp_path):
    """A project with the stance task and an empty state."""
    return project_of(tmp_path)


@pytest.fixture
def task(project):
    """The stance task."""
    return job_of(project).task


def attempt(record, *calls, grounded=1.0):
    """An attempt with its free signals."""
    signals = {"schema_valid": 1.0, "quotes_grounded": grounded, "fields_filled": 1.0}
    return {
        "record": record,
        "calls": list(calls),
        "signals": signals,
        "prompt_version": "v1",
        "model": "cheap",
    }


def both(n, *, right=True):
    """What both tiers said of one document; the cheap model is wrong where its quotes are not found."""
    cheap = attempt(
        RIGHT if right else WRONG,
        call(cost_usd=0.01),
        call("v", "verify", cost_usd=0.002),
        grounded=float(right),
    )
    text = f"Speech {n} on roads" if right else f"{HARD}, said speaker {n}"
    return Row(n, {}, text, f"d{n}"), outcome(f"d{n}", attempts=[cheap, attempt(RIGHT, call(cost_usd=0.1))])


def labelled(task, count=120, *, wrong_every=5, gold=None):
    """Labels of which every fifth is wrong."""
    return label_rows(
        [both(n, right=n % wrong_every > 0) for n in range(count)], task, RunContext(**MODELS), gold
    )


def test_the_sample_is_uniform_and_never_the_first_rows():
    """The table's order is kept."""
    import pandas as pd

    table = frame_rows(pd.DataFrame({"text": [str(n) for n in range(500)]}))
    positions = [row.position for row in sample_rows(table, 50)]

    assert positions == sorted(positions)
    assert 180 < sum(positions) / 50 < 320
    with pytest.raises(NotEnoughDataError):
        sample_rows(table, 501)


def test_a_label_says_whether_the_cheap_record_is_as_good_as_the_reference(task):
    """What each tier and each costly signal cost stands beside it."""
    labels = labelled(task, 5)
    first, second = labels.labels[:2]

    assert labels.right == [False, True, True, True, True]
    assert (second.quality, second.strong_right) == (1.0, True)
    assert (first.cheap_usd, first.verify_usd, first.strong_usd) == (0.01, 0.002, 0.1)
    assert (labels.binding.prompt_version, labels.binding.model) == ("v1", "cheap")


def test_a_document_without_a_reference_is_not_labelled(task):
    """The gold has no such id, or the strong model gave no record."""
    text, lost = both(1)
    lost["attempts"][1]["record"] = None
    by_strong = label_rows([(text, lost), both(2)], task, RunContext(**MODELS), None)
    by_gold = label_rows(
        [both(1), both(2)], task, RunContext(**MODELS), Gold(source="gold.csv", by_id={"d2": WRONG})
    )

    assert (by_strong.unlabelled, [label.doc_id for label in by_strong.labels]) == (1, ["d2"])
    assert (by_gold.unlabelled, by_gold.right, by_gold.labels[0].strong_right) == (1, [False], False)


def test_a_cheap_attempt_without_a_record_is_wrong(task):
    """Its missing signals are not numbers."""
    text, failed = both(1)
    failed["attempts"][0] |= {"record": None, "signals": {}}
    labels = label_rows([(text, failed)], task, RunContext(**MODELS), None)

    assert labels.labels[0].quality == 0.0
    assert all(math.isnan(value) for value in labels.labels[0].signals)
    assert set(replay_records(labels)[0]["signals"].values()) == {None}


def test_the_threshold_is_certified_on_labels_that_nobody_fitted(task):
    """A signal that tells right from wrong is worth a threshold."""
    labels = labelled(task)
    policy = certify_policy(labels, promise=Promise(risk=0.1, delta=0.1))
    said = summary(policy, labels)

    assert said["certified"]
    assert (said["labels"], said["cheap_right"], said["accepted"], said["auroc"]) == (120, 0.8, 0.8, 1.0)
    assert said["strong_usd"] == pytest.approx(12.0)


def test_without_a_single_label_it_says_why(task):
    """The usual cause is a gold file with other ids."""
    labels = label_rows([both(1)], task, RunContext(**MODELS), Gold(source="gold.csv", by_id={"x": RIGHT}))

    with pytest.raises(NotEnoughDataError, match="none of the 1 sampled documents could be labelled"):
        certify_policy(labels, promise=Promise())


def test_a_prerouter_learns_from_texts_which_are_hard(task):
    """It needs both kinds."""
    router = learn_prerouter(labelled(task, 60, wrong_every=2))

    assert [router.choose(text) for text in (f"{HARD}, said speaker 99", "Speech 99 on roads")] == [
        "strong",
        "cheap",
    ]
    with pytest.raises(NotEnoughDataError, match="all 4 cheap records are right"):
        learn_prerouter(label_rows([both(n) for n in range(1, 5)], task, RunContext(**MODELS), None))


def cheap(messages, _schema):
    """Quotes what is not there where the text is hard, and takes it the wrong way."""
    hard = HARD in messages[-1]["content"]
    return {**(WRONG if hard else RIGHT), "evidence": ["never said"] if hard else ["roads"]}


def strong(messages, _schema):
    """Always right."""
    return {**RIGHT, "evidence": ["budget" if HARD in messages[-1]["content"] else "roads"]}


def texts(count):
    """Speeches of which a fifth is hard, in no order a text's number would tell."""
    drawing = random.Random(1)
    return [both(n, right=drawing.random() > 0.2)[0].text for n in range(count)]


async def test_calibrating_asks_both_tiers_and_stores_what_runs_will_need(project):
    """The policy, the rows it can be replayed from, and a pre-router; again it asks nothing."""
    promise = Promise(risk=0.1, delta=0.1)
    with scripted(
        {"scripted:cheap": cheap, "scripted:strong": strong, "scripted:judge": [], "scripted:refiner": []}
    ) as models:
        job = job_of(project, concurrency=32)
        result = await calibrate(rows(*texts(100)), job, project, promise=promise, prerouter=True)
        asked = [len(models[f"scripted:{tier}"].requests) for tier in ("cheap", "strong")]
        field = await calibrate(rows(*texts(100)), job, project, promise=promise, field="stance")
        again = [len(models[f"scripted:{tier}"].requests) for tier in ("cheap", "strong")]

    assert asked == again == [100, 100]
    assert result.summary["certified"]
    assert result.policy.certificate.wrong_means == "strong"
    assert json.loads(result.path.read_text())["threshold"] == result.policy.threshold
    assert len(result.path.with_suffix(".rows.jsonl").read_text().splitlines()) == 100
    assert result.path.with_suffix(".prerouter.json").is_file()
    assert field.path != result.path
    assert json.loads(field.path.read_text())["score"] != json.loads(result.path.read_text())["score"]


async def test_a_field_the_task_does_not_have_is_named(project):
    """Nothing is asked."""
    with pytest.raises(SettingError, match="field='mood': stance has evidence, reason, stance"):
        await calibrate([], job_of(project), project, promise=Promise(), field="mood")


async def test_what_stops_the_labelling_is_raised(project):
    """A part of a sample is no sample."""
    with (
        scripted({model: BudgetExceededError("spent") for model in MODELS.values()}),
        pytest.raises(BudgetExceededError),
    ):
        await calibrate(rows("a", "b"), job_of(project), project, promise=Promise())
