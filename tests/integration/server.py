"""The real LangGraph server on a free loopback port, for tests, and Aegra on another."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from cupel.testing.provider import ScriptedProvider
from tests.conftest import ROOT
from tests.integration.own_postgres import own_postgres

START_S = 90


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def langgraph_server(folder: Path, env: Mapping[str, str], log: Path) -> Iterator[str]:
    """`langgraph dev` in a project folder; yields its address, and ends it afterwards."""
    port = free_port()
    command = [
        sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload",
        "--n-jobs-per-worker", "10", "--port", str(port), "--host", "127.0.0.1",
    ]  # fmt: skip
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true"}
    quiet |= {"LANGSMITH_CONTROL_PLANE_API_KEY": ""}  # as `make dev` does
    with log.open("w") as written:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **quiet, **env}, stdout=written, stderr=subprocess.STDOUT
        )
        try:
            yield _ready(f"http://127.0.0.1:{port}", process, log)
        finally:
            _end(process)


AEGRA = ROOT / ".venv-serve" / "bin" / "python"


def aegra_fault() -> str:
    """Why there is no Aegra to test with; empty where there is."""
    if not AEGRA.is_file():
        return "Aegra is not installed: `make serve` needs Python 3.12 or newer"
    return "" if any(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) else "Aegra needs a PostgreSQL server"


@contextmanager
def aegra_server(folder: Path, env: Mapping[str, str], log: Path) -> Iterator[str]:
    """What `make serve` starts, in a project folder and on a PostgreSQL of its own; yields its address."""
    port = free_port()
    (folder / "deploy").mkdir(exist_ok=True)
    shutil.copy(ROOT / "deploy" / "serve.py", folder / "deploy")
    with own_postgres() as postgres, log.open("w") as written:
        of_server = {
            "DATABASE_URL": postgres.url,
            "SERVE_PORT": str(port),
            "HOME": str(folder),
            "SERVE_PYTHON": str(AEGRA),
        }
        process = subprocess.Popen(
            [AEGRA, folder / "deploy" / "serve.py", "run"],
            cwd=folder, env={**os.environ, **of_server, **env}, stdout=written, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield _ready(f"http://127.0.0.1:{port}", process, log)
        finally:
            _end(process)


@contextmanager
def project_server(
    folder: Path,
    answer: Callable[[dict[str, Any]], Any],
    env: Mapping[str, str] | None = None,
    kind: Callable[[Path, Mapping[str, str], Path], AbstractContextManager[str]] = langgraph_server,
) -> Iterator[str]:
    """The server of a project whose models a script answers; nothing may have blocked its loop."""
    config = folder / "langgraph.json"
    config.write_text(config.read_text().replace('"env": ".env"', '"env": {}'))
    (folder / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    log = folder / "server.log"
    with (
        ScriptedProvider(answer) as provider,
        kind(folder, {**provider.environment(), **(env or {})}, log) as url,
    ):
        yield url
    assert "BlockingError" not in log.read_text()


def is_up(url: str) -> bool:
    """Whether a server answers at an address."""
    with suppress(OSError), urllib.request.urlopen(f"{url}/ok", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if is_up(url):
            return url
        time.sleep(0.25)
    raise AssertionError(f"the server did not come up:\n{log.read_text()[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    process.kill()
