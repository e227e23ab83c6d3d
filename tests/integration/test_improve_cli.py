"""`cupel improve` and `cupel prompts` as processes: killed, run twice at once, and told what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cupel.improving import ledger_of
from tests.conftest import ROOT
from tests.integration.improvement import TASK, made_project, speeches, write

pytestmark = pytest.mark.server

SCRIPT = """
import sys, time
from cupel.cli import main
from cupel.testing import scripted
from tests.integration.improvement import GOOD_RULE, extractor, rewriter
slow = float(sys.argv.pop(1))
def cheap(messages, schema):
    time.sleep(slow)
    return extractor(messages, schema)
ids = {"scripted:cheap": cheap, "scripted:refiner": rewriter(GOOD_RULE)}
with scripted(ids):
    main()
"""


def cupel(study, *args, slow=0.0, **popen):
    """A command in a process of its own, its models scripted."""
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CUPEL_", "LANGSMITH"))},
        "PYTHONPATH": str(ROOT), "CUPEL_CHEAP_MODEL": "scripted:cheap", "CUPEL_REFINER_MODEL": "scripted:refiner",
        "CUPEL_JUDGE": "never",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(slow), *args],
        cwd=study.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen,
    )  # fmt: skip


def finished(process):
    """Exit code, stdout and stderr."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


IMPROVE = ("improve", "speeches.jsonl", "--task", TASK, "--yes", "--json")


@pytest.fixture
def study(tmp_path):
    made = made_project(tmp_path / "study")
    write(made.folder / "speeches.jsonl", speeches(60))
    return made


def told(study):
    """The ledger without its times."""
    return [(e.kind, e.key, e.data) for e in ledger_of(study.state).entries()]


def test_killed_at_many_moments_and_resumed_the_ledger_is_that_of_one_go(study, tmp_path):
    """Kill -9 between and within steps; nothing is lost and nothing is there twice."""
    straight = made_project(tmp_path / "straight")
    write(straight.folder / "speeches.jsonl", speeches(60))
    code, out, err = finished(cupel(straight, *IMPROVE))
    assert code == 0, err
    assert json.loads(out)["result"] == "nominee"

    for seconds in (2.0, 2.6, 3.2, 4.0):
        process = cupel(study, *IMPROVE, slow=0.02, start_new_session=True)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    code, out, err = finished(cupel(study, *IMPROVE))

    assert code == 0, err
    assert json.loads(out)["result"] == "nominee"
    mine = [(kind, key, _without_paths(data)) for kind, key, data in told(study)]
    assert mine == [(kind, key, _without_paths(data)) for kind, key, data in told(straight)]


def _without_paths(data):
    return {name: value for name, value in data.items() if name != "documents"}


def test_two_processes_may_not_improve_one_task_at_once(study):
    """The second is refused with the id of the first, and the first is none the worse."""
    first = cupel(study, *IMPROVE, slow=0.05)
    lock = study.state / "refinement" / f"ledger.jsonl.{TASK}.lock"
    for _ in range(200):
        if lock.is_file() and lock.read_text():
            break
        time.sleep(0.05)
    code, _, err = finished(cupel(study, *IMPROVE))

    assert code == 2
    assert f"process (id {first.pid})" in err
    assert finished(first)[0] == 0


def test_a_nominee_is_listed_compared_promoted_and_rolled_back(study):
    """From the command line, with the files as the ledger says."""
    made = json.loads(finished(cupel(study, *IMPROVE))[1])
    version, old = made["proposal"]["version"], made["version"]
    before = (study.prompts / TASK / "rules.toml").read_text()

    listed = json.loads(finished(cupel(study, "prompts", "list", TASK, "--json"))[1])
    assert [(row["version"], row["state"]) for row in listed] == [
        (old, "in the folder"),
        (version, "nominee"),
    ]
    assert "+concession" in finished(cupel(study, "prompts", "diff", TASK, old, version))[1]
    code, _, err = finished(cupel(study, "prompts", "promote", TASK, version[:6]))
    assert code == 0, err
    assert "concession" in (study.prompts / TASK / "rules.toml").read_text()
    code, _, err = finished(cupel(study, "prompts", "promote", TASK, old))
    assert code == 2
    assert "no gate's decision" in err
    assert finished(cupel(study, "prompts", "rollback", TASK, old))[0] == 0
    assert (study.prompts / TASK / "rules.toml").read_text() == before
