"""What an engine is told, what it may try, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cupel.context import RunContext
from cupel.improvement.dev_trials import DevTrials
from cupel.improvement.edits import Part
from cupel.improvement.guards import TokenRoom
from cupel.task import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """All an engine may know: no document, and nothing of the held-out side."""

    task: TaskSpec
    context: RunContext
    failures: str
    """The causes in words, from `tell_rewriter`."""

    shown: Mapping[str, str]
    """Failure id → document id."""

    mended: str
    tried: str
    sample: int
    """Number of the asking: another one asks anew, the same one is answered from the run log."""

    room: TokenRoom
    """Most tokens the prompt's parts may take."""

    dev: DevTrials
    """The development documents, by their ids: a prompt can be tried on them, no text can be read."""

    locked: Mapping[Part, str] = field(default_factory=dict)
    """Parts of the prompt that may not be edited, each with the reason."""


@dataclass(frozen=True, slots=True)
class EngineReply:
    """What an engine returns.

    Attributes:
        reply: A reply of `edits_schema`, relative to the brief's prompt; None where there is none.
        problem: Why there is none; empty otherwise.
        shown: Failure id → document id of what was shown beyond the brief.
        steps: Replies the edits were gathered from; each of them may hold `MAX_EDITS`.
        trail: How the engine got there, for the ledger; nothing in it depends on time.
    """

    reply: Any
    problem: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)
    steps: int = 1
    trail: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Proposes edits of a prompt. Whatever it returns is only a nominee.

    `propose` never raises for a bad reply: it returns the problem. It raises only what ends the campaign, a
    refused key or a reached budget. It sees nothing but its brief; every call it makes goes through
    `cupel.engine.ask.ask` or the brief's `dev`, so that it is counted, capped and never paid twice.
    """

    async def propose(self, brief: Brief) -> EngineReply:
        """Return edits for the failures told."""
