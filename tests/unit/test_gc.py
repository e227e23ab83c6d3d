"""The cycle collector while a run goes on."""

from __future__ import annotations

import gc

import pytest

from cupel import _memo
from cupel._memo import THRESHOLDS, collect_seldom


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    """Python's own thresholds and nobody inside, whatever a test leaves."""
    monkeypatch.setattr(_memo, "_inside", [])
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_inside_it_is_asked_less_often_and_afterwards_as_before():
    """The thresholds are raised, and put back."""
    with collect_seldom():
        assert gc.get_threshold() == THRESHOLDS

    assert gc.get_threshold() == (700, 10, 10)


def test_two_runs_at_once_may_end_in_any_order():
    """The thresholds found first come back when the last run has ended."""
    first, second = collect_seldom(), collect_seldom()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    between = gc.get_threshold()
    second.__exit__(None, None, None)

    assert between == THRESHOLDS
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (50_000, 30, 60)], ids=["switched off", "higher already"])
def test_what_its_owner_chose_stays(own):
    """A collector that is off is not switched on, and none is asked more often."""
    gc.set_threshold(*own)
    with collect_seldom():
        assert gc.get_threshold() == own
