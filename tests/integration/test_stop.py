"""Stop means stop: Ctrl-C, SIGTERM and SIGHUP, once and twice, in every state a run can be in."""

from __future__ import annotations

import itertools
import sys

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.stops import SIGNALS, STATES, Scene, answer, interrupt, resume
from tests.integration.test_run_cli import environment

CHEAP = {("sending", "INT", 1), ("waiting_for_a_limit", "TERM", 1), ("waiting_for_a_limit", "HUP", 2)}
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
    again = f"{repeats} of {ending.in_flight} in flight asked again"
    sys.stdout.write(
        f"{state} {name} x{times}: {ending.took_s:.1f} s, {ending.sent_later} sent later, {again}\n"
    )

    assert ending.code == 130, said
    assert "Traceback" not in said
    assert "same command goes on" in said
    assert ending.sent_later == 0
    assert ending.took_s < (20 if times == 1 else 2), said
    assert set(statuses) == {"accepted"}
    assert repeats <= (0 if times == 1 else ending.in_flight)


SCRIPT = """
import asyncio, sys
import pandas as pd
import cupel
frame = pd.read_json("in.jsonl", lines=True)
told = dict(task="arguments", judge="never", doc_id="id", cheap_model="openai:cheap", strong_model="openai:strong", concurrency=4)
async def cell():
    return cupel.enrich(frame, **told)
try:
    if sys.argv[1] == "script":
        done = cupel.enrich(frame, **told)
    elif sys.argv[1] == "prompt":
        sys.ps1 = ">>> "
        done = cupel.enrich(frame, **told)
        why = done["arguments_reasons"].map(lambda reasons: reasons[0] if reasons else "")
        print(len(done), (done["arguments_status"] == "accepted").sum(), (why == "not run: interrupted").sum())
    else:  # a notebook has a loop of its own, and raises KeyboardInterrupt wherever it is
        done = asyncio.new_event_loop().run_until_complete(cell())
except KeyboardInterrupt:
    sys.exit("interrupted as it should be")
"""


@pytest.mark.parametrize(
    ("place", "times"),
    [
        ("script", 1),
        ("notebook", 1),
        pytest.param("script", 2, marks=pytest.mark.soak),
        pytest.param("notebook", 2, marks=pytest.mark.soak),
    ],
)
def test_interrupted_in_python_nothing_new_is_sent_and_what_was_in_flight_is_kept(folder, place, times):
    """KeyboardInterrupt is raised where it belongs, and no thread goes on asking behind it."""
    (folder / "cells.py").write_text(SCRIPT)
    with ScriptedProvider(answer, latency_s=1.0) as provider:
        env = environment(provider)
        scene = Scene(folder, provider)
        scene.process = forked.Forked(["cells", place], cwd=folder, env=env)
        scene.until(lambda: provider.counts.in_flight >= 4)
        ending = interrupt(scene, SIGNALS["INT"], times)
        provider.latency_s = 0.0
        again = forked.run(["cells", "script"], cwd=folder, env=env)

    assert "interrupted as it should be" in ending.stderr
    assert ending.sent_later == 0
    assert again.returncode == 0, again.stderr
    assert provider.counts.billed_repeats <= (0 if times == 1 else ending.in_flight)


def test_interrupted_at_a_prompt_what_is_done_comes_back(folder):
    """In a notebook the cell has its frame, its other rows say why they have no outcome, and run again it goes on."""
    (folder / "cells.py").write_text(SCRIPT)
    with ScriptedProvider(answer, latency_s=1.0) as provider:
        env = environment(provider)
        scene = Scene(folder, provider)
        scene.process = forked.Forked(["cells", "prompt"], cwd=folder, env=env)
        scene.until(lambda: provider.counts.in_flight >= 4)
        ending = interrupt(scene, SIGNALS["INT"], 1)
        provider.latency_s = 0.0
        again = forked.run(["cells", "prompt"], cwd=folder, env=env)

    rows, done, not_run = map(int, ending.stdout.split())
    assert (ending.code, ending.sent_later) == (0, 0), ending.stderr
    assert done >= 4
    assert rows == done + not_run
    assert again.stdout.split() == [str(rows), str(rows), "0"], again.stderr
    assert provider.counts.billed_repeats == 0
