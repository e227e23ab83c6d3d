"""Stop means stop: Ctrl-C, SIGTERM and SIGHUP, once and twice, in every state a run can be in."""

from __future__ import annotations

import itertools

import pytest

from tests.integration.stops import SIGNALS, STATES, interrupt, resume

CHEAP = {("sending", "INT", 1), ("waiting_for_a_limit", "TERM", 1), ("committing", "HUP", 2)}
"""What `make test` runs; the whole table is soak."""


def _table():
    for state, name, times in itertools.product(STATES, SIGNALS, (1, 2)):
        marks = () if (state, name, times) in CHEAP else (pytest.mark.soak,)
        yield pytest.param(state, name, times, marks=marks, id=f"{state}-{name}-{times}")


@pytest.mark.parametrize(("state", "name", "times"), list(_table()))
def test_a_signal_ends_a_run_and_nothing_paid_is_lost(folder, state, name, times):
    """The first sends nothing new and ends within 20 s, the second within two; the same command then does the rest."""
    with STATES[state](folder) as scene:
        ending = interrupt(scene, SIGNALS[name], times)
        statuses, repeats = resume(scene)
    said = f"{ending.stdout}\n{ending.stderr}"

    assert ending.code == 130, said
    assert "Traceback" not in said
    assert "same command goes on" in said
    assert ending.sent_later == 0
    assert ending.took_s < (20 if times == 1 else 2), said
    assert set(statuses) == {"accepted"}
    assert repeats <= (0 if times == 1 else ending.in_flight)
