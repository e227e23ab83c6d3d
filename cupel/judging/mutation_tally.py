"""What became of records spoiled on purpose: caught by code, caught by the judge, or missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cupel.judging.findings import Verdict
from cupel.judging.mutations import MUTATIONS, UNCHANGED
from cupel.stats import Interval, clopper_pearson


@dataclass(frozen=True, slots=True)
class MutationTally:
    """What became of one kind of mutation.

    Attributes:
        name: The mutation.
        caught_by_code: Rejected before a model was asked.
        caught_by_judge: Rejected by the judge's findings.
        missed: Accepted all the same.
        noticed: Of the missed, those in which the judge failed a criterion that does not reject by itself.
        unknown: Left open.
        found: Those in which a judge by items named the very place, whatever its verdict; code's included.
        alarms: Those in which it named that place in the unspoiled record too.
        rate: Share caught of those decided; None where none was. For `unchanged` it is the false alarms.
        interval: Its 95 % interval.
    """

    name: str
    caught_by_code: int
    caught_by_judge: int
    missed: int
    noticed: int
    unknown: int
    rate: float | None
    interval: Interval
    found: int = 0
    alarms: int = 0


def tally(
    verdicts: Iterable[tuple[str, Verdict]],
    *,
    found: Mapping[str, int] | None = None,
    alarms: Mapping[str, int] | None = None,
) -> list[MutationTally]:
    """Count what was caught and missed, per mutation, in the order of `MUTATIONS`.

    Args:
        verdicts: Name of the mutation and the verdict on it, one per spoiled record.
        found: Mutation → in how many the place was named.
        alarms: Mutation → in how many it was named in the unspoiled record too.

    Returns:
        One row per kind of mutation, also for those that applied to no record.
    """
    every = list(verdicts)
    counts = Counter((name, _fate(verdict)) for name, verdict in every)
    counts.update((name, "noticed") for name, verdict in every if _is_noticed(verdict))
    rows = [_tally(name, counts) for name in (UNCHANGED, *MUTATIONS)]
    return [
        replace(row, found=(found or {}).get(row.name, 0), alarms=(alarms or {}).get(row.name, 0))
        for row in rows
    ]


def _fate(verdict: Verdict) -> str:
    if verdict.verdict == "rejected":
        return "code" if verdict.code_findings else "judge"
    return verdict.verdict


def _is_noticed(verdict: Verdict) -> bool:
    faults = [item for item in verdict.items if item["finding"] == "fail"]
    return verdict.verdict == "accepted" and bool(verdict.failed or faults)


def _tally(name: str, counts: Counter[tuple[str, str]]) -> MutationTally:
    code, judge, missed = counts[name, "code"], counts[name, "judge"], counts[name, "accepted"]
    decided = code + judge + missed
    return MutationTally(
        name=name,
        caught_by_code=code,
        caught_by_judge=judge,
        missed=missed,
        noticed=counts[name, "noticed"],
        unknown=counts[name, "unknown"],
        rate=(code + judge) / decided if decided else None,
        interval=clopper_pearson(code + judge, decided),
    )
