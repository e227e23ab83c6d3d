"""A file written beside its target, which it replaces in one step: no reader ever sees half a result."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO, cast

from cupel.errors import MachineError, OutputPathError, shortage
from cupel.files import NO_LINK, SHARED

try:
    import fcntl
except ImportError:  # Windows has no advisory locks; two runs into one file are then not told apart
    fcntl = None  # type: ignore[assignment]  # a module, or none


class PartFile:
    """The unfinished result, `.NAME.part` beside the target, held by one process at a time.

    One left by a killed run is simply written anew. No symbolic link is followed, neither the target's nor the part's:
    whoever laid the folder out could have pointed it at any file of ours.

    Raises:
        OutputPathError: If it cannot be written there, or another run is writing it.
    """

    def __init__(self, target: Path) -> None:
        _refuse_impossible(target)
        self.target = target.parent.resolve() / target.name
        self.path = self.target.with_name(f".{self.target.name}.part")
        try:
            self.file = _lock(self.path, target)
            self.file.truncate(0)
        except OSError as error:
            if (short := shortage(error)) is not None:
                raise MachineError(f"{target}: {short}") from None
            raise OutputPathError(
                f"{target}: cannot be written: {error.strerror or error}; choose another --out"
            ) from None

    def publish(self) -> None:
        """Put the file in the target's place, safely on disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.path.replace(self.target)
        self.file.close()

    def discard(self) -> None:
        """Remove the file; the target stays as it was."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what a full disk refuses to take is not wanted any more
            self.file.close()


def _refuse_impossible(target: Path) -> None:
    if target.is_symlink():
        msg = f"{target}: is a link to {target.readlink()}; name the file itself, or choose another --out"
    elif target.is_dir():
        msg = f"{target}: is a folder; name a file in it"
    elif not target.parent.is_dir():
        msg = f"{target}: there is no folder {str(target.parent)!r}; create it, or choose another --out"
    elif target.exists() and not target.is_file():
        msg = f"{target}: is not a regular file; choose another --out"
    elif target.exists() and not os.access(target, os.W_OK):
        msg = f"{target}: exists and is read-only; choose another --out"
    else:
        return
    raise OutputPathError(msg)


def _lock(part: Path, target: Path) -> IO[bytes]:
    """Open and lock the part file; another process may rename or remove it between the two, hence the loop."""
    while True:
        file = cast("IO[bytes]", os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | NO_LINK, SHARED), "r+b"))
        if fcntl is None:
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise OutputPathError(
                f"{target}: another run is writing it ({part.name}); wait for it, or choose another --out"
            ) from None
        if part.exists() and os.path.samestat(part.stat(), os.fstat(file.fileno())):
            return file
        file.close()
