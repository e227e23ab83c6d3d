"""How files are written: no link is followed, and state and reports are for the eyes of whoever made them.

A folder that came from elsewhere may hold a link in the place of any file that is written there, to any file of ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

FOLDER = 0o700
FILE = 0o600
"""What is private, whatever the umask allows."""

SHARED = 0o666
"""What belongs to the project, as prompts and data sets do: the umask says who reads it."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)


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


def open_private(path: Path, mode: str, *, permissions: int = FILE, **how: Any) -> IO[Any]:
    """`path.open(mode, …)` of a file that is no link; one that is made now is nobody else's to read.

    Raises:
        OSError: It cannot be opened so; `strerror` says why.
    """
    if path.is_symlink():
        raise FileExistsError(17, f"is a link to {path.readlink()}, and no link is followed", str(path))
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | NO_LINK, permissions), **how)


def write_whole(path: Path, content: str | bytes, *, permissions: int = FILE) -> None:
    """Write bytes, or a text as UTF-8, whole or not at all; a link that stands there is replaced, and what it leads to stays.

    Raises:
        OSError: It cannot be written; nothing of it is there then.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(17, "is no regular file", str(path))
    part = path.with_name(f".{path.name[:40]}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        part.unlink()  # of a killed process of the same number
    try:
        with open_private(part, "xb", permissions=permissions) as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


def readable_by_others(path: Path) -> bool:
    """Whether anybody but its owner may look at what is there."""
    return os.name == "posix" and path.exists() and bool(path.stat().st_mode & 0o077)
