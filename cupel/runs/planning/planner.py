"""From a table and a run log to the plan of a run."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cupel.context import RunContext
from cupel.models import ModelId, estimate_tokens, price, resolve_models
from cupel.runlog import RunLog
from cupel.runs.planning.assumptions import CALLS_RATIO, INPUT_RATIO, OUTPUT_RATIO, Steps
from cupel.runs.planning.estimates import Drawn, Population, certain, mean_of, ratio_of
from cupel.runs.planning.history import Step, read_history
from cupel.runs.planning.plan import Plan, TierPlan
from cupel.runs.planning.sizes import ROLES, Role, Size, SizedDocument, Sizer, model_of
from cupel.runs.planning.wording import assumptions_of
from cupel.tables import Row, Table
from cupel.task import TaskSpec

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
        sample: How many rows to render, at most.
        seed: Of the sample and of the intervals.

    Raises:
        SettingError: For an unknown profile, provider or price.
        TaskError: For a prompt that cannot be rendered.
    """
    sizer = Sizer(task, context, resolve_models(context, env))
    planner = _Planner(sizer, run_log, env, concurrency, np.random.default_rng(seed))
    return await asyncio.to_thread(planner.plan, table, graph, sample, seed)


def uniform_sample(table: Table, size: int, seed: int) -> list[Row]:
    """Rows drawn with equal chance from the whole table, in its order; all of a short one."""
    wanted = set(random.Random(seed).sample(range(table.total), min(size, table.total)))
    return [row for number, row in enumerate(table) if number in wanted]


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

    def plan(self, table: Table, graph: str, sample: int, seed: int) -> Plan:
        sizer = self.sizer
        rows = uniform_sample(table, sample, seed)
        documents = [
            None if row.problem else SizedDocument.of(row.text, row.doc_id, row.inputs) for row in rows
        ]
        usable = [document for document in documents if document is not None]
        history = read_history(self.run_log, sizer, graph)
        steps = Steps(history, sizer.context, sizer.models, table.total, self.rng)
        population = Population(len(rows), table.total, self.rng)
        sizes = [sizer.sizes(document) if document else {} for document in documents]
        tiers = [
            self._tier(role, population, sizes, steps.of[role], history.steps[role])
            for role in ROLES
            if model_of(role, sizer.models) and steps.of[role].draws.any()
        ]
        plans = tuple(tier.plan() for tier in tiers)
        waiting = [tier.waiting for tier in tiers if tier.waiting is not None]
        windows = [len(sizer.windows(each.text)) if each else 0 for each in documents]
        tokens = [estimate_tokens(each.text) if each else 0 for each in documents]
        return Plan(
            task=sizer.task.name,
            input_name=table.name,
            documents=table.total,
            sampled=len(rows),
            unusable=len(rows) - len(usable),
            windows=population.total(windows).estimate(),
            document_tokens=population.total(tokens).estimate(),
            tiers=plans,
            calls=_sum([tier.calls for tier in tiers]).estimate().outwards(),
            input_tokens=_sum([tier.input_tokens for tier in tiers]).estimate(),
            output_tokens=_sum([tier.output_tokens for tier in tiers]).estimate(),
            cost_usd=_sum([tier.cost for tier in tiers if tier.cost is not None]).estimate(),
            unpriced=tuple(dict.fromkeys(tier.model for tier in tiers if tier.cost is None)),
            seconds=_sum(waiting).estimate() if len(waiting) == len(tiers) else None,
            concurrency=self.concurrency,
            shares={name: share.estimate() for name, share in steps.shares().items()},
            history=len(history.walks),
            answered=self._answered(usable),
            assumptions=assumptions_of(
                plans, history, sizer.models, sampled=len(rows), documents=table.total
            ),
            seed=seed,
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
        model = model_of(role, self.sizer.models)
        return _Tier(
            role=role,
            model=model,
            steps=steps,
            cost=self._cost(model, totals["input_tokens"], totals["output_tokens"], _cached_share(seen)),
            waiting=self._waiting(model, asked, seen),
            seen=len(seen),
            **totals,
        )

    def _cost(self, model: str, sent: Drawn, said: Drawn, cached: float) -> Drawn | None:
        usd = price(model, self.env)
        if usd is None:
            return None
        return sent * ((1 - cached) * usd.input + cached * usd.cached_input) + said * usd.output

    def _waiting(self, model: str, steps: Drawn, seen: list[Step]) -> Drawn | None:
        """Waiting for a tier's answers, shared by as many documents as are worked on at once."""
        if seen:
            return steps * mean_of([step.latency_s for step in seen], 0, self.rng) * (1 / self.concurrency)
        if ModelId.parse(model).provider in _HERE:
            return steps * (_HERE_S / self.concurrency)
        return None

    def _answered(self, documents: list[SizedDocument]) -> int | None:
        """How many documents have all their first answers in the run log."""
        model = self.sizer.models.cheap
        if self.run_log is None or not model:
            return None
        keys = [[request.key for request in self.sizer.extractions(model, each)] for each in documents]
        answers = self.run_log.responses_of([key for each in keys for key in each])
        return sum(all(key in answers for key in each) for each in keys)


def _cached_share(seen: list[Step]) -> float:
    sent = sum(step.input_tokens for step in seen)
    return sum(step.cached_tokens for step in seen) / sent if sent else 0.0


def _sum(parts: list[Drawn]) -> Drawn:
    return sum(parts, certain(0.0))
