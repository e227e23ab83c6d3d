"""`python -m MODULE …` in processes of their own that share one start: what they need is imported once.

A started process waits; for every command it forks. What runs is a real process with its own environment, folder,
output and signals, and it ends as an interpreter does; only its imports were made before.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BEFOREHAND = {
    "cupel": (
        "cupel.cli.run", "cupel.runlog.lookup", "cupel.report.run_report", "cupel.cli.run_summary", "cupel.runs",
        "cupel.engine.batch.jobs", "cupel.cascade.routes", "cupel.cascade.judge", "cupel.limits.shared_gate", "cupel.cascade.prepare",
        "cupel.models.factory", "cupel.models.openai_chat", "cupel.models.connections", "cupel.runs.planning.planner",
        "cupel.cascade.refine", "cupel.report.page", "cupel.cascade.review", "cupel.runlog.store", "cupel.engine.ask",
        "cupel.tables.reading", "cupel.tables.writing", "cupel.tracing.tracer", "cupel.cascade.verify",
        "genai_prices.data_snapshot", "genai_prices.data", "langchain_core.language_models.chat_models",
        "langgraph.graph", "langsmith.client", "py3langid.langid", "rich.table", "sqlalchemy.dialects.sqlite",
        "sqlite3", "tiktoken", "aiohttp", "jsonschema",
    ),
    "distributed": (
        "distributed.cli.dask_scheduler", "distributed.cli.dask_worker", "dask.dataframe", "pandas",
        "distributed.http.scheduler.info", "distributed.http.worker", "distributed.dashboard",
        "cupel.api", "sqlalchemy.dialects.postgresql", "psycopg",
    ),
}  # fmt: skip
BEFOREHAND["distributed"] += BEFOREHAND["cupel"]
"""What is imported before the first fork."""


class Forked:
    """A command under way; as much of `subprocess.Popen` as tests ask of it.

    Args:
        command: A module, as after `python -m`, and its arguments.
        cwd: The folder it is in.
        env: The whole of its environment.
        package: Whose imports are made beforehand, one of `BEFOREHAND`.
        max_file_bytes: How large a file it may write, as on a full disk; None: as large as it likes.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        package: str = "cupel",
        max_file_bytes: int | None = None,
    ) -> None:
        self.args = list(command)
        self.returncode: int | None = None
        self._said = ("", "")
        # closed once it has ended
        self._files = (tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+"))  # noqa: SIM115
        report, told = os.pipe()
        self._report = os.fdopen(report, "rb", buffering=0)
        asked = {"command": self.args, "cwd": str(cwd), "env": dict(env), "max_file_bytes": max_file_bytes}
        given = [*(file.fileno() for file in self._files), told]
        socket.send_fds(_starter(package), [json.dumps(asked).encode()], given)
        os.close(told)
        self.pid = int(self._report.readline())

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it goes on."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = os.waitstatus_to_exitcode(int(self._report.readline()))
            self._report.close()
            self._said = (_whole(self._files[0]), _whole(self._files[1]))
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Its stdout and stderr, once it has ended."""
        self.wait(timeout)
        return self._said

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def run(
    command: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    timeout: float = 120,
    package: str = "cupel",
    max_file_bytes: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; one that takes too long is killed and raises `subprocess.TimeoutExpired`."""
    process = Forked(command, cwd=cwd, env=env, package=package, max_file_bytes=max_file_bytes)
    try:
        stdout, stderr = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(process.args, process.wait(), stdout, stderr)


def _whole(file):
    with file:
        file.seek(0)
        return file.read()


@functools.cache
def _starter(package: str) -> socket.socket:
    """The way to a process that has imported what this package's commands need."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = "import sys; from tests.integration.forked import serve; serve(int(sys.argv[1]), sys.argv[2])"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CUPEL_", "LANGSMITH_", "LANGCHAIN_"))}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(its.fileno()), package], cwd=ROOT,
        env={**clean, "PYTHONPATH": str(ROOT)}, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    its.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(descriptor: int, package: str) -> None:
    """Fork a process for every command that is asked for, until nobody can ask any more."""
    from cupel.cli._start import starting_soon

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with starting_soon():
        for name in BEFOREHAND[package]:
            importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=descriptor) as asking:
        while True:
            message, descriptors, _, _ = socket.recv_fds(asking, 1 << 20, 3)
            if not message:
                return
            if os.fork() == 0:
                asking.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _keep(json.loads(message), *descriptors)
                return
            for one in descriptors:
                os.close(one)


def _keep(asked, out: int, err: int, told: int) -> None:
    """In a process that tells its starter's client who runs and how it ended: returns in the one that runs only."""
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(asked, out, err)
        return
    os.close(out)
    os.close(err)
    os.write(told, f"{pid}\n".encode())
    os.write(told, f"{os.waitpid(pid, 0)[1]}\n".encode())
    os._exit(0)


def _become(asked, out: int, err: int) -> None:
    for given, wanted in ((out, 1), (err, 2)):
        os.dup2(given, wanted)
        os.close(given)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.modules["langsmith.utils"].get_env_var.cache_clear()
    if asked["max_file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["max_file_bytes"],) * 2)
    module, *args = asked["command"]
    sys.path[0] = asked["cwd"]
    sys.argv = [module, *args]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
