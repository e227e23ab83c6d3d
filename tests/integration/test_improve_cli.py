"""`cupel improve` and `cupel prompts`: killed and resumed, run twice at once, and told what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy.exc

from cupel.cli import main
from cupel.improvement.ledger import ledger_of
from cupel.runlog import RunLog, tables
from cupel.testing.clusters import database
from cupel.testing.models import scripted
from tests.conftest import ROOT
from tests.integration.improvement import GOOD_RULE, TASK, extractor, made_project, rewriter, speeches, write

ENV = {
    "CUPEL_CHEAP_MODEL": "scripted:cheap", "CUPEL_REFINER_MODEL": "scripted:refiner", "CUPEL_JUDGE": "never",
}  # fmt: skip
IMPROVE = ("improve", "speeches.jsonl", "--task", TASK, "--yes", "--json")

FORKING = """
import json, os, signal, sys, time
from cupel.cli import main
from cupel.testing import scripted
from tests.integration.improvement import GOOD_RULE, extractor, rewriter
import cupel.cli.improve, cupel.improvement.engines, langgraph.graph, langchain_core.language_models.chat_models

def killed_at(told, name, count):
    if (name, count) == (told["role"], told["at"]):
        os.kill(os.getpid(), signal.SIGKILL)

def watch_ledger(told):
    # the instants of a write: before the run log has it, between run log and file, after both; and what was seen
    import cupel.improvement.ledger as ledger, cupel.improvement.seen as seen
    counts = {}
    def watched(work, before, after):
        def call(*args):
            counts[before] = counts.get(before, 0) + 1
            killed_at(told, before, counts[before])
            made = work(*args)
            killed_at(told, after, counts[before])
            return made
        return call
    ledger._store = watched(ledger._store, "store", "stored")
    ledger.Ledger._write_file = watched(ledger.Ledger._write_file, "file", "filed")
    seen._insert = watched(seen._insert, "seen", "noted")

def campaign(told):
    asked = {"cheap": 0, "refiner": 0}
    os.environ.update(told["env"])
    watch_ledger(told)
    def counted(name, script):
        def say(messages, schema):
            while told["waits"] and not os.path.exists("go"):
                time.sleep(0.02)
            asked[name] += 1
            killed_at(told, name, asked[name])
            with open("asked", "a") as file:
                file.write(name + "\\n")
            return script(messages, schema)
        return say
    scripts = {"cheap": extractor, "refiner": rewriter(GOOD_RULE)}
    os.chdir(told["folder"])
    sys.argv = ["cupel", *told["args"]]
    with scripted({f"scripted:{name}": counted(name, script) for name, script in scripts.items()}):
        main()

for line in sys.stdin:
    told = json.loads(line)
    if told.get("join"):
        print(os.waitpid(told["join"], 0)[1], flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        code = 0
        try:
            campaign(told)
        except SystemExit as ending:
            code = ending.code or 0
        os._exit(code)
    print(child, flush=True)
"""


class Forks:
    """Commands in processes of their own that share one start: what they need is imported once."""

    def __init__(self, process):
        self._process = process

    def start(self, study, *args, role="", at=0, waits=False, env=None):
        """Begin a command, to be killed at this call of this model; or to wait at its first for a file `go`."""
        return self._told(folder=str(study.folder), args=args, role=role, at=at, waits=waits, env=env or {})

    def join(self, pid):
        """How it ended, as `os.waitpid` has it."""
        return self._told(join=pid)

    def _told(self, **told):
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture(scope="module")
def forks():
    """Started before the first test asks for it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CUPEL_", "LANGSMITH"))}
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], cwd=ROOT, env={**clean, **ENV, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        yield Forks(process)
        process.stdin.close()


@pytest.fixture
def cupel(monkeypatch, capsys):
    """A command in this process: `cupel(study, *args)` gives its exit code, stdout and stderr."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)

    def run(study, *args):
        monkeypatch.chdir(study.folder)
        monkeypatch.setattr(sys, "argv", ["cupel", *args])
        capsys.readouterr()
        code = 0
        with scripted({"scripted:cheap": extractor, "scripted:refiner": rewriter(GOOD_RULE)}):
            try:
                main()
            except SystemExit as exit_:
                code = exit_.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def study(tmp_path):
    """A project of the test's own, with thirty speeches."""
    made = made_project(tmp_path / "study")
    write(made.folder / "speeches.jsonl", speeches(30))
    return made


def told(study):
    """The ledger without its times, and without the folder it lies in."""
    return [
        (e.kind, e.key, {name: value for name, value in e.data.items() if name != "documents"})
        for e in ledger_of(study.state).entries()
    ]


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["reflect", "gepa"])
def test_killed_at_many_moments_and_resumed_the_ledger_is_that_of_one_go(
    study, tmp_path, cupel, forks, engine
):
    """Kill -9 comes while collecting, at the rewriter, re-testing and at the gate; nothing is lost or there twice."""
    if engine == "gepa":
        pytest.importorskip("gepa")
    command = (*IMPROVE, "--engine", engine)
    straight = made_project(tmp_path / "straight")
    write(straight.folder / "speeches.jsonl", speeches(30))
    code, out, err = cupel(straight, *command)
    assert code == 0, err
    assert json.loads(out)["result"] == "nominee"

    moments = [("cheap", 4), ("refiner", 1), ("cheap", 3), ("cheap", 9)]
    ends = [forks.join(forks.start(study, *command, role=role, at=at)) for role, at in moments]
    assert ends == [signal.SIGKILL] * 4
    code, out, err = cupel(study, *command)

    assert code == 0, err
    assert json.loads(out)["result"] == "nominee"
    assert told(study) == told(straight)


WRITES = ("store", "stored", "filed")

INSTANTS = [
    *((role, at) for at in (1, 2, 3) for role in WRITES), ("seen", 1), ("noted", 1), ("cheap", 1), ("cheap", 4),
    *((role, 4) for role in WRITES), ("refiner", 1), *((role, 5) for role in WRITES), ("cheap", 2),
    *((role, at) for at in (6, 7) for role in WRITES[:2]), ("cheap", 5), ("cheap", 9),
    *((role, 8) for role in WRITES[:2]), ("stored", 9),
]  # fmt: skip
"""Thirty: of every write of the ledger, and of the calls between them."""

SERVER = os.environ.get("CUPEL_TEST_DATABASE_URL", "postgresql+psycopg://127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
def twins(request, study, tmp_path):
    """Two projects alike, each with what chooses a run log of its own."""
    straight = made_project(tmp_path / "straight")
    write(straight.folder / "speeches.jsonl", speeches(30))
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            yield [(straight, {}), (study, {})]
            return
        try:
            urls = [stack.enter_context(database(SERVER)) for _ in range(2)]
        except sqlalchemy.exc.SQLAlchemyError as error:
            pytest.skip(f"no PostgreSQL at {SERVER}: {str(error).splitlines()[0]}")
        yield [(p, {"CUPEL_DATABASE_URL": url}) for p, url in zip((straight, study), urls, strict=True)]


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["reflect", "gepa"])
def test_killed_at_thirty_instants_it_decides_the_same_and_pays_nothing_twice(
    twins, forks, engine, monkeypatch
):
    """One kill after the other; the ledger, its file and what was seen are those of one go, on either database."""
    if engine == "gepa":
        pytest.importorskip("gepa")
    command = (*IMPROVE, "--engine", engine)
    (straight, straight_env), (study, env) = twins
    assert forks.join(forks.start(straight, *command, env=straight_env)) == 0

    ends = [forks.join(forks.start(study, *command, role=role, at=at, env=env)) for role, at in INSTANTS]
    assert forks.join(forks.start(study, *command, env=env)) == 0

    known = []
    for project, variables in twins:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        lines = [json.loads(line) for line in ledger_of(project.state).path(TASK).read_text().splitlines()]
        committed = sorted((line["kind"], line["key"], json.dumps(line["data"])) for line in lines)
        shown = sorted(ledger_of(project.state).book(TASK).shown)
        known.append((sorted(map(str, told(project))), shown, committed))
    asked = [len((project.folder / "asked").read_text().splitlines()) for project, _ in twins]
    assert known[0] == known[1]
    assert len(INSTANTS) == 30
    assert ends.count(signal.SIGKILL) >= 29
    in_flight = 8 * sum(role == "cheap" for role, _ in INSTANTS)
    assert asked[0] <= asked[1] <= asked[0] + in_flight


def is_held(study):
    """Whether somebody holds the task by a lease of the run log."""
    if not (path := study.state / "runlog.sqlite").is_file():
        return False
    log = RunLog(f"sqlite:///{path}")
    try:
        return bool(log.rows_of(tables.leases, name=f"task-{TASK}"))
    finally:
        log.close()


def test_two_processes_may_not_improve_one_task_at_once(study, cupel, forks):
    """The second is refused with the id of the first, and the first is none the worse."""
    first = forks.start(study, *IMPROVE, waits=True)
    for _ in range(600):
        if is_held(study):
            break
        time.sleep(0.05)
    code, _, err = cupel(study, *IMPROVE)
    (study.folder / "go").touch()

    assert (code, forks.join(first)) == (2, 0)
    assert f"going on already: process {first} on" in err


def test_a_nominee_is_listed_compared_promoted_and_rolled_back(study, cupel):
    """The command line does it, and the files are as the ledger says."""
    made = json.loads(cupel(study, *IMPROVE)[1])
    version, old = made["proposal"]["version"], made["version"]
    before = (study.prompts / TASK / "rules.toml").read_text()

    listed = json.loads(cupel(study, "prompts", "list", TASK, "--json")[1])
    assert [(row["version"], row["state"]) for row in listed] == [
        (old, "in the folder"),
        (version, "nominee"),
    ]
    assert "+concession" in cupel(study, "prompts", "diff", TASK, old, version)[1]
    code, _, err = cupel(study, "prompts", "promote", TASK, version[:6])
    assert code == 0, err
    assert "concession" in (study.prompts / TASK / "rules.toml").read_text()
    code, _, err = cupel(study, "prompts", "promote", TASK, old)
    assert code == 2
    assert "no gate's decision" in err
    assert cupel(study, "prompts", "rollback", TASK, old)[0] == 0
    assert (study.prompts / TASK / "rules.toml").read_text() == before
