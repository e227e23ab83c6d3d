"""gepa behind our guards: it picks parents and keeps a Pareto front; calls, edits, money and the last word are ours.

It searches inside the development side, one half to learn from and one to choose by, in a thread of its own; every
call comes back to this event loop. Nothing it stores is read again: a campaign killed and started anew walks the same
search, answered from the run log.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import importlib.metadata
import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cupel.engine import current
from cupel.errors import UsageError
from cupel.files import make_folder, refuse_links
from cupel.improvement.dev_trials import Tried
from cupel.improvement.edits import MAX_EDITS, Action, Edit, contents_of
from cupel.improvement.engines.base import Brief, EngineReply
from cupel.improvement.engines.gepa_search import Proposed, Search, SearchLimits
from cupel.improvement.engines.reflect import Reflect
from cupel.improvement.failure_clusters import Failure, cluster, tell_rewriter
from cupel.improvement.guards import propose
from cupel.improvement.splits import group_hash
from cupel.improvement.versions import parts_of, version_of
from cupel.models import resolve_models
from cupel.task import TaskSpec, compact

GEPA = "0.1.4"
"""The release whose behaviour the guards were measured against."""

LEAST_FAILING = 2
"""A rule answers failures of two documents, so fewer on the learning side teach nothing."""


def check_gepa() -> None:
    """Refuse a missing or another gepa before anything is paid.

    Raises:
        UsageError: Naming the extra to install.
    """
    if importlib.util.find_spec("gepa") is None:
        raise UsageError("engine 'gepa' is an extra: pip install \"cupel[gepa]\", or use --engine reflect")
    installed = importlib.metadata.version("gepa")
    if installed != GEPA:
        raise UsageError(
            f"engine 'gepa' is made for gepa {GEPA}, {installed} is installed: pip install \"cupel[gepa]\", "
            "or use --engine reflect"
        )


@dataclass(frozen=True, slots=True)
class Sides:
    """The development documents once more in two: `learn` is reflected on, `choose` picks among candidates."""

    learn: tuple[str, ...]
    choose: tuple[str, ...]


def divide(failing: Sequence[str], passing: Sequence[str], groups: Mapping[str, str]) -> Sides:
    """Halve the documents by group, those that fail and those that pass each shared out in turn.

    Where a group goes depends on its name and on which others fail, not on the order of documents.

    >>> divide(["a", "b"], ["c"], {"a": "1", "b": "2", "c": "1"})
    Sides(learn=('b',), choose=('a', 'c'))
    """
    of_failing = {groups[doc_id] for doc_id in failing}
    order = sorted(set(groups.values()), key=lambda name: (name not in of_failing, group_hash(name, "gepa")))
    learn = set(order[::2])
    ids = sorted([*failing, *passing])
    learning = tuple(doc_id for doc_id in ids if groups[doc_id] in learn)
    return Sides(learning, tuple(doc_id for doc_id in ids if groups[doc_id] not in learn))


class Gepa:
    """A search of several rounds by gepa's engine; its best candidate comes back as edits, to be guarded like any."""

    def __init__(self, limits: SearchLimits | None = None) -> None:
        self._limits = limits or SearchLimits()

    async def propose(self, brief: Brief) -> EngineReply:
        """Search, and return the net edits of the best candidate; where there is none, why the search ended."""
        check_gepa()
        runtime = await current()
        if not resolve_models(brief.context, runtime.env).refiner:
            return EngineReply(None, "no rewriter is attached; set --refiner-model")
        dev = brief.dev
        sides = divide(dev.failing, dev.passing, dev.groups)
        if not sides.choose or len(set(sides.learn) & set(dev.failing)) < LEAST_FAILING:
            problem = f"too few failing documents in groups of their own to search on: {len(dev.failing)}"
            return EngineReply(None, problem)
        return await self._search(brief, sides, runtime.project.state)

    async def _search(self, brief: Brief, sides: Sides, state: Path) -> EngineReply:
        asking = Rewriter(brief)
        base = (await brief.dev.try_prompt(brief.task, (*sides.learn, *sides.choose))).scores
        search = Search(
            prompt=write_prompt(brief.task), learn=sides.learn, choose=sides.choose, base=base,
            failing=frozenset(brief.dev.failing), seed=brief.sample, limits=self._limits, asking=asking,
            loop=asyncio.get_running_loop(), context=contextvars.copy_context(),
        )  # fmt: skip
        folder = state / "gepa" / _name(brief, sides, self._limits)
        try:
            best = await asyncio.to_thread(_from_scratch, search, folder)
        except asyncio.CancelledError:
            search.cancel()
            raise
        if search.fault is not None:
            raise search.fault
        trail = search.trail() | {"gepa": GEPA, "folder": f"gepa/{folder.name}"}
        if best is None:
            return EngineReply(None, search.account(), trail=trail)
        edits, steps = asking.net(best)
        reply = {"edits": [edit.to_json() for edit in edits]}
        return EngineReply(reply, shown=asking.shown, steps=steps, trail=trail)


def _from_scratch(search: Search, folder: Path) -> str | None:
    """Run in an empty folder: a state or stop file left there would be obeyed without a word."""
    refuse_links(folder)
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    return search.run(folder)


def _name(brief: Brief, sides: Sides, limits: SearchLimits) -> str:
    decides = [
        GEPA, version_of(brief.task), brief.sample, sides.learn, sides.choose, brief.context.model_dump(), repr(limits),
    ]  # fmt: skip
    return hashlib.sha256(compact(decides).encode()).hexdigest()[:16]


def write_prompt(task: TaskSpec) -> str:
    """The parts of a prompt that may be edited, as the one text gepa evolves."""
    parts = parts_of(task)
    return compact({name: parts[name] for name in ("rules", "labels", "examples")})


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A prompt, the edits it was made by, and the replies they come from."""

    task: TaskSpec
    edits: tuple[Edit, ...] = ()
    steps: int = 0


class Rewriter:
    """What a search asks of us: documents tried under a prompt, and edits of it, both guarded.

    Prompts travel through gepa as JSON text, its one component; what comes back is looked up, never read.
    """

    def __init__(self, brief: Brief) -> None:
        self.shown: dict[str, str] = {}
        self._brief = brief
        self._asked = 0
        self._made = {write_prompt(brief.task): _Candidate(brief.task)}

    async def try_prompt(self, prompt: str, ids: Sequence[str]) -> Tried:
        """Documents under a candidate."""
        return await self._brief.dev.try_prompt(self._made[prompt].task, ids)

    async def propose_prompt(self, prompt: str, failures: Sequence[Failure]) -> Proposed:
        """A new prompt from the failures of one minibatch, by the same question and guards as `reflect` has."""
        self._asked += 1
        old, leaks = self._made[prompt], self._brief.dev.leaks
        told, shown = tell_rewriter(cluster(failures), leaks=leaks)
        self.shown |= shown
        brief = replace(
            self._brief, task=old.task, failures=told, shown=shown, sample=self._brief.sample * 100 + self._asked,
        )  # fmt: skip
        answer = await Reflect().propose(brief)
        if answer.problem:
            return Proposed(None, answer.problem)
        proposal = propose(
            answer.reply, old.task, failures=shown, leaks=leaks, room=brief.room, locked=brief.locked
        )
        if proposal.task is None:
            return Proposed(None, proposal.reason)
        text = write_prompt(proposal.task)
        if text in self._made:
            return Proposed(None, "the same candidate as before")
        self._made[text] = _Candidate(proposal.task, (*old.edits, *proposal.edits), old.steps + 1)
        return Proposed(text, "")

    def net(self, prompt: str) -> tuple[list[Edit], int]:
        """The edits that lead from the brief's prompt straight to a candidate, and the replies they come from."""
        made = self._made[prompt]
        last = {(edit.part, edit.name): edit for edit in made.edits}
        before, after = contents_of(self._brief.task), contents_of(made.task)
        net = []
        for key, edit in last.items():
            if key in after and before.get(key) != after[key]:
                action: Action = "replace" if key in before else "add"
                net.append(replace(edit, action=action))
            elif key not in after and key in before:
                net.append(replace(edit, action="delete"))
        return net, max(made.steps, -(-len(net) // MAX_EDITS))
