"""A deployed server that does the documents in place of this machine: reached, and asked what it offers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cupel.context import RunContext, run_context
from cupel.runs import Job, Runner
from cupel.task import TaskSpec

if TYPE_CHECKING:
    from cupel.project import Project
    from cupel.runs import Offer, Server


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answered, and what it offers."""

    server: Server
    offer: Offer

    def task(self, name: str, inputs: Iterable[str]) -> TaskSpec:
        """A task of the server's.

        Raises:
            SettingError: If it has none of that name; the text names those it has.
        """
        return self.offer.task(name, inputs).spec()

    @staticmethod
    def context(settings: Mapping[str, Any]) -> RunContext:
        """The settings that are sent: what was told, and nothing of this machine's."""
        return run_context(settings, {})

    def runner(self, job: Job, project: Project, *, wait_s: float, tell: Callable[[str], None]) -> Runner:
        """What sends a job's documents there."""
        from cupel.runs import ServerRunner

        return ServerRunner(job, self.server, self.offer, project, wait_s=wait_s, tell=tell)


@asynccontextmanager
async def reach(
    url: str, key: str, *, wait_s: float, connections: int, tell: Callable[[str], None]
) -> AsyncIterator[Reached]:
    """A server, for as long as the context is open.

    Raises:
        CupelError: If it is away for longer than `wait_s`, refuses the key, or is none of Cupel's.
    """
    from cupel.runs import Server, ask_offer

    async with Server(url, key, wait_s=wait_s, connections=connections, tell=tell) as server:
        yield Reached(server, await ask_offer(server))
