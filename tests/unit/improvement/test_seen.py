"""A document that was shown beside a result of the prompt is known to be seen, by the task, once and for good."""

from __future__ import annotations

import threading

import pytest

from cupel.improvement.seen import document_hash, note_seen
from cupel.runlog.store import RunLog
from tests.unit.improvement.seeing import seen_of


@pytest.fixture
def run_log(tmp_path):
    log = RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}")
    yield log
    log.close()


def test_the_first_showing_counts_and_a_second_changes_nothing(run_log):
    """How it was seen first stands; what is new among what was seen is counted."""
    assert note_seen(run_log, "t", ["a", "b", "a"], how="rerun") == 2
    assert note_seen(run_log, "t", ["b", "c"], how="show") == 1

    assert seen_of(run_log, "t") == {"a": "rerun", "b": "rerun", "c": "show"}


def test_what_was_seen_for_one_task_is_unseen_for_another(run_log):
    """Another prompt's results say nothing of this one's."""
    note_seen(run_log, "t", ["a"], how="show")

    assert seen_of(run_log, "u") == {}


def test_nothing_shown_is_nothing_noted(run_log):
    """An empty page writes no row."""
    assert note_seen(run_log, "t", [], how="show") == 0
    assert seen_of(run_log, "t") == {}


def test_what_was_seen_outlives_the_process(tmp_path):
    """A run log opened anew knows it."""
    url = f"sqlite:///{tmp_path / 'runlog.sqlite'}"
    first = RunLog(url)
    note_seen(first, "t", ["a"], how="failures")
    first.close()
    again = RunLog(url)
    kept = seen_of(again, "t")
    again.close()

    assert kept == {"a": "failures"}


def test_two_that_show_the_same_at_once_note_it_once(run_log):
    """Of all threads together each document is new once."""
    new = []
    names = [f"d{number}" for number in range(50)]
    threads = [
        threading.Thread(target=lambda: new.append(note_seen(run_log, "t", names, how="page")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(new) == 50
    assert len(seen_of(run_log, "t")) == 50


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("The union  must act;\n today", id="spaces and punctuation"),
        pytest.param("THE UNION MUST ACT TODAY", id="capitals"),
        pytest.param("The “union” must act today.", id="quotation marks"),
        pytest.param("The u\u200bnion must act today.", id="what nobody sees"),
    ],
)
def test_a_text_touched_up_is_the_same_document(other):
    """Nobody makes a document unseen by an editor's reformatting."""
    assert document_hash(other) == document_hash("The union must act today.")


def test_other_words_are_another_document():
    """One word is enough, and a text without any word has a hash of its own."""
    assert document_hash("The union must act today.") != document_hash("The union must act now.")
    assert document_hash("—") != document_hash("…")
