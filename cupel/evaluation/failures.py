"""The failures of the run log in groups: what went wrong, what put it right, and what it cost."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from cupel.errors import InputError
from cupel.improvement import Failure, cluster, document_hash, held_out_names, note_seen
from cupel.project import Project
from cupel.runlog import RunLog, existing_run_log, find_run, tables, tasks_of

Row = dict[str, Any]

FIXES = ("addendum", "escalation", "person", "none")


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures of a group whose critiques share their words."""

    words: str
    failures: int
    documents: int


@dataclass(slots=True)
class FailureGroup:
    """Failures of one criterion, found by one means, under one prompt version."""

    task: str
    criterion: str
    cause: str
    prompt_version: str
    count: int = 0
    fixed_by: Counter[str] = field(default_factory=Counter)
    example: Row = field(default_factory=dict)
    """Empty where the gate holds out every document of the group."""

    is_held_out: bool = False
    """Whether the gate holds the example out: it was asked for, and is spent by being shown."""

    causes: list[Cause] = field(default_factory=list)
    """As `improve` tells them to a rewriter, the commonest first."""

    _documents: set[str] = field(default_factory=set)
    _costs: dict[tuple[str, str, float | None], float | None] = field(default_factory=dict)

    def add(self, row: Row, *, withheld: bool = False) -> None:
        """Count one failure; the first one nothing has fixed, and that may be shown, becomes the example."""
        self.count += 1
        self.fixed_by[row["fixed_by"]] += 1
        self._documents.add(row["doc_id"])
        # an attempt that failed in several ways was paid once
        self._costs[row["outcome_key"], row["tier"], row["cost_usd"]] = row["cost_usd"]
        if withheld:
            return
        if not self.example or (self.example["fixed_by"] != "none" and row["fixed_by"] == "none"):
            self.example = row

    @property
    def documents(self) -> int:
        """How many documents are concerned."""
        return len(self._documents)

    @property
    def cost_usd(self) -> float | None:
        """Cost of the attempts that failed so; None where a price is unknown."""
        costs = list(self._costs.values())
        return None if None in costs else float(sum(cost for cost in costs if cost))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "task": self.task,
            "criterion": self.criterion,
            "cause": self.cause,
            "prompt_version": self.prompt_version,
            "count": self.count,
            "documents": self.documents,
            "fixed_by": {name: self.fixed_by[name] for name in FIXES},
            "cost_usd": self.cost_usd,
            "causes": [asdict(cause) for cause in self.causes],
            "example": {
                name: self.example[name]
                for name in ("doc_id", "run_id", "model", "tier", "reasoning", "quote")
            }
            if self.example
            else None,
        }


def group_failures(
    project: Project,
    task: str | None,
    run: str | None,
    *,
    most: int | None = None,
    show_held_out: bool = False,
) -> list[FailureGroup]:
    """The failures of the run log in groups, the most frequent first.

    The examples of the first `most` groups are noted as seen: each says of a document that it is wrong, and how.

    Args:
        project: The project.
        task: Only this task's; all where None, but of a run of several tasks one has to be named.
        run: Only this run's: its id, or enough of its beginning; all that a person ran where None.
        most: Groups whose example is going to be shown; None for all.
        show_held_out: Whether a document that the gate holds out may be an example.

    Raises:
        InputError: For a task or run that is not there.
    """
    with existing_run_log(project) as run_log:
        if task is not None:
            _check_task(run_log, task)
        run_id = None if run is None else find_run(run_log, run, task)["run_id"]
        is_held_out = _held_out(project)
        groups = group_rows(_rows(run_log, task, run_id), None if show_held_out else is_held_out)
        for group in groups[:most]:
            group.is_held_out = bool(group.example) and is_held_out(group.example)
        _note_examples(run_log, groups[:most])
        return groups


def _held_out(project: Project) -> Callable[[Row], bool]:
    names = functools.cache(lambda task: held_out_names(project.state, task))
    return lambda row: row["doc_id"] in names(row["task"])


def _note_examples(run_log: RunLog, groups: Sequence[FailureGroup]) -> None:
    """That they are seen, before anybody sees them; what a provider did says nothing of a document."""
    for group in groups:
        if group.example and group.cause != "provider":
            stored = run_log.find_document(group.example["doc_id"], group.example["run_id"])
            hashes = [document_hash(text) for _, text in stored if text]
            note_seen(run_log, group.task, hashes, how="failures")


def _check_task(run_log: RunLog, task: str) -> None:
    tasks = sorted({name for run in run_log.runs(trials=True) for name in tasks_of(run)})
    if task not in tasks:
        raise InputError(
            f"no run of a task {task!r} in {run_log.name}; it has runs of {', '.join(tasks) or 'none'}"
        )


def _rows(run_log: RunLog, task: str | None, run_id: str | None) -> Iterator[Row]:
    failures = tables.failures
    query = select(failures).order_by(failures.c.created_at, failures.c.outcome_key, failures.c.number)
    if task is not None:
        query = query.where(failures.c.task == task)
    if run_id is not None:
        query = query.where(failures.c.run_id == run_id)
    else:
        trials = select(tables.runs.c.run_id).where(tables.runs.c.kind == "trial")
        query = query.where(failures.c.run_id.not_in(trials))
    with run_log.reading() as connection:
        for row in connection.execution_options(yield_per=500).execute(query).mappings():
            yield dict(row)


def group_rows(rows: Iterable[Row], is_withheld: Callable[[Row], bool] | None = None) -> list[FailureGroup]:
    """Failures by task, criterion, what found them and prompt version, the most frequent first; in each their causes.

    Args:
        rows: Of the failures table.
        is_withheld: Whether a failure may not become an example; all may where left out.
    """
    groups: dict[tuple[str, ...], FailureGroup] = {}
    failures: dict[tuple[str, ...], dict[Failure, int]] = {}
    for row in rows:
        key = (row["task"], row["criterion"], row["cause"], row["prompt_version"])
        withheld = is_withheld is not None and is_withheld(row)
        groups.setdefault(key, FailureGroup(*key)).add(row, withheld=withheld)
        seen, failure = failures.setdefault(key, {}), Failure.of(row)
        seen[failure] = seen.get(failure, 0) + 1
    for kind, group in groups.items():
        counted = failures[kind]
        group.causes = [
            Cause(each.cause, sum(counted[failure] for failure in each.failures), each.documents)
            for each in cluster(counted)
        ]
    return sorted(groups.values(), key=lambda group: (-group.count, group.criterion, group.prompt_version))
