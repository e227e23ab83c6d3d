"""How files are written, and texts read: no link is written through, and state and reports are for the eyes of whoever made them.

A folder that came from elsewhere may hold a link in the place of any file that is written there, to any file of ours.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

FOLDER = 0o700
FILE = 0o600
"""What is private, whatever the umask allows."""

SHARED = 0o666
"""What belongs to the project, as prompts and data sets do: the umask says who reads it."""

STATE = ".cupel"
"""The folder of a project's state. What is in it is Cupel's own: a link in there was laid by somebody else."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def refuse_links(path: Path) -> None:
    """See that no link stands between a state folder and a file or folder in it; of other paths nothing is asked.

    The state folder itself may be one, to a larger disk, where the project is trusted (`cupel.project`).

    Raises:
        OSError: A link does; `strerror` says where it leads.
    """
    names = path.parts
    if STATE not in names:
        return
    below = len(names) - names[::-1].index(STATE)
    for end in range(below + 1, len(names) + 1):
        if (part := Path(*names[:end])).is_symlink():
            raise OSError(
                errno.ELOOP,
                f"{part} is a link to {part.readlink()}, and no link in {STATE} is followed",
                str(part),
            )


def make_folder(path: Path) -> Path:
    """Make a folder and what is missing above it; one that is there keeps its permissions.

    Raises:
        OSError: It cannot be made; `strerror` says why, of a link that leads nowhere or a file in its place, too.
    """
    refuse_links(path)
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
    refuse_links(path.parent)
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | NO_LINK, permissions), **how)


def write_whole(path: Path, content: str | bytes, *, permissions: int = FILE) -> None:
    """Write bytes, or a text as UTF-8, whole or not at all; a link that stands there is replaced, and what it leads to stays.

    Raises:
        OSError: It cannot be written; nothing of it is there then.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(17, "is no regular file", str(path))
    refuse_links(path.parent)
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


def read_text(path: Path) -> str:
    """What a person or Cupel wrote there, in UTF-8 with or without a byte order mark; nothing is waited for.

    Raises:
        OSError: It cannot be read, is no regular file (a pipe would be waited for, a device has no end), or is not UTF-8.
    """
    require_regular(path)
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        where = content.count(b"\n", 0, error.start) + 1
        raise OSError(
            errno.EILSEQ, f"is not UTF-8: line {where} has the byte {content[error.start]:#04x}", str(path)
        ) from error


def full_path(path: Path) -> Path:
    """Where a path leads, as far as it leads anywhere: one that links to itself is its own name, and no exception."""
    return Path(os.path.realpath(path))


def require_regular(path: Path) -> None:
    """See that a file is one that has an end.

    Raises:
        OSError: It is not there, or is a pipe, a device or a socket; `strerror` says which.
    """
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    if not stat.S_ISREG(kind):
        names = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise OSError(
            errno.EINVAL, f"is {names.get(stat.S_IFMT(kind), 'a device')}, no regular file", str(path)
        )


def readable_by_others(path: Path) -> bool:
    """Whether anybody but its owner may look at what is there."""
    return os.name == "posix" and path.exists() and bool(path.stat().st_mode & 0o077)
