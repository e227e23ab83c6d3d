"""What code fills into a record: dates, sections, shares and readability, over the space of what may be said."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from cupel.task import UNITS, ad_hoc_task
from cupel.text import complete_record, ground_record
from cupel.text.dates import is_date, own_date, resolve_date, span_of
from cupel.text.readability import different_words, readability
from tests.conftest import ROOT
from tests.outline import TAXONOMY, TEXT, outline, record, spoiled

DAYS = st.dates(date(1000, 1, 1), date(2900, 12, 31))
SHIFTS = st.integers(-5, 5)


def whole(task, said, text=TEXT, **inputs):
    """The record with what code fills in."""
    return complete_record(said, task, ground_record(said, task.schema, text), text=text, inputs=inputs)


# ---- dates


@given(DAYS, SHIFTS, st.sampled_from(UNITS))
def test_a_date_is_as_exact_as_its_unit_and_so_many_of_them_away(own, shift, unit):
    """Today, this week, this year hold the document's own day; the next one begins after the last one's end."""
    now = span_of(resolve_date(None, unit, 0, own.isoformat()) or "")
    there, after = (
        span_of(resolve_date(None, unit, each, own.isoformat()) or "") for each in (shift, shift + 1)
    )

    assert now is not None
    assert now.first <= own <= now.last
    assert there is not None
    assert after is not None
    assert there.last + timedelta(days=1) == after.first


@given(DAYS, st.sampled_from(UNITS), st.integers())
def test_no_shift_is_too_far_to_be_told_from_a_date(own, unit, shift):
    """Before the first year, or after the last, nothing is known."""
    told = resolve_date(None, unit, shift, own.isoformat())

    assert told is None or is_date(told)


@given(st.text(max_size=12) | st.from_regex(r"\d{4}(-\d\d){0,2}", fullmatch=True))
def test_whatever_is_written_for_a_date_is_one_or_none(said):
    """A day that does not exist is not passed on."""
    told = resolve_date(said, None, None, "2025-03-10")

    assert told is None or is_date(told)
    assert own_date(said) is None or is_date(own_date(said) or "")


@given(DAYS)
def test_a_day_without_its_year_takes_that_of_the_document_or_another_that_is_said(day):
    """`--03-10` of last year's."""
    said = f"--{day.isoformat()[5:]}"
    told = resolve_date(said, "year", 0, day.isoformat())

    assert told == day.isoformat()
    assert resolve_date(said, None, None, None) is None


@pytest.mark.parametrize(
    ("iso", "unit", "shift", "own", "told"),
    [
        (None, "quarter", -1, "2025-02-10", "2024-10/2024-12"),
        (None, "decade", 0, "2025", "2020/2029"),
        (None, "century", -1, "2025-03", "1900/1999"),
        (None, "month", 10, "2025-03", "2026-01"),
        (None, "month", 1, "2025", None),
        (None, "fortnight", 1, "2025-03-10", None),
        (None, "year", None, "2025-03-10", None),
        (None, "year", 1, None, None),
        ("2025-02-30", "year", 1, "2025-03-10", None),
        ("2025-03-10/2025-03-12", None, None, None, "2025-03-10/2025-03-12"),
        ("2025-03-12/2025-03-10", None, None, None, None),
        ("--02-29", None, None, "2025-03-10", None),
    ],
)  # fmt: skip
def test_what_a_text_says_of_a_time_is_a_date_or_unknown(iso, unit, shift, own, told):
    """By hand, for the cases people quarrel about."""
    assert resolve_date(iso, unit, shift, own) == told


def test_dates_are_filled_in_where_the_document_has_one(tmp_path):
    """Without a date of its own, what counts from it is unknown."""
    task = outline(tmp_path)

    assert [each["date"] for each in whole(task, record(), date="2025-03-10")["events"]] == [
        "2024",
        "2025-03-07",
    ]
    assert [each["date"] for each in whole(task, record(), date="2025-03")["events"]] == ["2024", None]
    assert [each["date"] for each in whole(task, record())["events"]] == [None, None]


# ---- sections, shares, readability


def test_sections_follow_each_other_from_the_first_character_to_the_last(tmp_path):
    """An unfound quote leaves its own section unknown, and no gap between the others."""
    task = outline(tmp_path)
    spans = [each["span"] for each in whole(task, record())["sections"]]
    lost = [
        each["span"]
        for each in whole(task, spoiled("sections", 1, "begins", to="Now the harbours"))["sections"]
    ]

    at = TEXT.index("Now to the farms")
    assert spans == [{"start": 0, "end": at}, {"start": at, "end": len(TEXT)}]
    assert lost == [{"start": 0, "end": len(TEXT)}, None]


@given(cuts=st.sets(st.integers(0, 19), min_size=1), order=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_sections_cover_a_text_whatever_the_order_they_are_listed_in(tmp_path_factory, cuts, order):
    """Each character lies in exactly one."""
    task = outline(tmp_path_factory.getbasetemp() / "outline")
    words = [f"word{number}x" for number in range(20)]
    listed = sorted(cuts)
    order.shuffle(listed)
    said = record() | {
        "sections": [{"begins": words[cut], "path": "Law"} for cut in listed],
        "events": [],
        "citations": [],
    }
    text = "  " + " ".join(words)
    spans = sorted(
        (each["span"]["start"], each["span"]["end"]) for each in whole(task, said, text)["sections"]
    )

    assert [spans[0][0], *(end for _, end in spans)] == [0, *(start for start, _ in spans[1:]), len(text)]


@given(st.lists(st.sampled_from([True, False, None]), min_size=2, max_size=2))
def test_a_share_is_of_what_is_known(tmp_path_factory, flags):
    """Null counts neither way; where all is null there is no share."""
    task = outline(tmp_path_factory.getbasetemp() / "outline")
    fair = {True: "yes", False: "no", None: None}[flags[1]]
    told = whole(task, record() | {"is_calm": flags[0], "is_fair": fair})["calm_and_fair"]
    known = [flag for flag in flags if flag is not None]

    assert told == (sum(known) / len(known) if known else None)


def test_a_text_is_told_by_the_measures_the_schema_has(tmp_path):
    """Counts of its words; the reading ease in English only."""
    task = outline(tmp_path)
    told = whole(task, record())["reading"]
    german = "Wir müssen mehr Wohnungen bauen, und zwar sofort, denn die Mieten steigen in allen Städten jedes Jahr weiter."

    assert list(told) == ["words", "lix", "reading_ease"]
    assert told["words"] == 25
    assert told["reading_ease"] is not None
    assert whole(task, record(), german)["reading"]["reading_ease"] is None


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=300), st.sampled_from(["en", "de", "zh", None])
)
def test_any_text_can_be_measured(text, language):
    """Shares stay in [0, 1], and no figure has more than two places."""
    told = readability(text, language)

    for share in ("long_words", "different_words"):
        assert told[share] is None or 0 <= told[share] <= 1
    assert all(value is None or value == round(value, 2) for value in told.values())
    json.dumps(told)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=120), st.integers(1, 60))
def test_different_words_are_the_mean_of_every_window(words, window):
    """Counted in one pass, they are as counted window by window."""
    width = min(window, len(words))
    runs = [words[at : at + width] for at in range(len(words) - width + 1)]

    assert different_words(words, window) == pytest.approx(
        sum(len(set(run)) / width for run in runs) / len(runs)
    )


# ---- the record as a whole


def test_what_stood_in_a_computed_field_is_computed_anew(tmp_path):
    """A record that was changed, or is another text's, keeps nothing of the old ones."""
    task = outline(tmp_path)
    once = whole(task, record(), date="2025-03-10")

    assert whole(task, once | {"calm_and_fair": 0.123}, date="2025-03-10") == once
    assert list(once) == list(task.fields)


def test_terms_of_a_given_list_are_written_as_the_list_has_them(tmp_path):
    """Case and spaces say nothing; another term stays as it is, for the check to find."""
    task = outline(tmp_path)
    said = spoiled("sections", 0, "path", to="society>HOUSING") | {"themes": ["homes", "Rents"]}
    made = whole(task, said, taxonomy=TAXONOMY, topics="Homes; Farms")

    assert made["sections"][0]["path"] == "Society > Housing"
    assert made["themes"] == ["Homes", "Rents"]


def test_a_quote_of_the_same_name_further_in_begins_no_section():
    """A list in an item may have beginnings of its own."""
    quote = {"type": "string", "x-grounded": True}
    inner = {"type": "object", "properties": {"begins": quote}}
    span = {
        "type": "object",
        "properties": {"start": {"type": "integer"}, "end": {"type": "integer"}},
        "x-computed": {"by": "section", "of": "begins"},
    }
    part = {
        "type": "object",
        "properties": {"begins": quote, "subs": {"type": "array", "items": inner}, "span": span},
    }
    task = ad_hoc_task(
        {"type": "object", "properties": {"parts": {"type": "array", "items": part}}}, "", ROOT / "prompts"
    )
    text = "One two three. Four five six. Seven eight."
    said = {
        "parts": [{"begins": "One two", "subs": [{"begins": "Four five"}]}, {"begins": "Seven", "subs": []}]
    }

    assert [each["span"] for each in whole(task, said, text)["parts"]] == [
        {"start": 0, "end": 30},
        {"start": 30, "end": 42},
    ]
