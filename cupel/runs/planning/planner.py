"""From a table and a run log to the plan of a run."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

import numpy as np

from cupel.context import RunContext
from cupel.limits import Limits, closest_limits
from cupel.models import BATCH_SHARE, ModelId, estimate_tokens, price, resolve_models, takes_batches
from cupel.routing import Prerouter
from cupel.runlog import RunLog
from cupel.runs.planning.assumptions import CALLS_RATIO, INPUT_RATIO, OUTPUT_RATIO, Steps
from cupel.runs.planning.estimates import Drawn, Population, certain, mean_of, ratio_of
from cupel.runs.planning.history import Step, read_history
from cupel.runs.planning.plan import CheapOnly, Plan, TierPlan
from cupel.runs.planning.sizes import ROLES, Role, Size, SizedDocument, Sizer
from cupel.runs.planning.wording import assumptions_of
from cupel.tables import Table
from cupel.task import TaskSpec
from cupel.text import TextIndex, usable_text

SAMPLE = 200
SEED = 7

_NOTHING = Size(0, 0.0, 0.0)
_HERE = ("offline", "recorded", "scripted")
_HERE_S = 0.05
"""Latency of a provider that answers in this process."""


async def plan_run(
    table: Table,
    task: TaskSpec,
    context: RunContext,
    *,
    run_log: RunLog | None = None,
    env: Mapping[str, str] = os.environ,
    concurrency: int = 16,
    graph: str = "enrich",
    near_duplicates: float | None = None,
    batch: bool = False,
    limits: Mapping[str, Limits] | None = None,
    router: Prerouter | None = None,
    sample: int = SAMPLE,
    seed: int = SEED,
) -> Plan:
    """Estimate a run without asking any model.

    A uniform sample of the rows, drawn with `seed` over the whole table, is rendered with the task's
    prompts. How far documents go, how long answers are and how long they take comes from the run log's
    history of this task and these models where there is any, and from stated defaults where there is not.

    Args:
        table: The documents.
        task: What is to be extracted.
        context: The run's settings.
        run_log: Where history is looked up; None for none.
        env: Variables that name models and prices.
        concurrency: Documents worked on at once, for the time.
        graph: The graph the run will go through; only its own history counts.
        near_duplicates: Similarity from which a row takes over an earlier one's record; None for equal texts only.
        batch: By the providers' batch APIs: cheaper, and nobody knows how long they take.
        limits: What a person allows each model, as `read_limits` has it; a day's limit counts as one of any period.
        router: A learnt router of texts that sends some to the strong model at once.
        sample: How many rows to render, at most.
        seed: Of the sample and of the intervals.

    Raises:
        SettingError: For an unknown profile, provider or price.
        TaskError: For a prompt that cannot be rendered.
    """
    sizer = Sizer(task, context, resolve_models(context, env))
    rng = np.random.default_rng(seed)
    planner = _Planner(sizer, run_log, env, concurrency, rng, batch, limits or {}, router)
    look = Look(near_duplicates=near_duplicates, size=sample, seed=seed)
    return await asyncio.to_thread(planner.plan, table, graph, look)


class Look(NamedTuple):
    """How a table is looked at."""

    near_duplicates: float | None
    size: int
    seed: int


@dataclass(slots=True)
class Seen:
    """A table looked through: which of its rows will be asked about."""

    documents: list[SizedDocument] = field(default_factory=list)
    """Of a uniform sample of the rows, those that can be asked about."""

    sampled: int = 0
    asked: int = 0
    """Rows of the whole table that will be asked about."""

    unusable: int = 0
    repeats: int = 0


def look_through(table: Table, look: Look) -> Seen:
    """Count the rows that cannot be asked about or repeat an earlier one, and keep a sample of the texts.

    The sample is drawn with equal chance from the whole table, in its order; all of a short one.
    """
    wanted = set(random.Random(look.seed).sample(range(table.total), min(look.size, table.total)))
    seen, texts, first = Seen(sampled=len(wanted)), TextIndex(look.near_duplicates), None
    for number, row in enumerate(table):
        if row.problem or usable_text(row.text)[1] is not None:
            seen.unusable += 1
            continue
        if texts.twin_of(row) is not None:
            seen.repeats += 1
            continue
        seen.asked += 1
        first = first or SizedDocument.of(row.text, row.doc_id, row.inputs)
        if number in wanted and (document := SizedDocument.of(row.text, row.doc_id, row.inputs)):
            seen.documents.append(document)
    if first and not seen.documents:  # all that were drawn repeat another or cannot be asked about
        seen.documents.append(first)
    return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tier:
    """One tier's quantities with their draws, before they are summed up."""

    role: Role
    model: str
    steps: Drawn
    calls: Drawn
    input_tokens: Drawn
    output_tokens: Drawn
    cost: Drawn | None
    waiting: Drawn | None
    seen: int

    def plan(self) -> TierPlan:
        """For a reader."""
        return TierPlan(
            tier=self.role,
            model=self.model,
            steps_per_document=self.steps.estimate(),
            calls=self.calls.estimate().outwards(),
            input_tokens=self.input_tokens.estimate(),
            output_tokens=self.output_tokens.estimate(),
            cost_usd=None if self.cost is None else self.cost.estimate(),
            seconds=None if self.waiting is None else self.waiting.estimate(),
            seen=self.seen,
        )


@dataclass(frozen=True, slots=True)
class _Planner:
    sizer: Sizer
    run_log: RunLog | None
    env: Mapping[str, str]
    concurrency: int
    rng: np.random.Generator
    batch: bool
    limits: Mapping[str, Limits]
    router: Prerouter | None

    def plan(self, table: Table, graph: str, look: Look) -> Plan:
        sizer, seen = self.sizer, look_through(table, look)
        history = read_history(self.run_log, sizer, graph)
        skipped = self._skipped(seen.documents)
        steps = Steps(history, sizer.context, sizer.models, seen.asked, self.rng, skipped=skipped)
        population = Population(len(seen.documents), seen.asked, self.rng)
        sizes = [sizer.sizes(document) for document in seen.documents]
        tiers = [
            self._tier(role, population, sizes, steps.of[role], history.steps[role])
            for role in ROLES
            if sizer.model_of(role) and steps.of[role].draws.any()
        ]
        plans = tuple(tier.plan() for tier in tiers)
        waiting = [tier.waiting for tier in tiers if tier.waiting is not None]
        windows = [len(sizer.windows(each.text)) for each in seen.documents]
        tokens = [estimate_tokens(each.text) for each in seen.documents]
        return Plan(
            task=sizer.task.name,
            input_name=table.name,
            documents=table.total,
            sampled=seen.sampled,
            unusable=seen.unusable,
            repeats=seen.repeats,
            windows=population.total(windows).estimate(),
            document_tokens=population.total(tokens).estimate(),
            tiers=plans,
            calls=_sum([tier.calls for tier in tiers]).estimate().outwards(),
            input_tokens=_sum([tier.input_tokens for tier in tiers]).estimate(),
            output_tokens=_sum([tier.output_tokens for tier in tiers]).estimate(),
            cost_usd=_sum([tier.cost for tier in tiers if tier.cost is not None]).estimate(),
            cheap_only=self._cheap_only(population, sizes, history.steps["cheap"]),
            unpriced=tuple(dict.fromkeys(tier.model for tier in tiers if tier.cost is None)),
            seconds=_sum(waiting).estimate() if len(waiting) == len(tiers) else None,
            concurrency=self.concurrency,
            shares={name: share.estimate() for name, share in steps.shares().items()},
            history=len(history.walks),
            answered=self._answered(seen.documents),
            assumptions=(
                *self._terms(skipped),
                *assumptions_of(plans, history, sizer.models, sampled=seen.sampled, documents=table.total),
            ),
            seed=look.seed,
        )

    def _tier(
        self,
        role: Role,
        population: Population,
        sizes: list[dict[Role, Size]],
        steps: Drawn,
        seen: list[Step],
    ) -> _Tier:
        totals: dict[str, Drawn] = {}
        for name, default in (
            ("calls", CALLS_RATIO), ("input_tokens", INPUT_RATIO), ("output_tokens", OUTPUT_RATIO),
        ):  # fmt: skip
            used, guessed = [
                [getattr(side, name) for side in sides] for sides in (seen, [s.guessed for s in seen])
            ]
            sampled = [getattr(size.get(role, _NOTHING), name) for size in sizes]
            totals[name] = population.total(sampled) * steps * ratio_of(used, guessed, default, self.rng)
        asked = population.total([float(role in size) for size in sizes]) * steps
        model = self.sizer.model_of(role)
        return _Tier(
            role=role,
            model=model,
            steps=steps,
            cost=self._cost(model, totals["input_tokens"], totals["output_tokens"], _cached_share(seen)),
            waiting=self._waiting(model, asked, seen, totals),
            seen=len(seen),
            **totals,
        )

    def _cheap_only(
        self, population: Population, sizes: list[dict[Role, Size]], seen: list[Step]
    ) -> CheapOnly:
        alone = self._tier("cheap", population, sizes, certain(1.0), seen)
        cost = None if alone.cost is None else alone.cost.estimate()
        return CheapOnly(alone.calls.estimate().outwards(), cost)

    def _cost(self, model: str, sent: Drawn, said: Drawn, cached: float) -> Drawn | None:
        usd = price(model, self.env)
        if usd is None:
            return None
        whole = sent * ((1 - cached) * usd.input + cached * usd.cached_input) + said * usd.output
        return whole * BATCH_SHARE if self._is_batched(model) else whole

    def _is_batched(self, model: str) -> bool:
        return self.batch and takes_batches(model)

    def _waiting(
        self, model: str, steps: Drawn, seen: list[Step], totals: Mapping[str, Drawn]
    ) -> Drawn | None:
        """Waiting for a tier's answers, shared by as many documents as are worked on at once, or as its limits allow."""
        if self._is_batched(model):
            return None
        pace = self._pace(model, totals)
        at_once = min(self.concurrency, closest_limits(self.limits, model).concurrency or self.concurrency)
        if seen:
            latency = mean_of([step.latency_s for step in seen], 0, self.rng)
            return at_least(steps * latency * (1 / at_once), pace)
        if ModelId.parse(model).provider in _HERE:
            return at_least(steps * (_HERE_S / at_once), pace)
        return pace if pace.point > 0 else None

    def _pace(self, model: str, totals: Mapping[str, Drawn]) -> Drawn:
        """The least time a person's own limits leave for a tier: a bucket is full at first, then it refills evenly."""
        tokens = totals["input_tokens"] + totals["output_tokens"]
        paces = [
            at_least((amount + certain(-limit)) * (period_s / limit), certain(0.0))
            for unit, limit, period_s in closest_limits(self.limits, model).rates()
            for amount in [totals["calls"] if unit == "requests" else tokens]
        ]
        return reduce(at_least, paces, certain(0.0))

    def _skipped(self, documents: list[SizedDocument]) -> float:
        """Share of the sample that the pre-router sends to the strong model at once."""
        if self.router is None or not documents:
            return 0.0
        return float(np.mean(self.router.gain([each.text for each in documents]) >= self.router.threshold))

    def _terms(self, skipped: float) -> Iterator[str]:
        """What of the figures comes from how the run is to be made."""
        if self.router is not None:
            yield f"the pre-router sends {skipped:.0%} of the documents looked at to the strong model at once"
        if self.batch:
            models = [self.sizer.model_of(role) for role in ROLES]
            taken = sorted({model for model in models if model and takes_batches(model)})
            yield (
                f"batch jobs of {', '.join(taken) or 'none of these models'} at {BATCH_SHARE:.0%} of the price; a provider "
                "may take a day for each wave of them"
            )

    def _answered(self, documents: list[SizedDocument]) -> int | None:
        """How many documents have all their first answers in the run log."""
        model = self.sizer.models.cheap
        if self.run_log is None or not model:
            return None
        keys = [[request.key for request in self.sizer.extractions(model, each)] for each in documents]
        answers = self.run_log.responses_of([key for each in keys for key in each])
        return sum(all(key in answers for key in each) for each in keys)


def at_least(some: Drawn, least: Drawn) -> Drawn:
    """The larger of two quantities, in every draw."""
    return Drawn(max(some.point, least.point), np.maximum(some.draws, least.draws))


def _cached_share(seen: list[Step]) -> float:
    sent = sum(step.input_tokens for step in seen)
    return sum(step.cached_tokens for step in seen) / sent if sent else 0.0


def _sum(parts: list[Drawn]) -> Drawn:
    return sum(parts, certain(0.0))
