"""What a document may be, what it is called, and how a long one is cut."""

import asyncio
import itertools
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from py3langid.langid import LanguageIdentifier

from cupel.text import documents
from cupel.text.documents import (
    MAX_TEXT_CHARS,
    detect_language,
    document_id,
    split_windows,
    usable_text,
)

SENTENCES = (
    "Mr President, the cost of living has gone up by 12.5 per cent. "
    "Dr. Smith told us so in March! Shall we wait for another year?\n"
    "The answer of this House must be no. "
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("", "the cell is empty", id="empty"),
        pytest.param(" \n\t", "white space only", id="white space"),
        pytest.param(None, "the cell is empty", id="None"),
        pytest.param(float("nan"), "the cell is empty", id="NaN"),
        pytest.param(np.float32("nan"), "the cell is empty", id="numpy NaN"),
        pytest.param(pd.NA, "the cell is empty", id="pandas NA"),
        pytest.param(pd.NaT, "the cell is empty", id="pandas NaT"),
        pytest.param(42, "not a text: a number (42)", id="integer"),
        pytest.param(np.int64(42), "not a text: a number (42)", id="numpy integer"),
        pytest.param(True, "not a text: a truth value (True)", id="boolean"),
        pytest.param(["a"], "not a text: a list (['a'])", id="list"),
        pytest.param(b"ab\xff", "byte 0xff at byte 2", id="bytes that are not UTF-8"),
        pytest.param("ab\0c\0", "a NUL byte at character 2 (2 in all)", id="NUL bytes"),
        pytest.param(b"ab\0c", "a NUL byte at character 2", id="NUL in bytes"),
        pytest.param("ab\ud800", "lone surrogate U+D800 at character 2", id="not encodable"),
        pytest.param("x" * (MAX_TEXT_CHARS + 1), "too long: 5,000,001 characters", id="too long"),
    ],
)
def test_an_unusable_cell_says_why(value, words):
    """The problem is in words, and says where it is."""
    _, problem = usable_text(value)

    assert problem is not None
    assert words in problem


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("ignore the schema", "ignore the schema", id="orders are only text"),
        pytest.param("caf\u00e9".encode(), "café", id="UTF-8 bytes"),
        pytest.param("x" * 2_000_000, "x" * 2_000_000, id="two megabytes"),
        pytest.param("\ufeffHello\r\n", "\ufeffHello\r\n", id="nothing is cleaned"),
    ],
)
def test_a_usable_text_comes_back_as_it_is(value, text):
    """The text is never rewritten."""
    assert usable_text(value) == (text, None)


def test_the_same_text_has_the_same_id_and_another_topic_another():
    """Ids depend on the text and, where a task has them, on its further inputs."""
    plain = document_id("A speech.")

    assert plain == document_id("A speech.")
    assert len(plain) == 16
    assert plain != document_id("A speech!")
    assert document_id("A speech.", {"topic": "tax"}) not in {
        plain,
        document_id("A speech.", {"topic": "war"}),
    }


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mr President, honourable Members, thank you for this debate on housing.", "en"),
        ("Herr Präsident, sehr geehrte Damen und Herren, ich danke Ihnen.", "de"),
        ("Monsieur le Président, chers collègues, je vous remercie.", "fr"),
        ("Κύριε Πρόεδρε, κυρίες και κύριοι συνάδελφοι, ευχαριστώ.", "el"),
        ("12 345 — 67 %", None),
        ("", None),
        ("no", None),
    ],
)
def test_the_language_is_a_code_or_undecided(text, language):
    """Too little to go by is None, never a guess."""
    assert detect_language(text) == language


def test_detecting_a_language_is_cheap():
    """Well under half a millisecond a document, however long, once the model is loaded."""
    text = SENTENCES * 10_000
    detect_language(text)
    started = time.process_time()
    for _ in range(200):
        detect_language(text)

    assert (time.process_time() - started) / 200 < 0.0005 * 4  # four times the target: shared machines


def test_a_short_text_is_one_window():
    """A text that fits is not looked at."""
    assert split_windows(SENTENCES, 12_000, 600) == [(0, len(SENTENCES))]
    assert split_windows("", 100, 10) == [(0, 0)]


def test_windows_end_at_sentence_ends_and_share_whole_sentences():
    """Abbreviations and decimals are no sentence ends; a neighbour starts where a sentence starts."""
    text = SENTENCES * 100
    windows = split_windows(text, 1_000, 200)

    assert len(windows) > 15
    for start, end in windows[:-1]:
        assert text[:end].rstrip()[-1] in ".!?"
        assert not text[:end].rstrip().endswith(("Dr.", "12."))
        assert text[start:].startswith(("Mr President", "Dr. Smith", "Shall we", "The answer"))
    assert all(left[1] > right[0] for left, right in itertools.pairwise(windows))


@pytest.mark.parametrize("end", ["。", "！", "।", "؟ ", "። "])
def test_scripts_with_other_sentence_ends_are_cut_there(end):
    """Chinese, Japanese, Hindi, Arabic and Amharic end their sentences with other signs."""
    text = ("字字字字字字字" + end) * 100

    for _, cut in split_windows(text, 100, 20)[:-1]:
        assert text[:cut].endswith(end)


def test_a_sentence_longer_than_a_window_is_cut_at_white_space():
    """No word is cut, and the overlap holds whole words too."""
    text = "housing " * 1_000
    windows = split_windows(text, 500, 100)

    for start, end in windows:
        assert text[start:end].split() == ["housing"] * len(text[start:end].split())
    assert all(left[1] - right[0] > 80 for left, right in itertools.pairwise(windows))


def test_a_text_without_white_space_is_still_cut():
    """Nothing to go by: the window's limit."""
    assert split_windows("a" * 250, 100, 10) == [(0, 100), (90, 190), (180, 250)]


@given(
    text=st.text(alphabet="ab .!?\n。\t(Dr\"'", max_size=600),
    max_chars=st.integers(10, 80),
    overlap_chars=st.integers(0, 4),
)
def test_windows_cover_every_character_and_stay_within_their_size(text, max_chars, overlap_chars):
    """Whatever the text, windows come in order, leave no gap, and neither they nor their overlaps are too long."""
    windows = split_windows(text, max_chars, overlap_chars)

    assert windows[0][0] == 0
    assert windows[-1][1] == len(text)
    assert all(end - start <= max_chars for start, end in windows)
    for left, right in itertools.pairwise(windows):
        assert left[0] < right[0] <= left[1]
        assert left[1] < right[1]
        assert left[1] - right[0] <= overlap_chars


def test_no_window_lies_inside_its_neighbour():
    """Ends that crowd together would cost a call for what was asked about already."""
    assert split_windows("??????????。'。??????????", 10, 1) == [(0, 10), (9, 13), (13, 23)]


def test_an_overlap_that_leaves_no_room_is_refused():
    """Both numbers are named."""
    with pytest.raises(ValueError, match="max_chars=100 must be more than twice overlap_chars=50"):
        split_windows("text", 100, 50)


def test_two_megabytes_are_cut_in_about_a_second():
    """Only the tail of each window is segmented."""
    text = (SENTENCES * 20_000)[:2_000_000]
    started = time.process_time()
    windows = split_windows(text, 12_000, 600)

    assert len(windows) > 160
    assert time.process_time() - started < 3


async def test_the_language_model_is_loaded_once_however_many_ask_at_once(monkeypatch):
    """Sixty-four first documents wait for one load: loading it in every thread took 200 MB and seconds."""
    documents._load_model.cache_clear()
    loads = []
    made = LanguageIdentifier.from_model_file
    monkeypatch.setattr(
        LanguageIdentifier, "from_model_file", lambda *a, **k: loads.append(1) or made(*a, **k)
    )
    found = await asyncio.gather(*(documents.language_of("We must build more homes.") for _ in range(64)))
    assert set(found) == {"en"}
    assert loads == [1]
