"""Async work from plain code: in a loop of its own, or in a thread where one runs already, as in a notebook."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar
from typing import Any, TypeVar

from cupel.api.live import is_interactive
from cupel.engine import STOP_WITHIN_S
from cupel.runs import Stop

T = TypeVar("T")


class Hand:
    """What a caller in another thread stops a run by: what is in flight lands, and the rows that are done come back."""

    def __init__(self) -> None:
        self._stop: Stop | None = None
        self._is_stopped = False

    def take(self, stop: Stop) -> None:
        """Know the run, which began in its own thread."""
        self._stop = stop
        if self._is_stopped:
            stop.interrupt()

    def stop(self) -> None:
        """End it, or have it end when it begins."""
        self._is_stopped = True
        if self._stop is not None:
            self._stop.interrupt()


held_by: ContextVar[Hand | None] = ContextVar("cupel_held_by", default=None)
"""Who may stop the call under way for what is done."""


def finish(work: Coroutine[Any, Any, T], *, partial: bool = False) -> T:
    """Run a coroutine to its end, wherever the caller is.

    Args:
        work: What is to be done.
        partial: Whether it can be stopped for what is done, by `held_by`: so it is where a person types.
    """
    hand = Hand() if partial and is_interactive() else None
    token = held_by.set(hand)
    try:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if hand is None:
                return asyncio.run(work)
        return _in_thread(work, hand)
    finally:
        held_by.reset(token)


def _in_thread(work: Coroutine[Any, Any, T], hand: Hand | None) -> T:
    """In another thread, with the caller's context; interrupted, it ends there as well.

    Args:
        work: What is to be done.
        hand: What the first interrupt stops it by, for its result; without one it is cancelled, and the interrupt goes on.
    """
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def begin() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    pool = ThreadPoolExecutor(1, "cupel-enrich")
    result = pool.submit(contextvars.copy_context().run, asyncio.run, begin())
    pool.shutdown(wait=False)
    try:
        return result.result()
    except KeyboardInterrupt:
        loop, task = started.result()
        try:  # as a first Ctrl-C does it elsewhere: nothing new is sent, and what is in flight lands
            if hand is not None and not loop.is_closed():
                loop.call_soon_threadsafe(hand.stop)
                return result.result(timeout=STOP_WITHIN_S + 1)
            _cancel(loop, task)
            wait([result], timeout=STOP_WITHIN_S + 1)
        except TimeoutError:
            _cancel(loop, task)
        except KeyboardInterrupt:  # and a second: nothing is waited for
            _cancel(loop, task)
        raise


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
    if task is not None and not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
