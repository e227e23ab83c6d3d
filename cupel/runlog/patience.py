"""How long a database that is away is waited for: one that restarts, is locked by another program, or is full."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from cupel.errors import RunLogError, SettingError

T = TypeVar("T")

VARIABLE = "CUPEL_RUN_LOG_WAIT_S"
WAIT_S = 60.0

_TELL_S = 1.0
"""What takes less is not worth a word."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0

# https://www.sqlite.org/rescode.html: the low byte of an extended code says which it is
_BUSY, _LOCKED, _IOERR, _FULL, _CANTOPEN, _PROTOCOL = 5, 6, 10, 13, 14, 15

_NOT_YET = (
    "Connection refused", "No such file or directory", "No route to host", "Network is unreachable", "timed out",
    "timeout expired", "is starting up", "is shutting down", "in recovery mode", "not yet accepting connections",
    "too many clients", "connection slots are reserved", "closed the connection unexpectedly",
)  # fmt: skip
"""What PostgreSQL's client says where a server is not there yet; a connection that failed has no code, only words."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_NEVER = ("28", "3D", "3F", "42")
"""Classes of what no waiting mends: the login, the name of the database, what was asked of it."""


def wait_of(env: Mapping[str, str]) -> float:
    """Seconds to wait for a database that is away: `CUPEL_RUN_LOG_WAIT_S`, else a minute.

    Raises:
        SettingError: If it is no number from 0 up.
    """
    given = env.get(VARIABLE, "")
    try:
        wait_s = float(given or WAIT_S)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s < float("inf"):
        raise SettingError(f"{VARIABLE}={given!r}: seconds from 0 up, such as {WAIT_S:.0f}")
    return wait_s


def is_passing(error: Exception, *, opening: bool = False) -> bool:
    """Whether a database error may be over in a while.

    Args:
        error: What SQLAlchemy raised.
        opening: Nothing was asked of this database before: a file that cannot be opened, or a full disk, is then
            nothing to wait for, and neither is a login that is refused, or a host nobody knows.
    """
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        often = {_BUSY, _LOCKED, _PROTOCOL}
        return code & 0xFF in (often if opening else often | {_IOERR, _FULL, _CANTOPEN})
    if not isinstance(error, OperationalError | InterfaceError):
        return bool(error.connection_invalidated)
    state = getattr(error.orig, "sqlstate", None) or ""
    if opening:
        said = str(error.orig)
        return any(sign in said for sign in _NOT_YET)
    return not state.startswith(_NEVER)


class Patience:
    """The patience of one run log, counted from the first failure since the database last answered.

    Args:
        wait_s: How long it lasts.
        where: The database, without a password.
        explain: What an error means, in words.
    """

    def __init__(self, wait_s: float, where: str, explain: Callable[[Exception], str]) -> None:
        self._wait_s, self._where, self._explain = wait_s, where, explain
        self._away_since: float | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._told = False
        self._over = threading.Event()

    def wait(self, error: Exception) -> bool:
        """After a failure that may pass: wait a moment, and say whether another try is worth it."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since, self._pause_s = now, _FIRST_PAUSE_S
        away_s = now - self._away_since
        if self._over.is_set() or away_s >= self._wait_s:
            return False
        if away_s >= min(_TELL_S, self._wait_s / 2) and not self._told:
            self._told = True
            _log.warning(
                "the run log is away: %s. Waiting for it, %.0f s at most; nothing that was answered is lost",
                self._explain(error), self._wait_s,
            )  # fmt: skip
        self._over.wait(min(self._pause_s, self._wait_s - away_s))
        self._pause_s = min(1.5 * self._pause_s, _LONGEST_PAUSE_S)
        return True

    def restore(self) -> None:
        """It answered."""
        if self._away_since is None:
            return
        if self._told:
            _log.warning("the run log is back after %.0f s", time.monotonic() - self._away_since)
        self._away_since, self._told = None, False

    def end(self) -> None:
        """Wait no longer; from any thread."""
        self._over.set()

    def error(self, cause: Exception) -> RunLogError:
        """What to raise once it has run out, or where waiting mends nothing."""
        said = self._explain(cause)
        if self._away_since is None:
            return RunLogError(said)
        waited_s = time.monotonic() - self._away_since
        return RunLogError(
            f"{said}. It was waited for {waited_s:.0f} s; the same command goes on once it is back"
        )


def patiently(work: Callable[[], T], patience: Patience, *, opening: bool = False) -> T:
    """What a function makes of a database, tried again while it is away.

    Raises:
        RunLogError: When the patience has run out, or for what does not pass.
    """
    while True:
        try:
            result = work()
        except SQLAlchemyError as error:
            if is_passing(error, opening=opening) and patience.wait(error):
                continue
            raise patience.error(error) from error
        patience.restore()
        return result


_log = logging.getLogger("cupel")
