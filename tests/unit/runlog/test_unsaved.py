"""Paid answers that could not be committed wait in a file for the next time."""

from __future__ import annotations

from cupel.errors import RunLogError
from cupel.runlog.unsaved import Unsaved

ROWS = [{"key": "a", "text": "é"}, {"key": "b", "text": "two"}]


def test_what_is_kept_is_taken_up_once_and_by_its_own_run_log_alone(tmp_path):
    """The folder is made where there is none; another database's answers stay where they are."""
    folder, taken = tmp_path / "not" / "yet", []
    kept = Unsaved(folder, "one").keep(ROWS)

    assert kept == 2
    assert Unsaved(folder, "other").take_up(taken.extend) == 0
    assert Unsaved(folder, "one").take_up(taken.extend) == 2
    assert Unsaved(folder, "one").take_up(taken.extend) == 0
    assert taken == ROWS


def test_what_cannot_be_saved_yet_stays_in_its_file(tmp_path):
    """A database that refuses it does not keep the run log from being opened."""

    def refuse(_rows):
        raise RunLogError("it is locked")

    unsaved, taken = Unsaved(tmp_path, "one"), []
    unsaved.keep(ROWS)

    assert unsaved.take_up(refuse) == 0
    assert unsaved.take_up(taken.extend) == 2
