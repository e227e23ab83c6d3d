"""`cupel run` while its provider is closed, limited, or while this machine is short of something: real HTTP, real processes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import pytest

from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply
from tests.integration import forked
from tests.integration.cascade import TEXT
from tests.integration.test_run_cli import MODELS, UNJUDGED, answer, environment, run, started

CHEAP_ONLY = ["--task", "arguments", "--no-report", *UNJUDGED]


@contextlib.contextmanager
def reopened(port, *, after_s):
    """A provider on a port, opened in another thread after a while."""
    provider, opened = ScriptedProvider(answer, port=port), threading.Event()

    def open_it():
        provider.__enter__()
        opened.set()

    timer = threading.Timer(after_s, open_it)
    timer.start()
    try:
        yield provider
    finally:
        timer.join()
        opened.wait()
        provider.__exit__(None, None, None)


def free_port():
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def closed(port):
    """What sends a run to a provider that is not there."""
    return environment(OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1", OPENAI_API_KEY="sk-scripted")


@pytest.mark.soak
def test_closed_from_the_start_it_is_said_waited_for_and_done(folder):
    """One command; the lines go to stderr, beside `--json` too."""
    port = free_port()
    forked.run(["cupel", "--version"], cwd=folder, env=closed(port))  # what is imported once is imported now
    with reopened(port, after_s=4) as provider:
        asked = ["cupel", "run", "in.jsonl", "--out", "out.jsonl", "--json", "--wait", "60", *CHEAP_ONLY]
        done = forked.run(asked, cwd=folder, env=closed(port))
        counts = provider.counts

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"accepted": 40}
    assert done.stderr.splitlines()[0].startswith("openai: connection refused, trying again, 2 s of 60 s")
    assert "openai: it answers again" in done.stderr
    assert counts.billed_repeats == 0


def test_closed_for_good_it_ends_with_4_and_the_same_command_goes_on(folder):
    """What was done stays done; the text says who was away, and how to wait longer."""
    with ScriptedProvider(answer, latency_s=0.05) as provider:
        port, asked = provider.port, ["in.jsonl", "--out", "out.jsonl", "--json", "--wait", "1", *CHEAP_ONLY]
        process = started(folder, *asked, "--concurrency", "4", provider=provider)
        while provider.counts.billed < 10 and process.poll() is None:
            time.sleep(0.01)
    stdout, stderr = process.communicate(timeout=60)
    with ScriptedProvider(answer, port=port) as again:
        resumed = run(folder, *asked, provider=again)
        billed = again.counts.billed

    statuses = json.loads(stdout)["statuses"]
    assert process.returncode == 4, stderr
    assert set(statuses) == {"accepted", "pending"}
    assert "stopped: openai:cheap@127.0.0.1:" in stderr
    assert "--wait forever" in stderr
    assert "Traceback" not in stderr
    assert json.loads(resumed.stdout)["statuses"] == {"accepted": 40}
    assert billed == statuses["pending"]


@pytest.mark.parametrize(
    ("status", "says"), [(503, "asked to be left alone for 600 s"), (429, "its limit is reached")]
)
def test_a_retry_after_beyond_the_wait_ends_it_at_once_with_4(folder, status, says):
    """There is no point in waiting two minutes for who asks for ten."""
    busy = RawReply(body={"error": {"message": "busy"}}, status=status, headers={"retry-after": "600"})
    began = time.monotonic()
    with ScriptedProvider(lambda _body: busy) as provider:
        done = run(folder, "in.jsonl", "--json", *CHEAP_ONLY, provider=provider)

    assert done.returncode == 4, done.stderr
    assert says in done.stderr
    assert json.loads(done.stdout)["statuses"] == {"pending": 40}
    assert time.monotonic() - began < 60  # the wait is 120 s


def test_an_outage_under_a_cap_spends_nothing_of_it(folder):
    """A connection that was refused cannot be billed: what was set aside for it is free again."""
    port = free_port()
    prices = {"CUPEL_PRICES": "openai:cheap=100/100"}
    with reopened(port, after_s=2):
        asked = ["cupel", "run", "in.jsonl", "--json", "--wait", "60", "--max-usd", "30", *CHEAP_ONLY]
        done = forked.run(asked, cwd=folder, env=closed(port) | prices)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"accepted": 40}


@pytest.mark.parametrize("wait", ["soon", "--json"])
def test_a_wait_that_is_no_time_is_refused_with_what_to_write(folder, wait):
    """So is the old `--wait`, which stood alone."""
    done = run(folder, "in.jsonl", "--wait", wait, "--profile", "offline")

    assert done.returncode == 2
    assert "give seconds from 0 up, such as 600, or `forever`" in done.stderr


@pytest.mark.parametrize(
    ("variables", "says", "code"),
    [
        pytest.param(
            {"OPENAI_API_KEY": "sk-one\nsk-two"}, "OPENAI_API_KEY holds a line break", 6, id="line break"
        ),
        pytest.param(
            {"OPENAI_API_KEY": "sk-\u2013dash"}, "OPENAI_API_KEY holds en dash", 6, id="not Latin-1"
        ),
        pytest.param(
            {"OPENAI_BASE_URL": "http://me:hunter2@127.0.0.1:9/v1"},
            "OPENAI_BASE_URL holds a user name or password",
            6,
            id="credentials in the address",
        ),
        pytest.param(
            {"OPENAI_BASE_URL": "http://127.0.0.1:http/v1"},
            "'http://127.0.0.1:http/v1' is no address",
            2,
            id="port",
        ),
        pytest.param({"OPENAI_BASE_URL": "http:///v1"}, "'http:///v1' is no address", 2, id="no host"),
    ],
)
def test_what_could_never_be_sent_stops_before_anything_is(folder, variables, says, code):
    """What is wrong is named, and neither key nor password shown; an address that is none is a setting's fault."""
    with ScriptedProvider(answer) as provider:
        done = run(folder, "in.jsonl", *CHEAP_ONLY, provider=provider, **variables)
        asked = provider.counts.requests

    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert not any(secret in done.stderr for secret in ("hunter2", "sk-one", "sk-two", "dash\n"))
    assert asked == 0


@pytest.mark.soak
def test_a_full_disk_under_the_output_ends_with_6_and_asks_nothing_again(folder):
    """The answers are in the run log; with room for it the output is written from there."""
    speeches = [json.loads(line) for line in (folder / "in.jsonl").read_text().splitlines()]
    wide = "\n".join(json.dumps({**speech, "scan": "x" * 2_000_000}) for speech in speeches)
    (folder / "in.jsonl").write_text(wide + "\n")
    asked = ["in.jsonl", "--out", "out.jsonl", "--json", *CHEAP_ONLY]
    with ScriptedProvider(answer) as provider:
        full = forked.run(
            ["cupel", "run", *asked], cwd=folder, env=environment(provider), max_file_bytes=60_000_000
        )
        again = run(folder, *asked, provider=provider)
        billed = provider.counts.billed

    assert full.returncode == 6, full.stderr
    assert "out.jsonl: no room is left to write" in full.stderr
    assert "Traceback" not in full.stderr
    assert json.loads(again.stdout)["statuses"] == {"accepted": 40}
    assert billed == 40


@pytest.mark.soak
def test_closed_for_a_minute_and_a_half_in_the_middle_of_two_hundred(tmp_path):
    """One command, with the default wait: every row has its record, and nothing is paid twice."""
    speeches = [{"id": f"s{n}", "text": f"{TEXT} This is speech number {n}."} for n in range(200)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(speech) + "\n" for speech in speeches))
    with ScriptedProvider(answer, latency_s=0.3) as provider:
        process = started(tmp_path, "in.jsonl", "--json", "--no-report", *MODELS, provider=provider)
        while provider.counts.billed < 60 and process.poll() is None:
            time.sleep(0.01)
        port = provider.port
    with reopened(port, after_s=90) as again:
        stdout, stderr = process.communicate(timeout=300)
        repeats = again.counts.billed_repeats

    assert process.returncode == 0, stderr
    assert json.loads(stdout)["statuses"] == {"accepted": 200}
    assert repeats == 0
