"""A run log that is locked or gone is waited for; what was answered meanwhile is never lost."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration.stops import SIGNALS, Scene, answer, interrupt, locked, resume


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


def test_locked_for_longer_the_run_ends_and_the_answers_wait_in_a_file(folder):
    """Exit code 6 and a sentence; the same command takes the answers up, and pays none of them again."""
    with _held_up(folder, wait_s=1) as scene:
        stdout, stderr = scene.process.communicate(timeout=60)
        kept = [path.read_text() for path in (folder / ".cupel").glob("unsaved-*.jsonl")]
        statuses, repeats = resume(scene)

    assert scene.process.returncode == 6, (stdout, stderr)
    assert "is locked by another program" in stderr
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


class Postgres:
    """A server of the test's own, which may be stopped and started."""

    def __init__(self, folder):
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        if not programs:
            pytest.skip("no PostgreSQL server is installed")
        self._programs, self._data = programs[-1].parent, folder / "data"
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        folder.mkdir()
        if os.geteuid() == 0:  # the server refuses root
            shutil.chown(folder, "postgres")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    @property
    def url(self):
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, name, *args):
        subprocess.run(
            [str(self._programs / name), *args], check=True, user=self._user, cwd="/", stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-o", options, "-l", "/dev/null", "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")


@pytest.fixture
def server():
    """A PostgreSQL on a port of its own, in a folder that its user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        postgres = Postgres(Path(folder) / "server")
        yield postgres
        postgres.stop("immediate")


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


@pytest.mark.soak
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_while_the_database_is_gone_ends_the_run(folder, server, name, times):
    """The answers that came meanwhile are kept in a file, and taken up once it is back."""
    with ScriptedProvider(answer, latency_s=0.5) as provider:
        scene = Scene(folder, provider, env={"CUPEL_DATABASE_URL": server.url}, package="distributed")
        scene.heal = server.start
        scene.start("--concurrency", "4")
        scene.until(lambda: provider.counts.in_flight >= 4)
        server.stop("immediate")
        time.sleep(1.0)
        ending = interrupt(scene, SIGNALS[name], times)
        statuses, repeats = resume(scene)

    assert ending.code == 130, ending.stderr
    assert "Traceback" not in ending.stderr
    assert ending.sent_later == 0
    assert ending.took_s < (20 if times == 1 else 2)
    assert set(statuses) == {"accepted"}
    assert repeats <= (0 if times == 1 else ending.in_flight)
