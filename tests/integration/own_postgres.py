"""A PostgreSQL server of a test's own, on a free port and under a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


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
        """For CUPEL_DATABASE_URL."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, name, *args):
        subprocess.run(
            [str(self._programs / name), *args], check=True, user=self._user, cwd="/", stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self):
        """Return once it takes connections."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-o", options, "-l", "/dev/null", "start")

    def stop(self, mode="fast"):
        """Return once it is down; `immediate` is as if it had been killed."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def end(self):
        """Stop it, if it runs."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")


@contextmanager
def own_postgres() -> Iterator[Postgres]:
    """A server in a folder that its user may enter, gone afterwards; a skip where none is installed."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        postgres = Postgres(Path(folder) / "server")
        try:
            yield postgres
        finally:
            postgres.end()
