"""Ctrl-C, SIGTERM and SIGHUP, the same for every command: the first asks it to stop, the second ends it.

    first  ──→ nothing new is sent; what is in flight lands, within `--stop-within`; the command saves, and says how to go on
    second ──→ nothing is waited for; what came back is committed, or kept in a file, within two seconds

A thread of its own hears them, for the event loop may be held up by whatever is to be ended: a full pipe, a database that
does not answer, a cluster that does not close.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn, Self

INTERRUPTED = 130
"""The exit code of a command that was asked to stop, whatever else went wrong on the way."""

GRACE_S = 1.2
"""How long it may take to let go, once nothing is waited for any more."""

_EXIT_S = 0.8
"""What the end itself may take, on a machine that has other things to do: keeping answers in a file, and a sentence."""

_INTERRUPTED_TEXT = "interrupted; the same command goes on where this one stopped"
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # there is no SIGHUP on Windows
_stop_within_s = 20.0


def set_stop_within(seconds: float) -> float:
    """How long what is in flight may take after the first signal; what `--stop-within` calls."""
    global _stop_within_s  # noqa: PLW0603  # one for the process, as its signals are
    _stop_within_s = seconds
    return seconds


class Signals:
    """The signals that were heard while a command ran; use as a context."""

    def __init__(self) -> None:
        self._heard = 0
        """Signals the listening thread has taken."""

        self._seen = 0
        """Signals Python has told the main thread of, sooner or later than the listening one."""

        self._told = threading.Event()
        self._ends_at: float | None = None
        self._before: dict[int, Any] = {}
        self._hears, self._speaks = socket.socketpair()
        self._speaks.setblocking(False)
        self._thread = threading.Thread(target=self._listen, name="cupel-signals", daemon=True)

    @property
    def asked(self) -> int:
        """How often the command was asked to stop."""
        return max(self._heard, self._seen)

    def __enter__(self) -> Self:
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        for number in numbers:
            # nohup has SIGHUP ignored, and means it
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
                self._before[number] = signal.signal(number, self._interrupt)
        self._wakeup = signal.set_wakeup_fd(self._speaks.fileno(), warn_on_full_buffer=False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.asked:
            for number in self._before:  # else Python, on its way out, would let the next one kill it
                signal.signal(number, signal.SIG_IGN)
            # the command may be through before it was said that it was asked to stop
            self._told.wait(_EXIT_S)
            self.hurry()  # all is told and saved: threads that hang are not waited for
            return
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._speaks.close()

    def hurry(self) -> None:
        """All is saved: what still hangs is ended soon."""
        self._ends_at = min(self._ends_at or float("inf"), time.monotonic() + GRACE_S)
        self._speaks.send(b"\0")

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """In the main thread: where nothing asks a model, a signal simply ends what is going on."""
        self._seen += 1
        if self._seen == 1 and not _engine("is_asking"):
            raise KeyboardInterrupt

    def _listen(self) -> None:
        while True:
            left_s = None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())
            if select.select([self._hears], [], [], left_s)[0]:
                numbers = self._hears.recv(64)
                if not numbers:
                    self._hears.close()
                    return
                for _ in range(sum(number in self._before for number in numbers)):
                    self._hear()
            elif self._ends_at is not None and time.monotonic() >= self._ends_at:
                _end()

    def _hear(self) -> None:
        self._heard += 1
        now = time.monotonic()
        if self._heard == 1:
            within_s = max(0.0, _stop_within_s - GRACE_S - _EXIT_S)
            asking = _engine("stop_asking", within_s)
            self._ends_at = now + (max(_stop_within_s - _EXIT_S, GRACE_S) if asking else GRACE_S)
            _say(_stopping(_engine("sent_calls")) if asking else _INTERRUPTED_TEXT)
            self._told.set()
        elif self._heard == 2:
            self._ends_at = min(self._ends_at or now + GRACE_S, now + GRACE_S)
            _engine("drop_calls")


def leave(code: int) -> NoReturn:
    """End the process now: taking an interpreter down in order can take seconds, and all is told and saved.

    Args:
        code: The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _engine(name: str, *given: Any) -> Any:
    """What the engine makes of it; nothing where it was never imported, and so nothing was asked."""
    engine = sys.modules.get("cupel.engine.runtime")
    function = getattr(engine, name, None)
    return function(*given) if function is not None else None


def _stopping(sent: int) -> str:
    if not sent:
        return "stopping: nothing new is sent to a model; what is finished is being saved"
    calls = "1 call is" if sent == 1 else f"{sent} calls are"
    return (
        f"stopping: nothing new is sent to a model. {calls} in flight: waited for, {_stop_within_s:g} s at most. "
        "Once more (Ctrl-C) ends it at once: what comes back later is then paid, and asked again"
    )


def _end() -> None:
    """Whatever hangs: keep what was paid for, say so, and be gone."""
    kept = _engine("rescue_answers") or 0
    answers = (
        "" if not kept else f" ({kept} paid answers are kept in a file until the run log can be written)"
    )
    _say(f"ended before all was let go; the same command goes on where this one stopped{answers}")
    os._exit(INTERRUPTED)


def _say(text: str) -> None:
    """A line on stderr, past all buffers: who holds their locks may be what hangs."""
    with contextlib.suppress(OSError, ValueError):
        if os.name == "nt" or select.select([], [2], [], 0)[1]:  # else a full pipe that nobody empties
            os.write(2, f"{text}\n".encode(errors="replace"))


@contextlib.contextmanager
def outlast_readers() -> Iterator[None]:
    """Let stdout and stderr go quiet inside once nobody reads them any more, as behind a closed terminal."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Outlasting(sys.stdout), _Outlasting(sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class _Outlasting:
    """A stream whose reader may go away."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if anybody reads it."""
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._quieten(error)
            return len(text)

    def flush(self) -> None:
        """Pass on what is written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._quieten(error)

    def _quieten(self, error: OSError) -> None:
        import errno

        if error.errno not in {errno.EPIPE, errno.EIO}:  # a full disk is not to be passed over
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
