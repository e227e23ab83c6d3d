"""What this machine may be short of: open files, memory, room on a disk. It is never a document's fault."""

from __future__ import annotations

import errno
import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

SPARE_FILES = 24
"""Files a run opens beside its connections: run log, output, report, certificates, modules, a resolver's socket."""

LEAST_CONNECTIONS = 4
"""With room for fewer connections than this nothing is begun."""

_FILES = "too many files are open ({said}); allow more (`ulimit -n 4096`) or work on fewer documents at once (--concurrency)"
_DISK = (
    "no room is left to write ({said}); free some, also where temporary files go (TMPDIR), or write elsewhere"
)
_MEMORY = "no memory is left ({said}); work on fewer documents at once (--concurrency), or end other programs"
_SHORT = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
    errno.ENOSPC: _DISK,
    errno.EDQUOT: _DISK,
    errno.EFBIG: _DISK,
    errno.EIO: "a disk or device cannot be read or written ({said}); look at the system's log",
}
_NUMBERED = re.compile(r"\[Errno (\d+)\]")


def shortage(error: BaseException) -> str | None:
    """What this machine is short of, and what helps, if that is what an exception or anything behind it means.

    >>> shortage(OSError(5, "Input/output error", "/data/in.csv"))
    "a disk or device cannot be read or written (/data/in.csv: Input/output error); look at the system's log"
    >>> shortage(ConnectionRefusedError(111, "Connection refused")) is None
    True
    """
    return next((said for one in chain(error) if (said := _shortage(one)) is not None), None)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, then everything behind it, each once: causes, contexts that were not cut off, members of groups.

    What libraries keep in attributes of their own is behind it too: `os_error` (aiohttp), `orig` (SQLAlchemy).
    """
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        context = None if one.__suppress_context__ else one.__context__
        kept = (getattr(one, "os_error", None), getattr(one, "orig", None))
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        behind = (one.__cause__, *kept, *members, context)
        waiting.extend(each for each in behind if isinstance(each, BaseException))


def _shortage(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return _MEMORY.format(said=str(error) or "MemoryError")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return f"no further thread can be started ({error}); allow more (`ulimit -u`), or end other programs"
    # TLS and name resolution have numbers of their own, which mean other things
    if not isinstance(error, OSError) or _is_numbered_otherwise(error):
        return None
    numbers = [error.errno] if error.errno else [int(one) for one in _NUMBERED.findall(str(error))]
    short = next((number for number in numbers if number in _SHORT), None)
    if short is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return _SHORT[short].format(said=f"{where}{os.strerror(short)}")


def _is_numbered_otherwise(error: OSError) -> bool:
    if isinstance(error, ssl.SSLError) or isinstance(getattr(error, "os_error", None), ssl.SSLError):
        return True
    return any(base.__name__ in {"gaierror", "herror"} for base in type(error).__mro__)


def connections_at_once() -> int | None:
    """How many connections this process may open beside what it has open and will need; None where nothing says so.

    The limit on open files is raised as far as the system lets a process do that by itself.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit on sockets
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or soft < hard):
        wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        except (ValueError, OSError):  # macOS allows less than it says
            wanted = soft
        soft = max(soft, wanted)
    if soft == resource.RLIM_INFINITY:
        return None
    return max(0, soft - _open_files() - SPARE_FILES)


def _open_files() -> int:
    for listing in ("/proc/self/fd", "/dev/fd"):
        try:
            return sum(1 for _ in Path(listing).iterdir())
        except OSError:
            continue
    return 16
