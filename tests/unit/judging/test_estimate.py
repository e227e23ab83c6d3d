"""From findings on items to a figure: a judge who sees everything estimates what the metric says against gold."""

import random

import pytest

from cupel.judging.adjudication import list_disputes, read_decisions
from cupel.judging.estimate import estimate_record, settle_items
from cupel.judging.findings import Finding
from cupel.judging.item_findings import Reading, read_items
from cupel.judging.items import items_of
from cupel.metrics import record_metric
from cupel.task import TaskCriterion, TaskSpec
from cupel.text import ground_record, grounder_of

from .records import SCHEMA, TEXT, draw_record, spoil, truthful_reply


def task(metric="items", **changes):
    return TaskSpec(name="t", title="T", description="", schema=SCHEMA, prompts={}, metric=metric, **changes)


def items(record):
    return items_of(record, SCHEMA, ground_record(record, SCHEMA, TEXT))


def read(reply, record):
    return read_items(reply, items(record), SCHEMA, grounder=grounder_of(TEXT))


@pytest.mark.parametrize("metric", ["items", "record", "stance", "claims"])
@pytest.mark.parametrize("seed", range(25))
def test_who_sees_everything_estimates_the_metric_itself(seed, metric):
    """If the judge is right about every item, its estimate is the task's metric against gold."""
    drawing = random.Random(seed)
    right = draw_record(drawing)
    made = spoil(right, drawing)
    reading = read(truthful_reply(made, items(made.record)), made.record)
    estimate = estimate_record(made.record, task(metric), reading)

    gold = record_metric(made.record, right, metric=metric, schema=SCHEMA)
    assert estimate.score == pytest.approx(gold, abs=0.02), (made, reading)
    assert estimate.low == estimate.high
    assert estimate.unknown == 0


@pytest.mark.parametrize("seed", range(25))
def test_who_decides_every_difference_rightly_estimates_the_metric_itself(seed):
    """Adjudication against the right reading comes to the metric too, whichever of the two is shown first."""
    drawing = random.Random(seed)
    right = draw_record(drawing)
    made = spoil(right, drawing)
    own, other = items(made.record), items(right)
    disputes = list_disputes(own, other, SCHEMA, seed=str(seed))
    decisions = [
        {"item": each.number, "why": "", "right": "A" if each.is_swapped else "B"} for each in disputes
    ]
    reading = read_decisions({"decisions": decisions}, disputes, own, SCHEMA)
    estimate = estimate_record(made.record, task(), reading)

    assert estimate.score == pytest.approx(
        record_metric(made.record, right, metric="items", schema=SCHEMA), abs=0.02
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_record_without_a_fault_is_estimated_as_right(seed):
    """Whoever finds nothing estimates 1, in every figure."""
    record = draw_record(random.Random(seed))
    estimate = estimate_record(
        record, task(), read(truthful_reply(spoil(record, Never()), items(record)), record)
    )

    assert (estimate.score, estimate.precision, estimate.recall, estimate.f1) == (1, 1, 1, 1)


class Never:
    """A source of chance that spoils nothing."""

    def random(self):
        return 1.0


RECORD = {
    "matter": "acting",
    "claims": [{"id": 1, "quote": "We must act now"}],
    "premises": [{"quote": "waiting costs more every year", "supports": 1}],
    "stance": "support",
}


def test_what_cannot_be_told_counts_half():
    """An open item lies between right and wrong, and both ends are kept."""
    reply = {"items": [{"item": 1, "why": "?", "finding": "unknown", "field": "quote", "should_be": None},
                       *({"item": n, "finding": "right"} for n in (2, 3, 4))], "missing": []}  # fmt: skip
    estimate = estimate_record(RECORD, task(), read(reply, RECORD))

    assert estimate.low < estimate.score < estimate.high == 1
    assert estimate.precision == pytest.approx(3.5 / 4)


def test_a_moved_reference_costs_its_share():
    """A premise that should back nothing is half right: its quote is, what it backs is not."""
    reply = {"items": [{"item": 2, "why": "No.", "finding": "wrong", "field": "supports", "should_be": None},
                       *({"item": n, "finding": "right"} for n in (1, 3, 4))], "missing": []}  # fmt: skip
    estimate = estimate_record(RECORD, task(), read(reply, RECORD))

    assert estimate.score == pytest.approx(0.75)


def verdict(reply, **options):
    reading = read(reply, RECORD)
    return settle_items(
        reading, estimate_record(RECORD, task(), reading), task(), options.pop("criteria", ()), **options
    )


ALL_RIGHT = {"items": [{"item": n, "finding": "right"} for n in (1, 2, 3, 4)], "missing": []}
ALL_WRONG = {
    "items": [
        {"item": n, "why": "No.", "finding": "wrong", "field": "should not be here", "should_be": None}
        for n in (1, 2)
    ]
    + [{"item": n, "finding": "right"} for n in (3, 4)],
    "missing": [],
}


def test_the_estimate_decides_by_what_the_task_calls_wrong():
    """Below `wrong_below` a record is rejected, and the reason says what it comes to."""
    assert verdict(ALL_RIGHT).verdict == "accepted"
    rejected = verdict(ALL_WRONG)

    assert rejected.verdict == "rejected"
    assert "2 of 4 items right, 2 wrong" in rejected.reason
    assert rejected.score == 0


def test_a_measured_probability_decides_before_the_threshold():
    """A judge known to be lenient is not taken at its word."""
    assert verdict(ALL_RIGHT, right=0.3).verdict == "rejected"
    assert verdict(ALL_WRONG, right=0.8).verdict == "accepted"


def test_no_sum_outvotes_a_criterion_that_failed():
    """What is asked beside the items rejects by itself, though every item is right."""
    criterion = TaskCriterion("main", "Is it there?", critical=True)
    reading = Reading(
        findings=read(ALL_RIGHT, RECORD).findings, criteria=[Finding(criterion="main", finding="fail")]
    )
    settled = settle_items(reading, estimate_record(RECORD, task(), reading), task(), [criterion])

    assert settled.verdict == "rejected"
    assert "main" in settled.reason


def test_a_judge_that_says_nothing_of_most_items_has_given_no_judgement():
    """Silence is unknown, never a pass."""
    assert verdict({"items": [], "missing": []}).verdict == "unknown"
    assert settle_items(None, None, task(), ()).verdict == "unknown"
