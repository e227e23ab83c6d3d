"""Whose an exception is: a document's, a provider's, this machine's, the run log's, or a bug's; however it is wrapped."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import ssl

import httpx
import pytest
import sqlalchemy.exc
from hypothesis import given, strategies as st

from cupel.errors import (
    BadRequestError,
    BudgetExceededError,
    CircuitOpenError,
    DocumentBudgetError,
    InputError,
    MachineError,
    ProviderDownError,
    ProviderOutageError,
    ProviderRefusedError,
    RecordingMissingError,
    RunLogError,
    SettingError,
)
from cupel.limits.classify import blame, ending_of
from cupel.models.errors import ProviderCallError, ProviderConnectionError, ProviderTimeoutError

MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
AWAY = (
    errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN, errno.ECONNABORTED, errno.ETIMEDOUT,
    errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH,
)  # fmt: skip
"""Numbers of a connection that failed."""


def numbered(number):
    """As the system raises it: OSError chooses the class by the number."""
    return OSError(number, os.strerror(number))


def gone(kind):
    """A database error as SQLAlchemy raises it, around the driver's own."""
    return kind("SELECT 1", {}, sqlite3.OperationalError("database or disk is full"))


OTHER_OS_ERRORS = [
    numbered(number) for number in sorted(set(errno.errorcode) - {*MACHINE, *AWAY}) if number < 120
]
KINDS = {
    "machine": [
        *map(numbered, MACHINE),
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError("Multiple exceptions: [Errno 24] Too many open files, [Errno 24] Too many open files"),
        MachineError("no room"),
    ],
    "run_log": [
        RunLogError("locked"),
        gone(sqlalchemy.exc.OperationalError),
        gone(sqlalchemy.exc.InterfaceError),
        sqlite3.OperationalError("database is locked"),
    ],
    "provider": [
        *map(numbered, AWAY),
        TimeoutError(),
        ssl.SSLError(ssl.SSL_ERROR_SSL, "certificate verify failed"),
        ssl.SSLEOFError(5, "the number of EIO, and no disk in sight"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        ProviderTimeoutError("no answer"),
        ProviderConnectionError("no connection"),
        ProviderCallError("overloaded", status=503),
        ProviderOutageError("still failing"),
        CircuitOpenError("known to be down"),
    ],
    "row": [
        BadRequestError("too long"),
        DocumentBudgetError("spent"),
        RecordingMissingError("no answer"),
        ProviderCallError("too long", status=400),
        RecursionError(),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    ],
    "run": [
        BudgetExceededError("spent"),
        ProviderDownError("down"),
        ProviderRefusedError("wrong key"),
        SettingError("impossible"),
        InputError("no such file"),
    ],
    "bug": [
        KeyError("a"),
        ValueError("b"),
        AssertionError(),
        ZeroDivisionError(),
        sqlalchemy.exc.InvalidRequestError("no"),
        *OTHER_OS_ERRORS,
    ],
}
GRAVITY = ["run", "machine", "run_log", "provider", "row", "bug"]

errors = st.sampled_from([(kind, error) for kind, each in KINDS.items() for error in each])


def caused(outer, inner):
    """An exception raised from another one."""
    try:
        raise outer from inner
    except type(outer) as raised:
        return raised


def met(outer, inner):
    """An exception raised while another one was being handled."""
    try:
        try:
            raise inner
        except type(inner):
            raise outer  # noqa: B904 - without `from`: that is the case
    except type(outer) as raised:
        return raised


WRAPPERS = {
    "a cause": lambda error: caused(ValueError("the node failed"), error),
    "a context": lambda error: met(ValueError("the node failed"), error),
    "a group": lambda error: ExceptionGroup("two failed", [ValueError("b"), error]),
    "a group in a group": lambda error: ExceptionGroup("out", [ExceptionGroup("in", [error]), KeyError()]),
    "nothing": lambda error: error,
}


@pytest.mark.parametrize(
    ("kind", "error"),
    [(kind, e) for kind, each in KINDS.items() for e in each],
    ids=lambda part: repr(part)[:60],
)
def test_every_exception_has_one_it_belongs_to(kind, error):
    """Nothing of the space is left to chance."""
    assert blame(error) == kind


@given(errors, st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=4))
def test_wrapping_changes_nothing_about_whose_it_is(named, wrappers):
    """Causes, contexts and groups, in any order and depth."""
    kind, error = named
    for wrapper in wrappers:
        error = WRAPPERS[wrapper](error)

    assert blame(error) == kind


@given(st.lists(errors, min_size=1, max_size=5))
def test_of_several_at_once_the_gravest_decides(named):
    """A full disk among ten bad documents ends the run, and is no document's fault."""
    group = ExceptionGroup("several", [error for _, error in named])

    assert blame(group) == min((kind for kind, _ in named), key=GRAVITY.index)


@given(errors, st.sampled_from(sorted(WRAPPERS)))
def test_a_run_ends_for_what_is_no_documents_fault_and_for_nothing_else(named, wrapper):
    """What ends it is one of ours, with the exit code that says whose it is."""
    kind, error = named

    ends = ending_of(WRAPPERS[wrapper](error))

    if kind in ("provider", "row", "bug"):
        assert ends is None
    elif kind == "machine":
        assert isinstance(ends, MachineError)
        assert ends.exit_code == 6
    elif kind == "run_log":
        assert isinstance(ends, RunLogError)
    else:
        assert ends is error


def test_a_context_that_was_cut_off_says_nothing():
    """`from None`: whoever raised it took care of what was before."""
    error = met(ValueError("this row is no number"), numbered(errno.ENOSPC))
    error.__suppress_context__ = True

    assert blame(error) == "bug"
