"""A run log that is locked or gone is waited for; what was answered meanwhile is never lost."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration.own_postgres import own_postgres
from tests.integration.stops import Scene, answer, locked, resume


@contextmanager
def _held_up(folder, *, wait_s):
    """A run of four at once whose answers have come, and whose run log another program has locked."""
    with ScriptedProvider(answer, latency_s=0.3) as provider, ExitStack() as stack:
        scene = Scene(folder, provider)
        scene.env["CUPEL_RUN_LOG_WAIT_S"] = str(wait_s)
        scene.start("--concurrency", "4")
        scene.until(lambda: provider.counts.in_flight >= 4)
        stack.enter_context(locked(folder / ".cupel" / "runlog.sqlite"))
        scene.until(lambda: provider.counts.in_flight == 0)
        scene.heal = stack.close
        provider.latency_s = 0.0
        yield scene


def test_locked_for_a_while_it_is_waited_for_and_the_run_goes_on(folder):
    """It is said, every row has its outcome, and nothing is paid twice."""
    with _held_up(folder, wait_s=60) as scene:
        time.sleep(2.5)
        scene.heal()
        stdout, stderr = scene.process.communicate(timeout=60)

    assert scene.process.returncode == 0, stderr
    assert "the run log is away" in stderr
    assert "the run log is back after" in stderr
    assert json.loads(stdout)["statuses"] == {"accepted": 40}
    assert scene.provider.counts.billed_repeats == 0


@pytest.mark.soak
def test_locked_for_longer_the_run_ends_and_the_answers_wait_in_a_file(folder):
    """Exit code 6 and a sentence; the same command takes the answers up, and pays none of them again."""
    with _held_up(folder, wait_s=2) as scene:
        stdout, stderr = scene.process.communicate(timeout=60)
        kept = [path.read_text() for path in (folder / ".cupel").glob("unsaved-*.jsonl")]
        statuses, repeats = resume(scene)

    assert scene.process.returncode == 6, (stdout, stderr)
    assert "is locked by another program" in stderr
    assert "the run log is back" not in stderr  # a lock on writing lets reads pass
    assert "Traceback" not in stderr
    assert sum(len(text.splitlines()) for text in kept) == 4
    assert (statuses, repeats) == ({"accepted": 40}, 0)
    assert list((folder / ".cupel").glob("unsaved-*")) == []


@pytest.mark.soak
def test_locked_for_ninety_seconds_it_ends_after_the_stated_minute(folder):
    """Nothing is failed for it, and the same command does the rest."""
    with _held_up(folder, wait_s=60) as scene:
        began = time.monotonic()
        _, stderr = scene.process.communicate(timeout=90)
        took_s = time.monotonic() - began
        time.sleep(max(0.0, 90 - took_s))
        statuses, repeats = resume(scene)

    assert scene.process.returncode == 6, stderr
    assert 50 < took_s < 75
    assert (statuses, repeats) == ({"accepted": 40}, 0)


@pytest.fixture
def server():
    """A PostgreSQL of the test's own."""
    with own_postgres() as postgres:
        yield postgres


@pytest.mark.soak
def test_a_postgresql_that_is_not_there_yet_is_waited_for_at_opening_too(folder, server):
    """It is said, and the run begins once it takes connections; one that stays away ends it with exit code 6."""
    with ScriptedProvider(answer) as provider:
        scene = Scene(folder, provider, env={"CUPEL_DATABASE_URL": server.url}, package="distributed")
        server.stop()
        scene.env["CUPEL_RUN_LOG_WAIT_S"] = "2"
        scene.start()
        never = scene.process.communicate(timeout=60)[1], scene.process.returncode
        scene.env["CUPEL_RUN_LOG_WAIT_S"] = "60"
        scene.start()
        time.sleep(3)
        server.start()
        stdout, stderr = scene.process.communicate(timeout=120)

    assert never[1] == 6, never[0]
    assert "Connection refused" in never[0]
    assert scene.process.returncode == 0, stderr
    assert "the run log is away" in stderr
    assert json.loads(stdout)["statuses"] == {"accepted": 40}


@pytest.mark.soak
def test_locked_for_ninety_seconds_it_is_outlasted_where_more_patience_is_asked_for(folder):
    """`CUPEL_RUN_LOG_WAIT_S=120`: every row has its outcome, and nothing is paid twice."""
    with _held_up(folder, wait_s=120) as scene:
        time.sleep(90)
        scene.heal()
        stdout, stderr = scene.process.communicate(timeout=60)

    assert scene.process.returncode == 0, stderr
    assert json.loads(stdout)["statuses"] == {"accepted": 40}
    assert scene.provider.counts.billed_repeats == 0


@pytest.mark.soak
def test_postgresql_restarted_five_times_in_a_run_costs_nothing(folder, server):
    """Fast or killed on the spot, under a cap and shared limits: all rows, nothing failed, nothing paid twice."""
    with ScriptedProvider(answer, latency_s=0.4) as provider:
        scene = Scene(folder, provider, env={"CUPEL_DATABASE_URL": server.url}, package="distributed")
        prices = ",".join(f"openai:{role}=1/2" for role in ("cheap", "strong", "judge", "refiner"))
        scene.env["CUPEL_PRICES"] = prices
        scene.args += ["--max-usd", "5", "--limits", "openai:*=rpm:6000"]
        scene.start("--concurrency", "2")
        for number in range(5):
            scene.until(lambda number=number: provider.counts.billed >= 6 + 12 * number)
            server.stop("immediate" if number % 2 else "fast")
            time.sleep(1.5)
            server.start()
        stdout, stderr = scene.process.communicate(timeout=120)

    assert scene.process.returncode == 0, stderr
    assert json.loads(stdout)["statuses"] == {"accepted": 40}
    assert "Traceback" not in stderr
    assert provider.counts.billed_repeats == 0
