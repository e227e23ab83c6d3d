"""The side gepa's engine calls, in a thread of its own: documents by name, scores, edits, and when to stop."""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

from cupel.files import open_private
from cupel.improvement.dev_trials import Tried
from cupel.improvement.failure_clusters import Failure
from cupel.redaction import redact

T = TypeVar("T")

COMPONENT = "prompt"
"""The one text gepa evolves: rules, labels and examples as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLimits:
    """When a search ends, whatever else; money is capped by the campaign's own budget, over all calls.

    Attributes:
        proposals: Times a rewriter is asked.
        bad: Proposals in a row that no candidate came of.
        idle: Turns in a row that made nothing better.
        wall_s: Seconds.
        minibatch: Documents reflected on at a time, two in three of them failing.
    """

    proposals: int = 12
    bad: int = 3
    idle: int = 6
    wall_s: float = 3_600.0
    minibatch: int = 6


@dataclass(frozen=True, slots=True)
class Proposed:
    """A new prompt as JSON; None where there is none, and why."""

    prompt: str | None
    problem: str


class Asks(Protocol):
    """What a search asks of the event loop."""

    async def try_prompt(self, prompt: str, ids: Sequence[str]) -> Tried:
        """Documents under a candidate."""

    async def propose_prompt(self, prompt: str, failures: Sequence[Failure]) -> Proposed:
        """A new prompt from failures."""


class Loader:
    """Documents under names that say which side they are on: gepa's own are bare positions, alike on both."""

    def __init__(self, side: str, ids: Sequence[str]) -> None:
        self._documents = {f"{side}:{at:05d}": doc_id for at, doc_id in enumerate(ids)}

    def all_ids(self) -> list[str]:
        """Every name, in order."""
        return list(self._documents)

    def fetch(self, ids: Sequence[str]) -> list[str]:
        """The ids of our documents."""
        return [self._documents[name] for name in ids]

    def __len__(self) -> int:
        return len(self._documents)


class Minibatches:
    """Failing documents with passing anchors beside them, drawn by seed."""

    def __init__(self, failing: Collection[str], size: int, seed: int) -> None:
        self._failing = frozenset(failing)
        self._size = size
        self._drawing = random.Random(f"gepa {seed}")

    def next_minibatch_ids(self, loader: Loader, _state: Any) -> list[str]:
        """Names of the next documents to reflect on."""
        names = loader.all_ids()
        # two in three fail where there are enough that pass: a minibatch of failures alone rewards a rule that breaks
        # everything else
        wrong = [name for name in names if loader.fetch([name])[0] in self._failing]
        right = [name for name in names if name not in set(wrong)]
        most = min(len(wrong), max(1, self._size - min(len(right), self._size // 3)))
        return [
            *self._drawing.sample(wrong, most),
            *self._drawing.sample(right, min(len(right), self._size - most)),
        ]


@dataclass(kw_only=True)
class Search:
    """One run of gepa's engine: its adapter, its proposer and its stopper in one."""

    prompt: str
    learn: Sequence[str]
    choose: Sequence[str]
    base: Mapping[str, float]
    """Document id → its score under the prompt as it is: stands in where a candidate's could not be had."""

    failing: frozenset[str]
    """What the prompt as it is gets wrong: minibatches are mostly drawn from these."""

    seed: int
    limits: SearchLimits
    asking: Asks
    loop: asyncio.AbstractEventLoop
    context: contextvars.Context

    propose_new_texts: None = None
    """gepa looks for it: edits come from `propose_prompt` instead."""

    def __post_init__(self) -> None:
        self.fault: BaseException | None = None
        self.stopped = ""
        self._pending: Future[Any] | None = None
        self._cancelled = False
        self._began = time.monotonic()
        self._best = -math.inf
        self._proposals = self._bad = self._idle = self._metric_calls = 0
        self._problems: list[str] = []
        self._values: list[float] = []

    def run(self, folder: Path) -> str | None:
        """Search; returns the best candidate, None where nothing beat the prompt as it is."""
        try:
            return self._run(folder)
        except Exception as error:  # noqa: BLE001 - a fault of gepa itself costs the candidate, not the campaign
            if self.fault is None:
                self.stopped = redact(f"gepa failed: {type(error).__name__}: {error}")
            return None

    def _run(self, folder: Path) -> str | None:
        import gepa.api

        optimize: Any = gepa.api.optimize  # its own annotations ask for subclasses; the protocols are met

        with open_private(folder / "search.log", "w", encoding="utf-8") as log:
            result = optimize(
                seed_candidate={COMPONENT: self.prompt}, trainset=Loader("learn", self.learn),
                valset=Loader("choose", self.choose), adapter=self, custom_candidate_proposer=self.propose_prompt,
                batch_sampler=Minibatches(self.failing, self.limits.minibatch, self.seed), stop_callbacks=self.stops,
                logger=SimpleNamespace(log=lambda line: log.write(f"{line}\n")),  # a file, never the terminal
                run_dir=str(folder), cache_evaluation=False, track_best_outputs=False, seed=self.seed,
                raise_on_exception=True,
            )  # fmt: skip
        self._values = [round(value, 6) for value in result.val_aggregate_scores]
        self.stopped = self.stopped or "gepa.stop was put into its folder"
        return str(result.best_candidate[COMPONENT]) if result.best_idx else None

    def evaluate(self, batch: list[str], candidate: Mapping[str, str], capture_traces: bool = False) -> Any:
        """Scores of these documents, each in [0, 1]; gepa reads its adapter's `EvaluationBatch`."""
        from gepa.core.adapter import EvaluationBatch

        tried = self._await(self.asking.try_prompt(candidate[COMPONENT], batch))
        self._metric_calls += len(batch)
        traces = [[failure for failure in tried.failures if failure.doc_id == doc_id] for doc_id in batch]
        scores = [self._score(tried.scores, doc_id) for doc_id in batch]
        trajectories = traces if capture_traces else None
        return EvaluationBatch(outputs=[None] * len(batch), scores=scores, trajectories=trajectories)

    def _score(self, scores: Mapping[str, float], doc_id: str) -> float:
        # a document nobody could score speaks neither for nor against the candidate
        score = scores.get(doc_id, self.base[doc_id])
        if not (math.isfinite(score) and 0 <= score <= 1):
            self.fault = ValueError(f"document {doc_id!r}: its score {score!r} is not in [0, 1]")
            raise self.fault
        return score

    def make_reflective_dataset(self, _candidate: Any, batch: Any, _components: Any) -> dict[str, Any]:
        """The minibatch's failures: causes in words, no document."""
        rows = [{"failure": failure} for failures in batch.trajectories for failure in failures]
        return {COMPONENT: rows}

    def propose_prompt(
        self, candidate: Mapping[str, str], dataset: Mapping[str, Any], _components: Any
    ) -> dict[str, str]:
        """A new prompt, or nothing: then gepa spends nothing on this turn."""
        if self._ends_now():
            return {}
        self._proposals += 1
        failures = [row["failure"] for row in dataset[COMPONENT]]
        proposed = self._await(self.asking.propose_prompt(candidate[COMPONENT], failures))
        if proposed.prompt is None:
            self._bad += 1
            self._problems.append(proposed.problem)
            return {}
        self._bad = 0
        return {COMPONENT: proposed.prompt}

    def stops(self, state: Any) -> bool:
        """Whether the search ends, asked before every turn; `stopped` says why."""
        # a turn without a proposal costs gepa nothing: a budget of its calls alone would never end such a search
        best = max(state.program_full_scores_val_set)
        self._idle = 0 if best > self._best else self._idle + 1
        self._best = max(best, self._best)
        limits = self.limits
        reasons = (
            (self._ends_now(), "it was stopped"),
            (best >= 1, "every document it chooses by is right"),
            (self._bad >= limits.bad, f"{self._bad} proposals in a row could not be used"),
            (self._proposals >= limits.proposals, f"the rewriter was asked {self._proposals} times"),
            (self._idle >= limits.idle, f"{self._idle} turns in a row made nothing better"),
            (time.monotonic() - self._began > limits.wall_s, f"it took longer than {limits.wall_s:g} s"),
        )
        self.stopped = next((why for met, why in reasons if met), "")
        return bool(self.stopped)

    def _ends_now(self) -> bool:
        return self._cancelled or self.fault is not None

    def cancel(self) -> None:
        """End soon, from the event loop: nobody waits for this search any more."""
        self._cancelled = True
        if self._pending is not None:
            self._pending.cancel()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work in the event loop, as part of the run that began the search.

        What it raises ends the search and is raised again in the loop: gepa would try a proposal once more.
        """
        # the context of the campaign, or the call would be booked to no run; a copy, since it may be entered only once
        self._pending = self.context.copy().run(asyncio.run_coroutine_threadsafe, work, self.loop)
        if self._cancelled:  # meanwhile, while there was nothing to cancel yet
            self._pending.cancel()
        try:
            result: T = self._pending.result()
        except BaseException as error:
            self.fault = self.fault or error
            raise
        finally:
            self._pending = None
        return result

    def trail(self) -> dict[str, Any]:
        """The search in figures."""
        return {
            "proposals": self._proposals, "metric_calls": self._metric_calls, "scores": self._values,
            "stopped": self.stopped, "problems": list(dict.fromkeys(self._problems)),
        }  # fmt: skip

    def account(self) -> str:
        """Why there is no candidate, in words."""
        unused = "".join(f"; {problem}" for problem in dict.fromkeys(self._problems))
        return f"gepa found nothing better in {self._proposals} proposals: {self.stopped}{unused}"
