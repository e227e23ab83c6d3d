"""One campaign at a time works on a task: in a terminal, in Studio or on a server alike.

A campaign holds its task's lock from step to step and a moment longer, so that nobody slips in between two steps. Who
waits for a person, was cancelled or killed holds nothing: another may work meanwhile, and the prompt's version tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from cupel.errors import RunLogError
from cupel.improvement.ledger import Ledger

LINGER_S = 3.0
"""How long a task stays held after a step: the next one begins within milliseconds, or never."""


@dataclass(slots=True)
class _Session:
    campaign: str
    lock: contextlib.ExitStack
    steps: int = 0
    """Steps of the campaign at work now."""

    timer: threading.Timer | None = None


_sessions: dict[tuple[Path, str], _Session] = {}
_guard = threading.Lock()
_entered: ContextVar[list[tuple[tuple[Path, str], str]] | None] = ContextVar("cupel_improving", default=None)


@contextlib.asynccontextmanager
async def step(*, last: bool = False) -> AsyncIterator[None]:
    """One step of a campaign; what it entered is left a moment after it, at once after a failure or the last one."""
    entered: list[tuple[tuple[Path, str], str]] = []
    token = _entered.set(entered)
    whole = False
    try:
        yield
        whole = True
    finally:
        _entered.reset(token)
        for key, campaign in entered:
            _leave(key, campaign, at_once=last or not whole)


async def enter(ledger: Ledger, task: str, campaign: str) -> None:
    """Hold a task for a campaign until the step ends; outside a step nothing is held.

    Raises:
        RunLogError: If another process, or another campaign of this one, works on the task.
    """
    entered, key = _entered.get(), (ledger.path, task)
    if entered is None or (key, campaign) in entered:
        return
    await asyncio.to_thread(_enter, ledger, task, campaign)
    entered.append((key, campaign))


def _enter(ledger: Ledger, task: str, campaign: str) -> None:
    key = (ledger.path, task)
    with _guard:
        session = _sessions.get(key)
        if session is not None and session.campaign != campaign:
            raise RunLogError(
                f"task {task!r} is being worked on by campaign {session.campaign} of this process; wait for it"
            )
        if session is None:
            lock = contextlib.ExitStack()
            lock.enter_context(ledger.session(task))
            session = _sessions[key] = _Session(campaign, lock)
        session.steps += 1
        if session.timer is not None:
            session.timer.cancel()
            session.timer = None


def _leave(key: tuple[Path, str], campaign: str, *, at_once: bool) -> None:
    with _guard:
        session = _sessions.get(key)
        if session is None or session.campaign != campaign:
            return
        session.steps -= 1
        if session.steps:
            return
        if at_once:
            _release(key, session)
            return
        session.timer = threading.Timer(LINGER_S, _lapse, (key, session))
        session.timer.daemon = True
        session.timer.start()


def _lapse(key: tuple[Path, str], session: _Session) -> None:
    with _guard:
        if _sessions.get(key) is session and not session.steps:
            _release(key, session)


def _release(key: tuple[Path, str], session: _Session) -> None:
    del _sessions[key]
    session.lock.close()
