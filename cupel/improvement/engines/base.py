"""What an engine is told, what it may try, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cupel.context import RunContext
from cupel.improvement.failure_clusters import Failure
from cupel.improvement.guards import LeakGuard
from cupel.task import Rule, TaskSpec


@dataclass(frozen=True, slots=True)
class Tried:
    """What some rules made of some development documents.

    Attributes:
        scores: Document id → score in [0, 1]; a document nobody could score is not there.
        failures: What went wrong.
    """

    scores: Mapping[str, float]
    failures: tuple[Failure, ...]


class DevSide(Protocol):
    """The development documents, by their ids: rules can be tried on them, no text can be read."""

    @property
    def failing(self) -> Sequence[str]:
        """Documents the rules as they are get wrong."""

    @property
    def passing(self) -> Sequence[str]:
        """Documents they get right."""

    @property
    def groups(self) -> Mapping[str, str]:
        """Document id → its debate or speaker."""

    @property
    def leaks(self) -> LeakGuard:
        """Knows every document, those held out included."""

    async def tried(self, rules: Sequence[Rule], ids: Sequence[str]) -> Tried:
        """Run documents under other rules, from the run log where it knows them.

        Raises:
            StopRunError: When the campaign's budget or a daily limit was reached.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """All an engine may know: no document, and nothing of the held-out side."""

    task: TaskSpec
    context: RunContext
    failures: str
    """The causes in words, from `told_to_rewriter`."""

    shown: Mapping[str, str]
    """Failure id → document id."""

    mended: str
    tried: str
    sample: int
    """Number of the asking: another one asks anew, the same one is answered from the run log."""

    rules_tokens: int
    """Most tokens all rules of the prompt may take."""

    dev: DevSide


@dataclass(frozen=True, slots=True)
class EngineReply:
    """What an engine returns.

    Attributes:
        reply: A reply of `edits_schema`, relative to the brief's rules; None where there is none.
        problem: Why there is none; empty otherwise.
        model: Who was asked.
        shown: Failure id → document id of what was shown beyond the brief.
        steps: Replies the edits were gathered from; each of them may hold `MAX_EDITS`.
        trail: How the engine got there, for the ledger; nothing in it depends on time.
    """

    reply: Any
    problem: str
    model: str
    shown: Mapping[str, str] = field(default_factory=dict)
    steps: int = 1
    trail: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Proposes edits of rules. Whatever it returns is only a nominee.

    `propose` never raises for a bad reply: it returns the problem. It raises only what ends the campaign, a
    refused key or a reached budget. It sees nothing but its brief; every call it makes goes through
    `cupel.engine.ask.ask` or the brief's `dev`, so that it is counted, capped and never paid twice.
    """

    async def propose(self, brief: Brief) -> EngineReply:
        """Return edits for the failures told."""
