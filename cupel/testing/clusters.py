"""A Dask cluster of real processes on the loopback, and a PostgreSQL database that goes away again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_START_S = 60.0


@contextmanager
def database(server: str) -> Iterator[str]:
    """The URL of a new, empty database on a PostgreSQL server; dropped afterwards.

    Args:
        server: SQLAlchemy URL of any database there, by a user who may make others.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: If no PostgreSQL answers there.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url

    name = f"cupel_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


@contextmanager
def dask_workers(
    count: int, folder: Path, env: Mapping[str, str] = os.environ, *, threads: int = 2
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers, each a process of its own that a test may kill; nothing restarts them.

    Args:
        count: Workers.
        folder: Where they write.
        env: The environment of all of them.
        threads: Of each worker.

    Yields:
        The scheduler's address, and the workers' processes.
    """
    address = folder / "scheduler.json"
    common = ["--scheduler-file", str(address), "--no-dashboard", "--interface", "lo"]
    scheduler = _start(["distributed.cli.dask_scheduler", "--port", "0", *common], folder, env)
    worker = ["distributed.cli.dask_worker", "--no-nanny", "--nthreads", str(threads), *common]
    workers = [
        _start([*worker, "--local-directory", str(folder / f"worker-{number}")], folder, env)
        for number in range(count)
    ]
    try:
        _wait_for(address)
        yield str(json.loads(address.read_text())["address"]), workers
    finally:
        for process in (*workers, scheduler):
            process.terminate()
        for process in (*workers, scheduler):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(module: list[str], folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", *module], cwd=folder, env=dict(env), stdout=log, stderr=log
        )


def _wait_for(path: Path) -> None:
    until = time.monotonic() + _START_S
    while not (path.is_file() and path.read_text().strip().endswith("}")):
        if time.monotonic() > until:
            raise TimeoutError(
                f"the Dask scheduler did not start within {_START_S:g} s; see {path.parent}/dask.log"
            )
        time.sleep(0.05)
