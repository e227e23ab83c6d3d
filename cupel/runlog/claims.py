"""Which process asks what, so that two runs on one run log do not pay for the same answer twice.

A request under way is a lock on one byte of a file beside the SQLite file; its key says which byte. The system gives
the locks of a process back when it ends, however it ends: no claim outlives a kill -9. Within a process they never
stand in the way. Where files cannot be locked so, and on PostgreSQL, every claim is granted.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from cupel.files import FILE, NO_LINK, full_path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module, or none


@dataclass(slots=True)
class _OpenFile:
    number: int
    users: int = 0


_open_files: dict[Path, _OpenFile] = {}
"""One for all run logs of the process on it: closing any other would end the claims of this one."""


class Claims:
    """The claims of one process.

    Args:
        url: SQLAlchemy URL of the run log.
    """

    def __init__(self, url: str) -> None:
        lockable = url.startswith("sqlite:///") and fcntl is not None
        self._path = (
            full_path(Path(url.removeprefix("sqlite:///"))).with_suffix(".claims") if lockable else None
        )
        self._file: _OpenFile | None = None

    def take(self, key: str) -> bool:
        """Whether nobody else is asking this; then this process is.

        Args:
            key: A request's key, in hexadecimal digits.
        """
        if self._path is None:
            return True
        try:
            fcntl.lockf(self._number(self._path), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
        except (BlockingIOError, PermissionError):  # what "held by another" is called varies
            return False
        except OSError:
            self._path = None  # no such locks here: better asked twice than not at all
        return True

    def give_back(self, key: str) -> None:
        """Let others ask it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file.number, fcntl.LOCK_UN, 1, _byte(key))

    def close(self) -> None:
        """Give back what this run log claimed, at the latest when the last one of the process is closed."""
        file, self._file = self._file, None
        if file is not None and self._path is not None:
            file.users -= 1
            if not file.users:
                _open_files.pop(self._path, None)
                os.close(file.number)

    def _number(self, path: Path) -> int:
        if self._file is None:
            if path not in _open_files:
                _open_files[path] = _OpenFile(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, FILE))
            self._file = _open_files[path]
            self._file.users += 1
        return self._file.number


def _byte(key: str) -> int:
    return int(key[:15], 16)
