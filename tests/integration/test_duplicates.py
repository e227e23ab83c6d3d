"""Documents that repeat an earlier one: asked once, each row with its own outcome."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cupel.errors import SettingError
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.text.duplicates.index import TextIndex, Twin
from tests.integration.cascade import ACCEPTS, CLAIM, TEXT, job, models, record

PADDING = " ".join(f"Point {word} of the agenda was then read out." for word in "abcdefghijklmnop")
LONG = f"{TEXT} {PADDING}"


def rows(*texts, **inputs):
    """One row a text, each with an id of its own."""
    return [
        Row(position=n, values={}, text=text, doc_id=f"d{n}", inputs=inputs) for n, text in enumerate(texts)
    ]


async def enriched(project, made, documents):
    """Outcomes in order, and the runner."""
    async with Runner(made, project, env={}) as runner:
        return [outcome async for _, outcome in runner.outcomes(documents)], runner


async def test_equal_texts_far_apart_cost_one_set_of_calls_and_each_row_has_its_own_outcome(project):
    """The original is long stored when its repetition comes; the judge is not asked again either."""
    between = [f"{TEXT} Speech {n}." for n in range(60)]
    made = job(project, concurrency=2)
    with models(cheap=record(), judge=ACCEPTS) as scripts:
        outcomes, runner = await enriched(project, made, rows(TEXT, *between, TEXT))

    first, last = outcomes[0], outcomes[-1]
    assert len(scripts["cheap"].requests) == len(scripts["judge"].requests) == 61
    assert (last["doc_id"], last["cost_usd"], last["path"]) == ("d61", 0.0, ["duplicate"])
    assert (last["record"], last["evidence"], last["status"]) == (
        first["record"],
        first["evidence"],
        "accepted",
    )
    assert last["reasons"] == ["the same text as d0: its outcome, not asked again"]
    assert runner.progress.duplicates == 1


async def test_a_resumed_run_takes_the_same_rows_over_and_asks_nothing(project):
    """What repeats what is decided by the order of the input, not by which answer came first."""

    async def slow_first(messages, schema):
        await asyncio.sleep(0.05 if 'id="d0"' in messages[-1]["content"] else 0)
        return record()

    documents = rows(TEXT, TEXT, f"{TEXT} More.", TEXT)
    with models(cheap=slow_first):
        first, _ = await enriched(project, job(project, judge="never"), documents)
    with models():
        again, runner = await enriched(project, job(project, judge="never", concurrency=1), documents)

    assert again == first
    assert [outcome["path"] == ["duplicate"] for outcome in first] == [False, True, False, True]
    assert runner.progress.reused == 4


async def test_the_same_text_under_another_topic_is_another_document(project):
    """Inputs are part of what is asked."""
    documents = [
        Row(position=n, values={}, text=TEXT, doc_id=f"d{n}", inputs={"topic": topic})
        for n, topic in enumerate(("housing", "rents", "housing"))
    ]
    stance = {"evidence": ["we must build more homes"], "reason": "It demands homes.", "stance": "favor"}
    with models(cheap=stance) as scripts:
        outcomes, _ = await enriched(project, job(project, task="stance", judge="never"), documents)

    assert len(scripts["cheap"].requests) == 2
    assert outcomes[2]["reasons"] == ["the same text as d0: its outcome, not asked again"]


async def test_the_repetition_of_a_failed_document_is_asked_itself(project):
    """A failure may have been the moment's."""
    replies = iter(["no JSON", "no JSON"])
    with models(cheap=lambda messages, schema: next(replies, record()), strong="no JSON"):
        outcomes, _ = await enriched(project, job(project, judge="never", concurrency=1), rows(TEXT, TEXT))

    assert [outcome["status"] for outcome in outcomes] == ["failed", "accepted"]


async def test_a_near_duplicate_takes_the_record_over_with_its_own_offsets(project):
    """Every quote is found again in its own text; it says whose record it is, and claims no confidence."""
    other = f"(Applause.) {LONG}"
    with models(cheap=record(), judge=ACCEPTS) as scripts:
        outcomes, _ = await enriched(project, near(project, 0.9), rows(LONG, other))

    taken = outcomes[1]
    assert len(scripts["cheap"].requests) == 1
    assert taken["evidence"][0]["start"] == other.index(CLAIM)
    assert "a near-duplicate of d0 (similarity 0.9" in taken["reasons"][0]
    assert (taken["status"], taken["cost_usd"], taken["score"], taken["attempts"]) == (
        "accepted",
        0.0,
        None,
        [],
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(LONG.replace("build more homes", "build fewer homes"), id="a quote that is not in it"),
        pytest.param(LONG.replace("read out", "not read out", 1), id="a not somewhere else"),
        pytest.param(LONG.replace("Point a", "Point 7"), id="a number"),
        pytest.param(TEXT, id="too little in common"),
    ],
)
async def test_what_may_mean_something_else_is_asked_itself(project, other):
    """Near in words is not near in meaning."""
    with models(cheap=record()) as scripts:
        await enriched(project, near(project, 0.8, judge="never"), rows(LONG, other))

    assert len(scripts["cheap"].requests) == 2


async def test_near_duplicates_are_left_alone_unless_asked_for(project):
    """Texts that are merely near are asked each by itself unless somebody opts in."""
    with models(cheap=record()) as scripts:
        await enriched(project, job(project, judge="never"), rows(LONG, f"(Applause.) {LONG}"))

    assert len(scripts["cheap"].requests) == 2


async def test_a_similarity_nobody_can_keep_is_refused(project):
    """The error says the range, and what the number is."""
    with models(), pytest.raises(SettingError, match=r"0\.8 to 1 \(share of three-word sequences"):
        await enriched(project, near(project, 0.3), rows(TEXT))


def near(project, similarity, **settings):
    """A job that looks for near-duplicates."""
    return replace(job(project, **settings), near_duplicates=similarity)


def test_a_repetition_is_found_across_ten_thousand_rows():
    """It is found however the earlier ones are held by then."""
    index = TextIndex()
    assert not any(index.twin_of(row) for row in rows(*(f"Speech {n}." for n in range(10_000))))

    again = rows("Speech 0.", "Speech 4096.", "Speech 9999.", "Speech new.")
    assert [index.twin_of(row) for row in again] == [
        *(Twin(n, 1.0, exact=True) for n in (0, 4096, 9999)),
        None,
    ]
