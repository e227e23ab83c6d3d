"""`cupel run` within a person's own limits, and through bad weather."""

from __future__ import annotations

import json

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.test_run_cli import MODELS, UNJUDGED, answer, environment, run, started


def test_a_daily_limit_of_ones_own_stops_the_run_and_counts_what_an_earlier_run_sent(folder):
    """Of five calls a day five are made, exit code 4; the same command again makes none, and waits for nobody."""
    with ScriptedProvider(answer) as provider:
        first = run(folder, "in.jsonl", "--json", "--limits", "openai:*=rpd:5", *UNJUDGED, provider=provider)
        asked = provider.counts.requests
        again = run(folder, "in.jsonl", "--json", *UNJUDGED, provider=provider, CUPEL_LIMITS="openai=rpd:5")
        more = provider.counts.requests - asked

    assert (first.returncode, again.returncode) == (4, 4), first.stderr
    assert asked == 5
    assert more == 0
    assert json.loads(again.stdout)["statuses"] == {"accepted": 5, "pending": 35}


def test_no_more_requests_are_in_flight_than_a_person_allows(folder):
    """Sixteen documents are walked at once with two requests in flight."""
    with ScriptedProvider(answer, latency_s=0.02) as provider:
        done = run(folder, "in.jsonl", "--limits", "*=concurrency:2", *UNJUDGED, provider=provider)
        most = provider.counts.max_in_flight

    assert done.returncode == 0, done.stderr
    assert most == 2


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("openai:*=rpm:0", "limits of openai: limit rpm=0.0: a number above 0"),
        ("openai:*=tpm:-5", "limit tpm=-5.0: a number above 0"),
        ("openai:*=rpm:nan", "limit rpm=nan: a number above 0"),
        ("openai:*=rpx:5", "unknown 'rpx'; known are rpm, tpm, rpd, tpd, concurrency"),
        ("openai:*=rpm:many", "'rpm:many' in 'openai:*=rpm:many' is not `MODEL=rpm:30,tpm:6000"),
        ("rpm:30", "'rpm:30' is not `MODEL=rpm:30,tpm:6000"),
    ],
)
def test_an_impossible_limit_is_said_before_anything_is_paid(folder, limits, says):
    """Exit code 2, one line with the value and what is valid."""
    with ScriptedProvider(answer) as provider:
        done = run(folder, "in.jsonl", "--limits", limits, *UNJUDGED, provider=provider)
        asked = provider.counts.requests

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert asked == 0


def test_two_runs_on_one_run_log_lose_nothing_and_pay_nothing_twice(folder):
    """Two processes take the same file at once: both end with every row, and one waits for what the other asks."""
    with ScriptedProvider(answer, latency_s=0.02) as provider:
        both = [
            started(folder, "in.jsonl", "--out", name, "--json", *UNJUDGED, provider=provider)
            for name in ("one.jsonl", "other.jsonl")
        ]
        said = [process.communicate(timeout=60) for process in both]
        counts = provider.counts

    assert (counts.billed, counts.billed_repeats) == (40, 0), said
    assert [process.returncode for process in both] == [0, 0], said
    assert all(json.loads(stdout)["statuses"] == {"accepted": 40} for stdout, _ in said)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
def test_every_fault_at_once_leaves_every_row_an_outcome_and_nothing_wrong_accepted(folder, seed):
    """With a tenth of each fault together, and hangs cut by the timeout, the run ends and what is accepted is right."""
    from cupel.testing.faults import FAULTS

    faults = {name: 0.04 for name in FAULTS if name not in {"http_401", "http_404"}}
    with ScriptedProvider(answer, faults=faults, seed=seed) as provider:
        done = run(
            folder, "in.jsonl", "--out", "out.jsonl", "--json", "--timeout-s", "3", *MODELS, provider=provider
        )
    rows = [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]

    assert done.returncode == 0, done.stderr
    assert len(rows) == 40
    assert all(row["arguments_status"] in ("accepted", "needs_review", "failed") for row in rows)
    for row in rows:
        if row["arguments_status"] == "accepted":
            assert all(claim["quote"] in row["text"] for claim in row["arguments"]["claims"])


def test_a_full_disk_stops_the_run_with_what_to_do(folder, tmp_path):
    """Files that may not grow: the run ends with a clear line, no row is failed, and nothing is paid again."""
    asked = ["in.jsonl", "--out", str(tmp_path / "out.jsonl"), *UNJUDGED]
    with ScriptedProvider(answer) as provider:
        done = forked.run(
            ["cupel", "run", *asked], cwd=folder, env=environment(provider), max_file_bytes=300_000
        )
        resumed = run(folder, "in.jsonl", "--out", "out.jsonl", "--json", *UNJUDGED, provider=provider)

        repeats = provider.counts.billed_repeats

    assert done.returncode == 6
    assert "Traceback" not in done.stderr, done.stderr[-800:]
    assert "no room is left to write" in done.stderr
    assert " 0 failed " in done.stderr
    assert json.loads(resumed.stdout)["statuses"] == {"accepted": 40}
    assert repeats == 0
