"""State and reports are for the eyes of whoever made them: files 0600, folders 0700, whatever the umask allows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

FOLDER = 0o700
FILE = 0o600


def make_folder(path: Path) -> Path:
    """Make a folder and what is missing above it; one that is there keeps its permissions.

    Raises:
        OSError: It cannot be made; `strerror` says why, of a link that leads nowhere or a file in its place, too.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    above = missing[-1].parent if missing else path
    if not above.is_dir():
        raise NotADirectoryError(20, f"{above} is a file, where a folder is needed", str(above))
    for folder in reversed(missing):
        if folder.is_symlink():
            raise FileNotFoundError(2, f"{folder} is a link that leads nowhere", str(folder))
        try:
            folder.mkdir(FOLDER)
        except FileExistsError:
            if not folder.is_dir():  # else another process was quicker
                raise
    return path


def open_private(path: Path, mode: str, **how: Any) -> IO[Any]:
    """`path.open(mode, …)`; a file that is made now is nobody else's to read."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, FILE), **how)


def write_private(path: Path, text: str) -> None:
    """`path.write_text(text)` as UTF-8; a file that is made now is nobody else's to read."""
    with open_private(path, "w", encoding="utf-8") as file:
        file.write(text)


def readable_by_others(path: Path) -> bool:
    """Whether anybody but its owner may look at what is there."""
    return os.name == "posix" and path.exists() and bool(path.stat().st_mode & 0o077)
