"""Runs of one thread, one after the other, on a server that would walk them all at once."""

from __future__ import annotations

import asyncio

_STOPS = ("interrupt", "rollback")
"""Strategies under which a run does not wait for those before it, but ends them."""


class Turns:
    """Which runs of a thread are under way, in the order they were asked for.

    LangGraph's own server keeps this order itself; where nothing is entered here, nobody waits.
    """

    def __init__(self) -> None:
        self._threads: dict[str, dict[str, asyncio.Task[None]]] = {}
        self._thread_of: dict[str, str] = {}

    def enter(self, thread: str, run: str, task: asyncio.Task[None], strategy: str | None) -> None:
        """Note a run that was begun; under `interrupt` and `rollback` those before it are ended.

        Args:
            thread: It is on this.
            run: Its id.
            task: What walks it.
            strategy: What is to become of those before it.
        """
        under_way = self._threads.setdefault(thread, {})
        if strategy in _STOPS:
            for earlier in under_way.values():
                earlier.cancel()
        under_way[run] = task
        self._thread_of[run] = thread
        task.add_done_callback(lambda _: self._leave(thread, run))

    def is_busy(self, thread: str) -> bool:
        """Whether a run is under way on the thread."""
        return thread in self._threads

    async def wait(self, run: str) -> None:
        """Return when the runs before this one on its thread have ended, however they did."""
        under_way = self._threads.get(self._thread_of.get(run, ""), {})
        runs = list(under_way)
        before = [under_way[earlier] for earlier in runs[: runs.index(run)]] if runs else []
        if before:
            await asyncio.wait(before)

    def _leave(self, thread: str, run: str) -> None:
        del self._thread_of[run]
        del self._threads[thread][run]
        if not self._threads[thread]:
            del self._threads[thread]


turns = Turns()
"""This process's."""
