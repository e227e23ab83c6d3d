"""Measure how far packed records agree with single ones, on one's own documents, and certify it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
    Packing,
    PackingCertificate,
    PackTerms,
    Place,
    arrange,
    certificate_path,
    current_asking,
    packed_prompt,
)
from cupel.errors import NotEnoughDataError
from cupel.metrics import record_metric
from cupel.models import name_at_address
from cupel.project import Project
from cupel.routing import uniform_sample
from cupel.runlog import cost_of
from cupel.runs import Job, Runner
from cupel.state import Call, Outcome
from cupel.stats import CONFIDENCE, mean_lower_bound
from cupel.tables import Row, Table
from cupel.task import TaskSpec
from cupel.text import TextIndex

FEWEST_PACKS = 10


class AloneAndPacked:
    """A stand-in for the graph that asks the cheap model about every document alone, and in its pack."""

    async def ainvoke(self, document: Mapping[str, Any], _config: object, *, context: RunContext) -> Outcome:
        """Both attempts, the single one first; which pack it was stands among the second one's signals."""
        asking = current_asking()
        state = await begin(document, asking)
        if state["problem"] is None and asking.place is not None:
            work = await take_up(state, context, asking)
            single = await attempt_record(work, replace(asking, place=None), "cheap")
            packed = await attempt_record(work, asking, "cheap")
            pack = float(asking.place.pack.members[0].position)
            state["attempts"] = [single, {**packed, "number": 2, "signals": {"pack": pack}}]
        state["path"] = ["prepare", "extract"]
        return conclude(state)


@dataclass(slots=True)
class Measured:
    """What both ways of asking gave, document by document."""

    by_pack: dict[float, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Agreement in [0, 1] of each document's packed record with its single one."""

    unlabelled: int = 0
    asked_alone: int = 0
    single: list[Call] = field(default_factory=list)
    packed: list[Call] = field(default_factory=list)

    def add(self, outcome: Outcome, task: TaskSpec) -> None:
        """Count one document."""
        if len(outcome["attempts"]) != 2:
            self.unlabelled += 1
            return
        single, packed = outcome["attempts"]
        self.single += single["calls"]
        self.packed += packed["calls"]
        self.asked_alone += any("packed" not in call for call in packed["calls"])
        if single["record"] is None:
            self.unlabelled += 1
            return
        agreement = record_metric(
            packed["record"], task.shown(single["record"]), metric=task.metric, schema=task.schema
        )
        self.by_pack[packed["signals"]["pack"] or 0.0].append(agreement)

    @property
    def documents(self) -> list[float]:
        """The agreement of every document."""
        return [value for pack in self.by_pack.values() for value in pack]


@dataclass(frozen=True, kw_only=True)
class PackingResult(Shown):
    """What `cupel calibrate --packing` found, and where it was stored."""

    certificate: PackingCertificate
    path: Path
    cost_usd: float
    """Of this invocation: what the run log had already was not paid again."""

    certified: bool

    def to_json(self) -> dict[str, Any]:
        """What `cupel calibrate --packing --json` prints."""
        return {
            **asdict(self.certificate),
            "saved": round(self.certificate.saved, 4),
            "certified": self.certified,
            "sentence": self.certificate.sentence(),
            "cost_usd": round(self.cost_usd, 8),
            "path": str(self.path),
        }


def sample_packs(
    table: Table, task: TaskSpec, terms: PackTerms, documents: int, *, seed: int = 0
) -> list[Row]:
    """The rows of a uniform sample of the packs a run over this table would make, in the table's order.

    Whole packs of neighbours are drawn, not single rows: neighbours in a file are alike, and that is where a
    model may mix them up.

    Raises:
        NotEnoughDataError: If there are fewer full packs than ten.
    """

    def places() -> Iterator[tuple[Row, Place]]:
        placed = arrange(table, TextIndex(), terms, inputs=task.required_inputs)
        return ((row, place) for row, _, place in placed if place is not None)

    packs = (place.pack.members for _, place in places() if place.number == 1)
    firsts = [members[0].position for members in packs if len(members) == terms.size]
    if len(firsts) < FEWEST_PACKS:
        raise NotEnoughDataError(
            f"{table.name}: {len(firsts)} full packs of {terms.size} documents of at most {terms.max_chars} "
            f"characters; at least {FEWEST_PACKS} are needed. Give a longer file, --pack-size 2, or a higher --pack-chars"
        )
    count = min(len(firsts), max(FEWEST_PACKS, documents // terms.size))
    wanted = {firsts[number] for number in uniform_sample(len(firsts), count, seed=seed).tolist()}
    return [row for row, place in places() if place.pack.members[0].position in wanted]


async def certify_packing(
    rows: Sequence[Row], job: Job, project: Project, terms: PackTerms, *, min_agreement: float, seed: int = 0
) -> PackingResult:
    """Ask about every row alone and packed, and store what that certifies where runs of this task find it.

    Every call goes through the run log and the budget: a single answer that was paid for before, or will be
    wanted by a later run, is paid once.

    Args:
        rows: From `sample_packs`.
        job: Task, context, concurrency and cap.
        project: Where the certificate is stored: `.cupel/policies/<task>.packing.json`.
        terms: How the packs are made.
        min_agreement: What a run will ask of the lower bound; it says whether this is certified.
        seed: Of the order in which packs are counted.

    Raises:
        NotEnoughDataError: If fewer than ten packs could be compared.
        CupelError: What stopped the run before every document was asked.
    """
    trial = replace(job, packing=Packing(trial=terms), graph="calibrate-packing")
    measured = Measured()
    async with Runner(trial, project, graph=AloneAndPacked()) as runner:
        runner.progress.total = len(rows)
        async for _, outcome in runner.outcomes(rows):
            if outcome is not None:
                measured.add(outcome, job.task)
        model = runner.models.cheap
    if runner.stop.error is not None:
        raise runner.stop.error
    certificate = _certificate(measured, job, terms, model, seed)
    path = certificate_path(project.state, job.task.name)
    await asyncio.to_thread(store, path, certificate.to_json())
    return PackingResult(
        certificate=certificate,
        path=path,
        cost_usd=runner.tally.total_usd,
        certified=certificate.lower >= min_agreement and certificate.saved > 0,
    )


def _certificate(measured: Measured, job: Job, terms: PackTerms, model: str, seed: int) -> PackingCertificate:
    means = [float(np.mean(pack)) for pack in measured.by_pack.values()]
    if len(means) < FEWEST_PACKS:
        raise NotEnoughDataError(
            f"{len(means)} packs could be compared ({measured.unlabelled} documents have no record even alone), "
            f"at least {FEWEST_PACKS} are needed; see `cupel failures`, or take a larger --sample"
        )
    order = np.random.default_rng(seed).permutation(len(means))
    return PackingCertificate(
        task=job.task.name,
        model=name_at_address(model),
        prompt_version=packed_prompt(job.task, model, job.context).version,
        size=terms.size,
        max_chars=terms.max_chars,
        metric=job.task.metric,
        agreement=round(float(np.mean(measured.documents)), 6),
        lower=round(mean_lower_bound([means[place] for place in order.tolist()]), 6),
        confidence=CONFIDENCE,
        packs=len(means),
        documents=len(measured.documents),
        unlabelled=measured.unlabelled,
        asked_alone=measured.asked_alone,
        single_tokens=_tokens(measured.single),
        packed_tokens=_tokens(measured.packed),
        single_usd=cost_of(measured.single),
        packed_usd=cost_of(measured.packed),
        date=datetime.now(UTC).date().isoformat(),
    )


def _tokens(calls: Sequence[Call]) -> int:
    return sum(call["input_tokens"] + call["output_tokens"] for call in calls)
