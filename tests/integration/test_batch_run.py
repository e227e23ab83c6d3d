"""`cupel run --batch` in a process of its own, over a scripted stand-in of both batch APIs, killed on the way."""

from __future__ import annotations

import json
import signal
import time

import pytest

from cupel.testing.batches import BatchScript
from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import ACCEPTS, record
from tests.integration.test_run_cli import run, started

OPENAI = [
    part for role in ("cheap", "strong", "judge", "refiner") for part in (f"--{role}-model", f"openai:{role}")
]
GROQ = ["--cheap-model", "groq:openai/gpt-oss-20b", "--strong-model", "groq:openai/gpt-oss-120b"]
FAST = ["--batch", "--batch-poll-s", "0.1"]
VARYING = ("cost_usd", "latency_s")


def answer(body):
    """Records for extraction (every fifth speech in doubt on the cheap tier), acceptance from the judge."""
    schema = body["response_format"]["json_schema"]["schema"]
    if "told_apart" in schema["properties"]:
        return ACCEPTS
    doubtful = body["model"] in ("cheap", "openai/gpt-oss-20b") and _number(body) % 5 == 0
    return record(claim="nothing that was ever said here" if doubtful else "we must build more homes")


def _number(body):
    return int(body["messages"][-1]["content"].split("speech number ")[1].split(".")[0])


def rows_of(path, task="arguments"):
    """What was written, without what a batch changes."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != f"{task}_cost_usd"} for row in rows]


@pytest.mark.parametrize(
    "models",
    [
        pytest.param(OPENAI, id="openai"),
        pytest.param([*GROQ, "--judge", "never"], id="groq", marks=pytest.mark.soak),
    ],
)
def test_in_batches_the_outcomes_are_the_same(folder, tmp_path_factory, models):
    """There is one job a wave and model, failed lines are asked again, and not one call is single."""
    elsewhere = tmp_path_factory.mktemp("alone")
    (elsewhere / "in.jsonl").write_text((folder / "in.jsonl").read_text())
    with ScriptedProvider(answer) as provider:
        run(elsewhere, "in.jsonl", "--out", "out.jsonl", "--json", *models, provider=provider)
    with ScriptedProvider(answer, batches=BatchScript(takes_s=0.1, failed_lines=0.05)) as provider:
        done = run(folder, "in.jsonl", "--out", "out.jsonl", "--json", *models, *FAST, provider=provider)
        batches, asked = provider.batches.counts, provider.counts.requests

    assert done.returncode == 0, done.stderr
    assert rows_of(folder / "out.jsonl") == rows_of(elsewhere / "out.jsonl")
    assert (asked, batches.sent_twice) == (0, 0)
    assert batches.failed_lines > 0
    assert batches.jobs <= 8


def test_killed_between_waves_and_within_one_nothing_is_sent_twice(folder):
    """Kill -9 comes three times: with a job under way, after its upload, between two waves."""
    script = BatchScript(takes_s=0.6, failed_lines=0.05)
    with ScriptedProvider(answer, batches=script) as provider:
        counts = provider.batches.counts
        for reached in (lambda: counts.uploads == 1, lambda: counts.jobs == 2, lambda: counts.jobs == 3):
            process = started(folder, "in.jsonl", "--out", "out.jsonl", *OPENAI, *FAST, provider=provider)
            while not reached() and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        last = run(folder, "in.jsonl", "--out", "out.jsonl", "--json", *OPENAI, *FAST, provider=provider)
        repeats = provider.counts.billed_repeats

    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["statuses"] == {"accepted": 40}
    assert (counts.sent_twice, repeats) == (0, 0)


@pytest.mark.soak
def test_interrupted_it_leaves_the_jobs_where_they_are_and_collects_them_later(folder):
    """Ctrl-C does not wait a day; the same command goes on."""
    script = BatchScript(takes_s=2.0)
    with ScriptedProvider(answer, batches=script) as provider:
        asked = ["in.jsonl", "--out", "out.jsonl", "--json", *OPENAI, *FAST]
        process = started(folder, *asked, provider=provider)
        while provider.batches.counts.jobs < 1 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        script.takes_s = 0.1  # of the waves to come
        resumed = run(folder, *asked, provider=provider)
        twice = provider.batches.counts.sent_twice

    assert process.returncode == 130
    assert "1 batch job left at the provider" in stderr
    assert json.loads(stdout)["statuses"] == {"pending": 40}
    assert json.loads(resumed.stdout)["statuses"] == {"accepted": 40}
    assert twice == 0


def test_the_same_command_started_twice_says_that_the_first_is_going_on(folder):
    """The second ends at once and sends nothing, whatever its --out; a first that was killed holds nobody up."""
    asked = ["in.jsonl", "--json", *OPENAI, *FAST]
    script = BatchScript(takes_s=1.5)
    with ScriptedProvider(answer, batches=script) as provider:
        counts = provider.batches.counts
        processes = [
            started(folder, *asked, "--out", f"{name}.jsonl", provider=provider) for name in ("one", "other")
        ]
        while all(process.poll() is None for process in processes):
            time.sleep(0.02)
        refused, first = sorted(processes, key=lambda process: process.poll() is None)
        while counts.jobs < 1 and first.poll() is None:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        said = refused.communicate()[1]
        script.takes_s = 0.1  # of the waves to come
        last = run(folder, *asked, provider=provider)
        first.communicate()
        twice = counts.sent_twice

    assert refused.returncode == 2, said
    assert f"going on already: process {first.pid} on" in said
    assert json.loads(last.stdout)["statuses"] == {"accepted": 40}, last.stderr
    assert twice == 0
