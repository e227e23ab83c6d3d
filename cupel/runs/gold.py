"""A run's records held against gold: scored, what is wrong named, and kept in the run log beside them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, select

from cupel.metrics import Difference, find_differences, record_metric
from cupel.runlog import RunLog, cost_of, insert_of, now, read_cell, tables
from cupel.runs.bench import is_unanswered
from cupel.state import Outcome, Record
from cupel.stats import wilson
from cupel.task import TaskSpec
from cupel.text import storable_row

_FIRST = 1_001
"""Number of a document's first failure by gold: those that code and judge found are counted from 1."""

_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ByGold:
    """A record held against gold.

    Attributes:
        gold: What the record should be.
        score: The task's metric, in [0, 1]; None where nobody answered.
        right: Whether it reaches the task's `wrong_below`; None as the score.
        differences: What the record has wrong.
        source: Where the gold is from.
    """

    gold: Record
    score: float | None
    right: bool | None
    differences: Sequence[Difference] = ()
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "gold": self.gold, "score": self.score, "right": self.right, "source": self.source,
            "differences": [asdict(each) for each in self.differences],
        }  # fmt: skip


def hold_against(outcome: Outcome, gold: Record, task: TaskSpec, *, source: str = "") -> ByGold:
    """An outcome's record against gold; one that was not answered is neither right nor wrong."""
    if is_unanswered(outcome):
        return ByGold(gold=gold, score=None, right=None, source=source)
    record = outcome["record"]
    score = record_metric(record, gold, metric=task.metric, schema=task.schema)
    differences = find_differences(record, gold, task.schema, metric=task.metric)
    return ByGold(
        gold=gold, score=score, right=score >= task.wrong_below, differences=differences, source=source
    )


@dataclass(slots=True)
class GoldTally:
    """Takes a run's outcomes with their gold as they come, counts them, and keeps them in the run log."""

    run_log: RunLog
    run_id: str
    task: TaskSpec
    source: str
    scores: list[float] = field(default_factory=list)
    right: int = 0
    unanswered: int = 0
    withheld: int = 0
    """Documents with gold that the gate holds out: neither scored nor kept."""

    faults: Counter[str] = field(default_factory=Counter)
    """Documents by what is wrong with them; one may have several."""

    _waiting: list[tuple[str, Outcome, ByGold]] = field(default_factory=list)

    async def begin(self) -> None:
        """Take out what an earlier invocation kept: gold may have been mended since."""

        def clear(connection: Connection) -> None:
            keys = select(tables.golds.c.outcome_key).where(tables.golds.c.run_id == self.run_id)
            failures = tables.failures
            connection.execute(
                delete(failures).where(failures.c.cause == "gold", failures.c.outcome_key.in_(keys))
            )
            connection.execute(delete(tables.golds).where(tables.golds.c.run_id == self.run_id))

        await self.run_log.transact(clear)

    async def add(self, key: str, outcome: Outcome, gold: Record) -> ByGold:
        """Count one document."""
        held = hold_against(outcome, gold, self.task, source=self.source)
        if held.score is None:
            self.unanswered += 1
        else:
            self.scores.append(held.score)
            self.right += bool(held.right)
            self.faults.update({each.fault for each in held.differences})
        self._waiting.append((key, outcome, held))
        if len(self._waiting) >= _AT_ONCE:
            await self.flush()
        return held

    async def flush(self) -> None:
        """Commit what is waiting."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            rows = [
                row
                for key, outcome, held in waiting
                for row in gold_failures(key, self.run_id, outcome, held)
            ]
            golds = [self._row(key, outcome, held) for key, outcome, held in waiting]
            await self.run_log.transact(lambda connection: _save(connection, golds, rows))

    def _row(self, key: str, outcome: Outcome, held: ByGold) -> dict[str, Any]:
        return {
            "outcome_key": key, "run_id": self.run_id, "doc_id": outcome["doc_id"], "source": held.source,
            "gold": json.dumps(held.gold, ensure_ascii=False), "score": held.score, "created_at": now(),
            "is_right": None if held.right is None else int(held.right),
            "differences": json.dumps([asdict(each) for each in held.differences], ensure_ascii=False),
        }  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The figures as `cupel run --json` prints them."""
        n = len(self.scores)
        interval = wilson(self.right, n) if n else None
        return {
            "source": self.source, "documents": n, "right": self.right, "unanswered": self.unanswered,
            "withheld": self.withheld, "metric": self.task.metric, "mean": sum(self.scores) / n if n else None,
            "interval": [interval.low, interval.high] if interval else None, "faults": dict(self.faults.most_common()),
        }  # fmt: skip


def gold_failures(key: str, run_id: str, outcome: Outcome, held: ByGold) -> list[dict[str, Any]]:
    """One row of `failures` for each thing that gold shows wrong with a document's record."""
    attempts = [each for each in outcome["attempts"] if each["record"] == outcome["record"]] or outcome[
        "attempts"
    ]
    if not attempts:
        return []
    last = attempts[-1]
    return [
        {
            "outcome_key": key, "number": number, "run_id": run_id, "doc_id": outcome["doc_id"],
            "task": outcome["task"], "prompt_version": last["prompt_version"], "model": last["model"],
            "tier": last["tier"], "criterion": f"reference_{fault.kind}", "cause": "gold", "reasoning": fault.words,
            "quote": fault.quote, "fixed_by": "none", "addendum": None, "cost_usd": cost_of(last["calls"]),
            "created_at": now(),
        }
        for number, fault in enumerate(held.differences, start=_FIRST)
    ]  # fmt: skip


def _save(
    connection: Connection, golds: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]]
) -> None:
    keys = [row["outcome_key"] for row in golds]
    table = tables.failures
    connection.execute(delete(table).where(table.c.cause == "gold", table.c.outcome_key.in_(keys)))
    connection.execute(delete(tables.golds).where(tables.golds.c.outcome_key.in_(keys)))
    for each, rows in ((tables.golds, golds), (table, failures)):
        if rows:
            connection.execute(insert_of(connection)(each), [storable_row(dict(row)) for row in rows])


def read_golds(run_log: RunLog, run_id: str, doc_id: str | None = None) -> dict[str, ByGold]:
    """The gold a run's records were held against, by document; of one document, where it is named."""
    table = tables.golds
    query = select(table).where(table.c.run_id == run_id)
    if doc_id is not None:
        query = query.where(table.c.doc_id == doc_id)
    with run_log.reading() as connection:
        return {row["doc_id"]: _read(dict(row)) for row in connection.execute(query).mappings()}


def _read(row: Mapping[str, Any]) -> ByGold:
    gold, differences = (
        read_cell(tables.golds.c[name], row[name], row["outcome_key"]) for name in ("gold", "differences")
    )
    right = None if row["is_right"] is None else bool(row["is_right"])
    return ByGold(
        gold=gold, score=row["score"], right=right, differences=[Difference(**each) for each in differences],
        source=row["source"],
    )  # fmt: skip
