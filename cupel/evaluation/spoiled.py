"""The judge put to the test without labels: records spoiled on purpose, and whether it names what was spoiled."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cupel.context import RunContext
from cupel.errors import InputError
from cupel.evaluation.judge_check import Case, bench_name, cases_of_run, run_rows, verdicts_on
from cupel.judging import EXTRA, LIST, UNCHANGED, Finding, Mutation, MutationTally, Verdict, mutate, tally
from cupel.project import Project
from cupel.runs import open_bench
from cupel.state import FindingRecord, VerdictRecord
from cupel.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A spoiled record and what the judge made of it."""

    doc_id: str
    mutation: Mutation
    verdict: VerdictRecord


@dataclass(frozen=True, slots=True)
class SpoiledReport:
    """What the judge made of records spoiled on purpose."""

    rows: Sequence[MutationTally]
    """Caught and missed per mutation."""

    every: Sequence[Spoiled]

    @property
    def missed(self) -> list[Spoiled]:
        """Spoiled records the judge accepted."""
        accepted = (item for item in self.every if item.verdict["verdict"] == "accepted")
        return [item for item in accepted if item.mutation.name != UNCHANGED]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of the counts, and of each that was missed."""
        counts = (
            "caught_by_code",
            "caught_by_judge",
            "missed",
            "noticed",
            "unknown",
            "rate",
            "found",
            "alarms",
        )
        return {
            "mutations": [
                {"mutation": row.name, **{name: getattr(row, name) for name in counts}}
                | {"interval": [row.interval.low, row.interval.high]}
                for row in self.rows
            ],
            "missed": [
                {"doc_id": item.doc_id, "mutation": spoilt.name, "path": spoilt.path, "detail": spoilt.detail}
                for item in self.missed
                for spoilt in (item.mutation,)
            ],
        }


async def judge_spoiled(cases: Sequence[Case], task: TaskSpec, context: RunContext) -> SpoiledReport:
    """Spoil every record in every way that applies, and let the judge judge them all."""
    pairs = [
        (case, mutation)
        for case in cases
        for mutation in mutate(task.shown(case.record), task.asked, text=case.text, seed=_seed(case.doc_id))
    ]
    verdicts = await verdicts_on([replace(case, record=m.record) for case, m in pairs], task, context)
    every = [Spoiled(case.doc_id, m, v) for (case, m), v in zip(pairs, verdicts, strict=True)]
    whole = {item.doc_id: item.verdict for item in every if item.mutation.name == UNCHANGED}
    found = Counter(item.mutation.name for item in every if is_found(item.verdict, item.mutation))
    alarms = Counter(item.mutation.name for item in every if is_found(whole[item.doc_id], item.mutation))
    rows = tally(((item.mutation.name, _verdict(item.verdict)) for item in every), found=found, alarms=alarms)
    return SpoiledReport(rows, every)


def is_found(verdict: VerdictRecord, mutation: Mutation) -> bool:
    """Whether a verdict names the very place that was spoiled: code does by rejecting, a judge by its finding on that item.

    Of what was dropped, it says that something of its list is missing whose words stand in what was dropped.
    """
    if mutation.name == UNCHANGED:
        return False
    if verdict["code_findings"]:
        return True
    failed = [one for one in verdict["findings"] if one["finding"] == "fail" and "path" in one]
    if mutation.name == "item_dropped":
        return any(
            bool(one["evidence_quote"])
            and one["criterion"].endswith("_missing")
            and str(one["evidence_quote"]) in mutation.detail
            for one in failed
        )
    named = [
        one for one in failed if not one["criterion"].endswith("_missing")
    ]  # those name a list, not an item
    if mutation.name == "references_dropped":  # all of them were: any one will do
        name = mutation.path.rpartition("/")[2]
        return any(one.get("field") == name for one in named)
    return any(_is_it(one, mutation) for one in named)


def _is_it(found: FindingRecord, mutation: Mutation) -> bool:
    """Whether a fault of an item is what was spoiled: that item, and of it the field, the list, or the item as a whole.

    A quote that ends in a full stop too many is no word on the reference beside it.
    """
    field, (item, _, part) = found.get("field", ""), mutation.path.rpartition("/")
    if mutation.path == found["path"]:
        return mutation.name != "list_changed" or field in (LIST, EXTRA)
    return item == found["path"] and field in (part, EXTRA, "")


def _seed(doc_id: str) -> int:
    return int.from_bytes(hashlib.sha256(doc_id.encode()).digest()[:4])


def _verdict(record: VerdictRecord) -> Verdict:
    """A verdict as the tally counts it."""
    by_code, by_judge = (
        tuple(Finding(criterion=item["criterion"], finding=item["finding"]) for item in record[whose])
        for whose in ("code_findings", "findings")
    )
    items = tuple(item for item in record["findings"] if "path" in item)
    return Verdict(verdict=record["verdict"], findings=by_judge, code_findings=by_code, items=items)


async def spoil_run(
    project: Project,
    task: TaskSpec,
    context: RunContext,
    run: str | None,
    *,
    limit: int | None,
    max_usd: float | None,
) -> SpoiledReport:
    """Spoil a run's records and let the judge judge them.

    Raises:
        InputError: For no such run, or one without a record.
    """
    cases = cases_of_run(run_rows(project, task.name, run), task, limit)
    if not cases:
        raise InputError(f"the run of {task.name!r} holds no record to spoil")
    async with open_bench(project, bench_name("spoil", cases, task), max_usd=max_usd):
        return await judge_spoiled(cases, task, context)
