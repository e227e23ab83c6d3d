"""The real LangGraph server on a free loopback port, for tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cupel.testing.provider import ScriptedProvider

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
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()


@contextmanager
def project_server(
    folder: Path, answer: Callable[[dict[str, Any]], Any], env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The server of a project whose models a script answers; nothing may have blocked its loop."""
    config = folder / "langgraph.json"
    config.write_text(config.read_text().replace('"env": ".env"', '"env": {}'))
    (folder / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    log = folder / "server.log"
    with (
        ScriptedProvider(answer) as provider,
        langgraph_server(folder, {**provider.environment(), **(env or {})}, log) as url,
    ):
        yield url
    assert "BlockingError" not in log.read_text()


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError), urllib.request.urlopen(f"{url}/ok", timeout=2) as answer:
            if answer.status == 200:
                return url
        time.sleep(0.25)
    raise AssertionError(f"langgraph dev did not come up:\n{log.read_text()[-4000:]}")
