"""A thousand documents through a deployed server that is killed once, by a client that is killed once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.conftest import ROOT
from tests.integration.cascade import TEXT
from tests.integration.own_postgres import own_postgres
from tests.integration.server import START_S, free_port, is_up
from tests.integration.test_hostile_caller import answer
from tests.integration.test_server import copied

pytestmark = [pytest.mark.door, pytest.mark.soak]
DOCUMENTS, AT_ONCE = 1_000, 16
MODELS = (
    "--cheap-model",
    "openai:cheap",
    "--judge-model",
    "openai:judge",
    "--strong-model",
    "none",
    "--refiner-model",
    "none",
)
COLUMNS = (
    "arguments",
    *(f"arguments_{name}" for name in ("status", "confidence", "model", "cost_usd", "reasons", "doc_id")),
)


class Deployed:
    """A server of a project on a port of its own, killed and started as a deployment is."""

    def __init__(self, folder: Path, command: list[str | Path], env: dict[str, str], port: int) -> None:
        self.folder, self.command, self.env = folder, command, {**os.environ, **env}
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is up when this returns."""
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not is_up(self.url):
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()[-3000:]
            time.sleep(0.25)

    def kill(self) -> None:
        """Kill it: nothing of it is told beforehand."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def development_server(folder, env):
    """`langgraph dev`."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "langgraph_cli",
        "dev",
        "--no-browser",
        "--no-reload",
        "--n-jobs-per-worker",
        "10",
        "--port",
        str(port),
    ]
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true"}
    yield Deployed(folder, command, {**quiet, **env}, port)


@contextmanager
def aegra(folder, env):
    """What `make serve` starts, on a PostgreSQL of its own."""
    python, start, port = ROOT / ".venv-serve" / "bin" / "python", ROOT / "deploy" / "serve.py", free_port()
    if not (python.is_file() and start.is_file()):
        pytest.skip("Aegra is not installed: `make serve` installs it, where there is a Python 3.12 or newer")
    (folder / "deploy").mkdir()
    shutil.copy(start, folder / "deploy")
    with own_postgres() as postgres:
        own = {
            "DATABASE_URL": postgres.url,
            "SERVE_PORT": str(port),
            "SERVE_PYTHON": str(python),
            "HOME": str(folder),
        }
        yield Deployed(folder, [python, folder / "deploy" / "serve.py", "run"], {**own, **env}, port)


@contextmanager
def deployed(kind, folder, env):
    """A deployment, ended afterwards."""
    with kind(folder, env) as server:
        try:
            yield server
        finally:
            with suppress(AssertionError, ProcessLookupError):
                server.kill()


def documents(path):
    """A thousand speeches, each of its own."""
    with path.open("w") as file:
        for number in range(DOCUMENTS):
            file.write(
                json.dumps({"id": f"d{number}", "text": f"{TEXT} This is speech number {number}."}) + "\n"
            )


def cupel(folder, *args, env):
    """`cupel run` on the documents, under way."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("cupel"), "run", "documents.jsonl", "--task", "arguments", *MODELS, "--no-report", "--json",
         "--concurrency", str(AT_ONCE), *args],
        cwd=folder, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def done(process):
    """What a command printed, once it is through."""
    out, told = process.communicate(timeout=1200)
    assert process.returncode == 0, told.decode()
    return json.loads(out)


def wait_until(provider, billed):
    """Return once so many answers were paid for."""
    deadline = time.monotonic() + 600
    while provider.counts.billed < billed:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows(path):
    """The task's columns of an output."""
    return [{name: row[name] for name in COLUMNS} for row in map(json.loads, path.read_text().splitlines())]


@pytest.mark.parametrize("kind", [development_server, aegra])
def test_a_thousand_documents_survive_a_killed_server_and_a_killed_client(kind, tmp_path):
    """None lost, none in two rows, paid twice at most what was in flight, and the same rows as a local run's."""
    study, client = copied(tmp_path / "study"), tmp_path / "client"
    client.mkdir()
    config = study / "langgraph.json"
    config.write_text(config.read_text().replace('"env": ".env"', '"env": {}'))
    (study / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    documents(client / "documents.jsonl")
    prices = {"CUPEL_PRICES": ",".join(f"openai:{role}=1/2" for role in ("cheap", "judge"))}
    with ScriptedProvider(answer, latency_s=0.05) as provider:
        env = {**provider.environment(), **prices}
        with deployed(kind, study, env) as server:
            server.start()
            args = ("--server", server.url, "--out", "far.jsonl")
            first = cupel(client, *args, env={})
            wait_until(provider, 500)
            server.kill()
            at_kill = provider.counts.in_flight
            server.start()
            wait_until(provider, 1_200)
            first.send_signal(signal.SIGKILL)
            first.communicate()
            summary = done(cupel(client, *args, env={}))
        paid, twice = provider.counts.billed, provider.counts.billed_repeats
    with ScriptedProvider(answer) as provider:
        near = done(cupel(client, "--out", "near.jsonl", env={**provider.environment(), **prices}))
        assert provider.counts.billed == near["account"]["paid"]["calls"]

    assert summary["statuses"] == {"accepted": DOCUMENTS}
    assert rows(client / "far.jsonl") == rows(client / "near.jsonl")
    assert twice <= AT_ONCE, (twice, at_kill)
    assert paid - twice == near["account"]["paid"]["calls"] == 2 * DOCUMENTS
    assert 0 < summary["reused"] < DOCUMENTS
    assert summary["account"]["rows"]["calls"] == 2 * DOCUMENTS
