"""One process at a time: a lock the operating system drops when its holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cupel.errors import RunLogError

_PAUSE_S = 0.05


@contextlib.contextmanager
def hold(path: Path, what: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on a file while the block runs.

    Args:
        path: The lock file; it stays behind, empty of meaning.
        what: What is locked, for the message.
        wait_s: How long to wait for another holder.

    Raises:
        RunLogError: If another process holds it that long, naming its process id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + wait_s
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                raise RunLogError(
                    f"{what} is being worked on by another process (id {_holder(path)}); wait for it"
                )
            time.sleep(_PAUSE_S)
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
        finally:
            _unlock(file)


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8").strip() or "unknown"
    return "unknown"


if sys.platform == "win32":  # pragma: no cover - the same promise by other means
    import msvcrt

    # a byte far beyond the process id, which others must be able to read
    _BYTE = 1 << 30

    def _try_lock(file: IO[str]) -> bool:
        file.seek(_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True

    def _unlock(file: IO[str]) -> None:
        file.seek(_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
