"""One attempt: what is asked, of whom, and what is made of the answers."""

import json
import math

import pytest

from cupel.cascade.extract import ask_windows, attempt_record, draft_attempt, read_replies
from cupel.engine.packing.packs import Pack, Place
from cupel.tables.rows import Row
from cupel.task import value_places
from cupel.testing import reply
from tests.integration.cascade import CLAIM, TEXT, models, record
from tests.unit.cascade.factory import asking, attempt, state, work

ADDENDUM = {"tier": "cheap", "round": 1, "instructions": ["Read on.", "Then decide."], "calls": []}
MISFIT = {"matter": 7}


async def test_a_record_is_grounded_in_the_text(runtime):
    """Each quote has the place it stands at."""
    with models(cheap=record()) as made:
        written = await attempt_record(await work(runtime, state()), asking(), "cheap")

    claim = next(entry for entry in written["evidence"] if entry["quote"] == CLAIM)
    assert (claim["match"], TEXT[claim["start"] : claim["end"]]) == ("verbatim", CLAIM)
    assert (written["number"], written["tier"], written["error"]) == (1, "cheap", None)
    assert len(written["calls"]) == len(made["cheap"].requests) == 1


async def test_a_refined_tier_is_told_its_latest_instructions_and_no_other_tier_is(runtime):
    """They stand in the user message, as lines."""
    older = {**ADDENDUM, "instructions": ["Older."]}
    refined = state(attempt(), addenda=[older, ADDENDUM])
    drafts = [await draft_attempt(await work(runtime, refined), tier) for tier in ("cheap", "strong")]
    said = [draft.questions[0].messages[-1]["content"] for draft in drafts]

    assert "- Read on.\n- Then decide." in said[0]
    assert "Older." not in said[0]
    assert "Read on." not in said[1]
    assert [draft.number for draft in drafts] == [2, 2]


async def test_the_strong_model_is_asked_the_same_as_the_cheap_one(runtime):
    """A hint of the cheap record would anchor it."""
    cheap, strong = [
        await draft_attempt(await work(runtime, document), tier)
        for document, tier in ((state(), "cheap"), (state(attempt()), "strong"))
    ]

    assert cheap.questions[0].messages == strong.questions[0].messages


async def test_a_tier_without_a_model_says_which_setting_names_one(runtime):
    """Nobody is asked."""
    written = await attempt_record(await work(runtime, state(), strong_model="none"), asking(), "strong")

    assert "--strong-model" in written["error"]
    assert (written["model"], written["calls"], written["error_kind"]) == ("none", [], "provider")


async def test_only_the_tokens_of_values_say_how_sure_a_record_is(runtime):
    """A grammar's braces and keys may be as unlikely as they want: they are no choice of the model's."""
    said = json.dumps(record())
    values = value_places(said, json.loads(said)).values()
    worth = [-0.5 if any(start <= at < end for start, end in values) else -100.0 for at in range(len(said))]
    with models(cheap=lambda messages, schema: reply(said, logprobs=worth)):
        written = await attempt_record(await work(runtime, state()), asking(), "cheap")

    assert written["error"] is None
    assert written["signals"].keys() == {"mean_logprob", "min_logprob"}
    assert math.log(written["signals"]["mean_logprob"]) == pytest.approx(-0.5)
    assert math.log(written["signals"]["min_logprob"]) == pytest.approx(-0.5)


async def test_tokens_that_do_not_make_the_reply_say_nothing(runtime):
    """None, never a number made of something else."""
    answer = reply(record(), logprobs=[-0.1, -0.2])
    answer.response_metadata["logprobs"]["content"][0]["token"] = "of another reply"
    with models(cheap=[answer]):
        written = await attempt_record(await work(runtime, state()), asking(), "cheap")

    assert written["signals"] == {"mean_logprob": None, "min_logprob": None}


@pytest.mark.parametrize(("signals", "asked"), [("", 0), ("token_margin", 5), ("token_certainty", 5)])
async def test_alternatives_are_asked_for_where_a_signal_looks_at_them(runtime, signals, asked):
    """They are several times the reply in size."""
    draft = await draft_attempt(await work(runtime, state(), signals=signals), "cheap")

    assert [question.alternatives for question in draft.questions] == [asked]


WINDOWS = [[0, 90], [43, len(TEXT)]]


async def test_a_long_document_is_asked_about_window_by_window(runtime):
    """The records are merged; a quote found in both windows stands once, at its place in the whole text."""
    with models(cheap=lambda messages, schema: record()) as made:
        documents = await work(runtime, state(windows=WINDOWS), max_usd_per_document=1.0)
        draft = await draft_attempt(documents, "cheap")
        written = read_replies(documents, draft, await ask_windows(documents, draft, asking()))

    assert [question.text for question in draft.questions] == [TEXT[a:b] for a, b in WINDOWS]
    assert [question.usd_left for question in draft.questions] == [0.5, 0.5]
    assert len(made["cheap"].requests) == 2
    assert {TEXT[e["start"] : e["end"]] for e in written["evidence"] if e["match"] == "verbatim"}


async def test_half_a_document_is_not_its_record(runtime):
    """A window whose reply does not fit, even when it was repaired, fails the attempt with that reason."""
    with models(cheap=[record(), MISFIT, MISFIT]):
        written = await attempt_record(await work(runtime, state(windows=WINDOWS)), asking(), "cheap")

    assert (written["record"], written["evidence"], written["error_kind"]) == (None, [], "schema")
    assert len(written["calls"]) == 3


@pytest.mark.parametrize(("reply", "asked"), [(record(), 2), ("of no use", 6)], ids=["useful", "useless"])
async def test_a_further_sample_is_a_reply_of_its_own_and_so_is_a_retry_of_a_useless_one(
    runtime, reply, asked
):
    """Under the same number nothing is asked again; a retry takes what earlier tries paid for, where it was of use."""
    documents = await work(runtime, state())
    with models(cheap=lambda messages, schema: reply) as made:
        for told in (asking(), asking(), asking(sample=1), asking(retry=1)):
            await attempt_record(documents, told, "cheap")

    assert len(made["cheap"].requests) == asked


def pack_of(*texts):
    """The first document's place in a pack of these."""
    rows = tuple(Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(texts))
    return Place(Pack(rows, tuple(row.doc_id for row in rows)), 1)


@pytest.mark.parametrize(
    ("entries", "calls"),
    [([1, 2], 1), ([2], 2)],
    ids=["its record is in the answer", "it has to be asked alone"],
)
async def test_a_short_document_is_first_asked_about_with_its_pack(runtime, entries, calls):
    """What the pack's request cost stands among its calls, also where that had no record of this document."""

    def cheap(messages, schema):
        packed = "records" in schema["properties"]
        return {"records": [{"document": n, "record": record()} for n in entries]} if packed else record()

    with models(cheap=cheap) as made:
        told = asking(place=pack_of(TEXT, f"{TEXT} Thank you."))
        written = await attempt_record(await work(runtime, state()), told, "cheap")

    assert written["record"] == record()
    assert len(made["cheap"].requests) == len(written["calls"]) == calls
    assert written["calls"][0]["packed"] == 2


@pytest.mark.parametrize("again", [{"sample": 1}, {"retry": 1}], ids=["a sample", "a retry"])
async def test_what_is_asked_again_is_asked_alone(runtime, again):
    """A pack is asked about once."""
    with models(cheap=record()) as made:
        await attempt_record(
            await work(runtime, state()), asking(place=pack_of(TEXT, f"{TEXT} So."), **again), "cheap"
        )

    assert len(made["cheap"].requests) == 1
    assert "records" not in made["cheap"].requests[0].schema["properties"]
