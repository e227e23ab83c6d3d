"""gepa's engine let loose in the simulated worlds of the gate: the real search, guards and gate, no model."""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import world

from cupel.improvement.dev_trials import Tried
from cupel.improvement.engines.gepa import divide
from cupel.improvement.engines.gepa_search import Proposed, Search, SearchLimits
from cupel.improvement.failure_clusters import Failure
from cupel.improvement.guards import propose
from cupel.improvement.versions import rule_rows, rules_of
from cupel.metrics.pairs import Scored
from cupel.task.rendering import compact


class Simulated:
    """Answers a search from a world: what a rewriter's rules do is known, and drawn once per candidate."""

    def __init__(self, place: world.World, rewriter: world.Rewriter, seed: int) -> None:
        self.place, self._rewriter = place, rewriter
        self._drawing = random.Random(f"gepa {seed}")
        self._runs: dict[str, dict[str, Scored]] = {compact(rule_rows(world.RULES)): place.run_old()}
        self._liked: dict[str, dict[str, float]] = {}
        self.problems: list[str] = []

    def runs(self, rules: str) -> dict[str, Scored]:
        """What a candidate makes of every document."""
        return self._runs[rules]

    async def try_prompt(self, rules: str, ids: Sequence[str]) -> Tried:
        """Scores as the judge it is tuned by gives them; every wrong document has a failure."""
        liked = self._liked.get(rules, {})
        scores = {doc_id: liked.get(doc_id, self._runs[rules][doc_id].score) for doc_id in ids}
        wrong = [doc_id for doc_id in ids if scores[doc_id] < 1]
        failures = [Failure(doc_id=d, criterion="c", prompt_version="v", critique="missed") for d in wrong]
        return Tried(scores, tuple(failures))

    async def propose_prompt(self, rules: str, _failures: Sequence[Failure]) -> Proposed:
        """The rewriter's reply through the guards, each with a rule id of its own."""
        reply, effect = self._rewriter(self.place, self._drawing)
        if isinstance(reply, dict) and reply.get("edits"):
            reply["edits"][0]["rule_id"] = f"new_{len(self._runs)}"
        old = replace(world.TASK, rules=rules_of(json.loads(rules)))
        made = propose(reply, old, failures=self.place.failures, leaks=self.place.leaks, room=world.ROOM)
        if made.task is None:
            self.problems.append(made.reason)
            return Proposed(None, made.reason)
        text = compact(rule_rows(made.task.rules))
        new = self.place.run_new(effect, self._drawing)
        self._runs[text] = new
        self._liked[text] = {
            doc_id: 1.0 if self._drawing.random() < effect.dev_bonus else run.score
            for doc_id, run in new.items()
        }
        return Proposed(text, "")


def one_campaign(rewriter: world.Rewriter, seed: int) -> world.Trial:
    """A search and, where it found something, the gate's first look."""
    place = world.World(seed, dev=80)
    asked = Simulated(place, rewriter, seed)
    best = asyncio.run(_searched(asked, seed))
    if best is None:
        return world.Trial(
            promoted=False, reason="; ".join(dict.fromkeys(asked.problems)) or "no candidate", decision=None
        )
    return world.show_gate(place, rules_of(json.loads(best)), asked.runs(best), world.Notebook(), None)


async def _searched(asked: Simulated, seed: int) -> str | None:
    place = asked.place
    failing = sorted(place.failures.values())
    passing = sorted(set(place.split.dev) - set(failing))
    sides = divide(failing, passing, {doc_id: place.documents[doc_id].group for doc_id in place.split.dev})
    search = Search(
        prompt=compact(rule_rows(world.RULES)), learn=sides.learn, choose=sides.choose,
        base=dict.fromkeys(failing, 0.0) | dict.fromkeys(passing, 1.0), failing=frozenset(failing), seed=seed, limits=SearchLimits(),
        asking=asked, loop=asyncio.get_running_loop(), context=contextvars.copy_context(),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        best = await asyncio.to_thread(search.run, Path(folder))
    if search.fault is not None:
        raise search.fault
    return best
