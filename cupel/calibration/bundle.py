"""Measure how far records of tasks that share a request agree with single ones, on one's own documents, and certify it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cupel._format import Shown
from cupel.calibration.confidence import store
from cupel.cascade import attempt_record, begin, conclude, take_up
from cupel.context import RunContext
from cupel.engine import (
    Bundle,
    BundleCertificate,
    TaskAgreement,
    bundle_path,
    bundled_prompt,
    current_asking,
)
from cupel.errors import NotEnoughDataError
from cupel.metrics import record_metric
from cupel.models import name_at_address
from cupel.project import Project
from cupel.routing import uniform_sample
from cupel.runlog import cost_of
from cupel.runs import Job, JointRun, Runner
from cupel.state import Call, Outcome
from cupel.stats import CONFIDENCE, mean_lower_bound
from cupel.tables import Row, Table
from cupel.task import TaskSpec

FEWEST = 30
"""Documents that could be compared, of every task."""


class AloneAndBundled:
    """A stand-in for the graph that asks the cheap model for one task's record alone, and with the other tasks'."""

    async def ainvoke(self, document: Mapping[str, Any], _config: object, *, context: RunContext) -> Outcome:
        """Both attempts, the single one first."""
        asking = current_asking()
        state = await begin(document, asking)
        if state["problem"] is None:
            work = await take_up(state, context, asking)
            single = await attempt_record(work, replace(asking, bundle=None), "cheap")
            bundled = await attempt_record(work, asking, "cheap")
            state["attempts"] = [single, {**bundled, "number": 2}]
        state["path"] = ["prepare", "extract"]
        return conclude(state)


@dataclass(slots=True)
class Measured:
    """What both ways of asking gave of one task, document by document."""

    agreements: list[float] = field(default_factory=list)
    """Of each document's bundled record with its single one, in [0, 1]."""

    unlabelled: int = 0
    asked_alone: int = 0
    single: list[Call] = field(default_factory=list)
    bundled: list[Call] = field(default_factory=list)

    def add(self, outcome: Outcome, task: TaskSpec) -> None:
        """Count one document."""
        if len(outcome["attempts"]) != 2:
            self.unlabelled += 1
            return
        single, bundled = outcome["attempts"]
        self.single += single["calls"]
        self.bundled += bundled["calls"]
        self.asked_alone += any("packed" not in call for call in bundled["calls"])
        if single["record"] is None:
            self.unlabelled += 1
            return
        self.agreements.append(
            record_metric(
                bundled["record"], task.shown(single["record"]), metric=task.metric, schema=task.schema
            )
        )

    def to_agreement(self, task: TaskSpec, seed: int) -> TaskAgreement:
        """What is certified of it.

        Raises:
            NotEnoughDataError: For fewer documents than `FEWEST`.
        """
        if len(self.agreements) < FEWEST:
            raise NotEnoughDataError(
                f"{len(self.agreements)} documents could be compared for {task.name} ({self.unlabelled} have no record even "
                f"alone), at least {FEWEST} are needed; give a longer file, or a larger --sample"
            )
        order = np.random.default_rng(seed).permutation(len(self.agreements)).tolist()
        return TaskAgreement(
            metric=task.metric,
            agreement=round(float(np.mean(self.agreements)), 6),
            lower=round(mean_lower_bound([self.agreements[place] for place in order]), 6),
            documents=len(self.agreements),
            unlabelled=self.unlabelled,
            asked_alone=self.asked_alone,
        )


@dataclass(frozen=True, kw_only=True)
class BundleResult(Shown):
    """What `cupel calibrate --bundle` found, and where it was stored."""

    certificate: BundleCertificate
    path: Path
    cost_usd: float
    """Of this invocation: what the run log had already was not paid again."""

    certified: bool

    def to_json(self) -> dict[str, Any]:
        """What `cupel calibrate --bundle --json` prints."""
        return {
            **asdict(self.certificate),
            "saved": round(self.certificate.saved, 4),
            "certified": self.certified,
            "sentence": self.certificate.sentence(),
            "cost_usd": round(self.cost_usd, 8),
            "path": str(self.path),
        }


def sample_bundle(table: Table, bundle: Bundle, documents: int, *, seed: int = 0) -> list[Row]:
    """A uniform sample of the rows a run would bundle, in the table's order.

    Raises:
        NotEnoughDataError: If there are fewer than `FEWEST` of them.
    """

    def fits(row: Row) -> bool:
        return row.problem is None and isinstance(row.text, str) and bundle.takes(row.text, row.inputs)

    places = [number for number, row in enumerate(table) if fits(row)]
    if len(places) < FEWEST:
        raise NotEnoughDataError(
            f"{table.name}: {len(places)} documents of at most {bundle.longest} characters; at least {FEWEST} are needed. "
            "Give a longer file, or a higher --bundle-chars"
        )
    drawn = uniform_sample(len(places), min(documents, len(places)), seed=seed).tolist()
    wanted = {places[number] for number in drawn}
    return [row for number, row in enumerate(table) if number in wanted]


async def certify_bundle(
    rows: Sequence[Row], jobs: Sequence[Job], project: Project, bundle: Bundle, *, seed: int = 0
) -> BundleResult:
    """Ask for each task alone and for all at once, about every row, and store what that certifies where runs find it.

    Args:
        rows: From `sample_bundle`.
        jobs: A job of each task, under one cap.
        project: Where the certificate is stored: `.cupel/policies/<tasks>.bundle.json`.
        bundle: The tasks; its `min_agreement` is what a run will ask of each task's lower bound.
        seed: Of the order in which documents are counted.

    Raises:
        NotEnoughDataError: If too few documents could be compared.
        CupelError: What stopped the run before every document was asked.
    """
    trial = replace(bundle, trial=True)
    measured = [Measured() for _ in jobs]
    parts = [
        Runner(replace(job, bundle=trial, graph="calibrate-bundle"), project, graph=AloneAndBundled())
        for job in jobs
    ]
    async with JointRun(parts) as run:
        run.expect(len(rows))
        async for _, outcomes in run.outcomes([rows] * len(jobs)):
            for one, outcome, job in zip(measured, outcomes, jobs, strict=True):
                if outcome is not None:
                    one.add(outcome, job.task)
        model = run.first.models.cheap
    if run.stop.error is not None:
        raise run.stop.error
    certificate = BundleCertificate(
        tasks={
            job.task.name: one.to_agreement(job.task, seed) for job, one in zip(jobs, measured, strict=True)
        },
        model=name_at_address(model),
        prompt_version=bundled_prompt(bundle, model).version,
        max_chars=bundle.longest,
        confidence=CONFIDENCE,
        single_tokens=sum(_tokens(one.single) for one in measured),
        bundled_tokens=sum(_tokens(one.bundled) for one in measured),
        single_usd=cost_of([call for one in measured for call in one.single]),
        bundled_usd=cost_of([call for one in measured for call in one.bundled]),
        date=datetime.now(UTC).date().isoformat(),
    )
    path = bundle_path(project.state, bundle.names)
    await asyncio.to_thread(store, path, certificate.to_json())
    is_certified = certificate.lower >= bundle.min_agreement and certificate.saved > 0
    return BundleResult(
        certificate=certificate, path=path, cost_usd=run.tally.total_usd, certified=is_certified
    )


def _tokens(calls: Sequence[Call]) -> int:
    return sum(call["input_tokens"] + call["output_tokens"] for call in calls)
