"""How many may be in flight, and how long everyone holds still."""

from __future__ import annotations

import math

import pytest

from cupel.limits.concurrency import Concurrency
from cupel.limits.pause import Pause


def answer(concurrency, times):
    """So many answers while the window is full."""
    for _ in range(times):
        concurrency.grow(int(concurrency.size))


def test_it_is_unbounded_until_the_first_refusal():
    """A provider that never refuses is never held back."""
    concurrency = Concurrency()
    for in_flight in (1, 100, 10_000):
        concurrency.grow(in_flight)

    assert concurrency.fits(10_000)
    assert concurrency.size == math.inf


def test_a_refusal_halves_what_was_in_flight():
    """After a refusal with twenty in flight ten are allowed from now on."""
    concurrency = Concurrency()
    concurrency.shrink(20, sent_at=0.0, now=1.0)

    assert concurrency.fits(9)
    assert not concurrency.fits(10)


def test_calls_refused_together_halve_it_once():
    """What was sent before the cut says nothing about the size after it."""
    concurrency = Concurrency()
    for _ in range(8):
        concurrency.shrink(20, sent_at=0.0, now=1.0)

    assert concurrency.size == 10
    concurrency.shrink(10, sent_at=2.0, now=3.0)
    assert concurrency.size == 5


def test_it_never_falls_below_one():
    """Someone must find out when it is over."""
    concurrency = Concurrency()
    for now in range(1, 9):
        concurrency.shrink(1, sent_at=now, now=now + 0.5)

    assert concurrency.fits(0)


def test_it_grows_by_one_a_round_and_slowly_where_it_failed():
    """From 8 it is quickly just below 16, and then takes twenty rounds for one more."""
    concurrency = Concurrency()
    concurrency.shrink(16, sent_at=0.0, now=1.0)
    answer(concurrency, 80)
    quick = concurrency.size
    answer(concurrency, 80)

    assert 14 <= quick <= 16
    assert concurrency.size - quick < 0.5


def test_a_window_that_is_not_full_does_not_grow():
    """One call at a time proves nothing about ten."""
    concurrency = Concurrency()
    concurrency.shrink(20, sent_at=0.0, now=1.0)
    for _ in range(100):
        concurrency.grow(1)

    assert concurrency.size == 10


def test_what_a_person_allows_is_never_exceeded():
    """Growing does not exceed it either."""
    concurrency = Concurrency(4)
    concurrency.shrink(4, sent_at=0.0, now=1.0)
    answer(concurrency, 500)

    assert concurrency.size == 4


@pytest.mark.parametrize(
    ("in_flight", "now", "left"), [(0, 0.0, 0.0), (1, 0.5, 1.5), (1, 2.5, 0.0), (2, 2.5, 1.5)]
)
def test_the_pilot_goes_alone_and_then_twice_as_many_every_two_seconds(in_flight, now, left):
    """This holds until the first reply, which says more than a guess."""
    concurrency = Concurrency(pilot=True)
    concurrency.pilot_left_s(0, 0.0)

    assert concurrency.pilot_left_s(in_flight, now) == pytest.approx(left)


def test_a_shorter_pause_does_not_end_a_longer_one():
    """Where thirty seconds were asked and then two, thirty are kept."""
    pause = Pause()
    pause.hold(30.0, daily=False, now=0.0)
    pause.hold(2.0, daily=False, now=1.0)

    assert pause.left_s(1.0) == 29.0
    assert pause.left_s(30.0) == 0.0


def test_a_clock_that_goes_back_does_not_prolong_a_pause():
    """It is never longer than it was at first."""
    pause = Pause()
    pause.hold(30.0, daily=False, now=5_000.0)

    assert pause.left_s(100.0) == 30.0


def test_pauses_of_our_own_grow_from_one_refusal_to_the_next_and_end_with_an_answer():
    """They are 1, 2, 4 … 60 seconds; calls that were in flight together count once."""
    pause, waits, now = Pause(), [], 0.0
    for _ in range(8):
        waits.append(pause.own_s(sent_at=now))
        pause.hold(waits[-1], daily=False, now=now + 0.1)
        assert pause.own_s(sent_at=now) == waits[-1]
        now += 0.1 + waits[-1]
    pause.reset()

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause.own_s(sent_at=now) == 1
