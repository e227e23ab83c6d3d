"""What nobody foresaw: a sentence for the person, the details in a file, and nothing of a library's on the terminal."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from cupel.cli._streams import behind, shown
from cupel.files import make_folder, open_private
from cupel.project import find_project
from cupel.redaction import redact, remember_secrets

UNFORESEEN = 70
"""Exit code of what Cupel did not foresee (EX_SOFTWARE of sysexits.h): no code of ours, and no lost comparison."""

USAGE, SHORT = 2, 6
_SHORTAGES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_GOES_ON = "what is finished is kept: the same command goes on from there"
_MOST_NOTES, _MOST_SHOWN = 200, 300
_ENDLESS = re.compile(r"\S{400,}")


class Details:
    """A file of this process for what is not said on the terminal; made when there is something to write."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.serious = False
        """Whether something beside the work went wrong, not only something to be wary of."""

        self._notes = 0

    def add(self, text: str) -> Path | None:
        """Write something down, without secrets; where it is, or None where nothing could be written."""
        with suppress(OSError, ValueError):
            remember_secrets(os.environ)
            with self._open() as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {redact(text).rstrip()}\n\n")
            return self.path
        return None

    def note(self, text: str, *, serious: bool) -> None:
        """Write down what a library said; not without end."""
        self._notes += 1
        if self._notes <= _MOST_NOTES:
            self.add(text)
        self.serious = self.serious or serious

    def _open(self) -> IO[Any]:
        if self.path is None:
            self.path = _new_file()
        return open_private(self.path, "a", encoding="utf-8", errors="backslashreplace")


def _new_file() -> Path:
    """In the project's state folder where there is one, else in the system's for such."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    with suppress(Exception):
        state = find_project().state
        if state.is_dir():
            return make_folder(state / "trouble") / name
    return Path(tempfile.mkdtemp(prefix="cupel-")) / name


class _Handler(logging.Handler):
    """Takes what no other handler takes."""

    def __init__(self, details: Details) -> None:
        super().__init__(logging.WARNING)
        self._details = details
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record down."""
        with suppress(Exception):
            if record.name.partition(".")[0] == "cupel":  # our own words are for the person
                say(f"note: {record.getMessage()}")
                return
            self._details.note(self.format(record), serious=record.levelno >= logging.ERROR)


@contextmanager
def overheard() -> Iterator[Details]:
    """Inside, what libraries warn of or fail with beside the work is written down, not sent to the terminal."""
    details = Details()
    before = logging.lastResort, warnings.showwarning, threading.excepthook, sys.unraisablehook

    def warned(message: Any, category: Any, filename: str, lineno: int, *_: Any, **__: Any) -> None:
        details.note(warnings.formatwarning(message, category, filename, lineno), serious=False)

    def unraisable(failed: Any) -> None:
        said = "".join(traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback))
        details.note(f"{failed.err_msg or 'ignored'} {failed.object!r}\n{said}", serious=False)

    def in_thread(failed: Any) -> None:
        said = "".join(traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback))
        details.note(f"in the thread {failed.thread}\n{said}", serious=True)

    logging.lastResort, warnings.showwarning = _Handler(details), warned
    threading.excepthook, sys.unraisablehook = in_thread, unraisable
    try:
        yield details
    finally:
        if details.serious and details.path is not None:
            say(f"note: something beside the work went wrong; the details are in {details.path}")
        logging.lastResort, warnings.showwarning, threading.excepthook, sys.unraisablehook = before


def explain(error: BaseException, details: Details) -> int:
    """Say what nobody foresaw in a sentence; returns the exit code."""
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        where = _short(error.filename) if error.filename else "what there is to write has no place"
        say(f"Machine: {where}: {error.strerror}; {_GOES_ON} when there is room")
        return SHORT
    if isinstance(error, MemoryError):
        say(f"Machine: the memory is full; {_GOES_ON}, with fewer documents at once (--concurrency)")
        return SHORT
    if isinstance(error, OSError) and error.filename is not None:
        say(f"Usage: {_short(error.filename)}: {error.strerror}; choose another path, or change this one")
        return USAGE
    if isinstance(error, RecursionError):
        path = details.add("".join(traceback.format_exception(error, limit=-20)))
        say(
            f"Input: something is nested deeper than can be followed; where, is in {path}. {_GOES_ON.capitalize()}."
        )
        return USAGE
    path = details.add(f"{' '.join(sys.argv)}\n{''.join(traceback.format_exception(error))}")
    kept = f"the details are in {path}" if path is not None else "the details could not be written anywhere"
    said = _short(str(error).strip() or "no reason given")
    say(
        f"Unforeseen: {type(error).__name__}: {said}\n{kept}; please report them. What was paid is in the run log, and {_GOES_ON}."
    )
    return UNFORESEEN


def say(text: str) -> None:
    """A line for the person, without secrets; nobody may be there to read it."""
    import typer

    remember_secrets(os.environ)
    line = _ENDLESS.sub(lambda word: f"{word[0][:200]}…{word[0][-40:]}", shown(redact(text)))
    with suppress(OSError, ValueError):
        # past the filter, which would show our own red instead of sending it
        typer.secho(line, file=behind(sys.stderr), fg="red" if not text.startswith("note") else None)


def finish_output() -> int | None:
    """Write what is still to be written to stdout; the exit code where that fails, None where it does not."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        # Python would try again as it ends, and say so in its own way
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            return None
        say(f"Machine: the output could not be written: {getattr(error, 'strerror', None) or error}")
        return SHORT
    return None


def _short(text: object) -> str:
    shown = str(text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
