"""The command line in this process: its own arguments, folder, environment and streams, and `main` as it is installed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cupel import redaction
from cupel.cli import main
from cupel.project import environment


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int | str | None
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr


def command(folder: Path, *args: object, env: dict[str, str] | None = None) -> Done:
    """A command to its end; what it set in the environment is put back, and what it came to know forgotten."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, _environment():
        patch.setattr(redaction, "_known", redaction._Known())
        patch.setattr(environment, "_from_project", {})
        patch.setattr(environment, "_said", set())
        patch.setattr(sys, "argv", ["cupel", *map(str, args)])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.chdir(folder)
        os.environ.update(env or {})
        with pytest.raises(SystemExit) as ended:
            main()
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Done(ended.value.code, *texts)


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
