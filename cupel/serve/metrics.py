"""What a server tells Prometheus, read from the run log: every process of it tells the same.

Only 429s are known to the process that met them; they are told as its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from cupel.limits import Limiter
from cupel.runlog import RunLog, tables
from cupel.serve.exposition import Family, Labels, expose, histogram, labels

CALL_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DOCUMENT_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the buckets, in seconds."""

Samples = list[tuple[str, Labels, float]]


def read_metrics(run_log: RunLog, limiter: Limiter | None = None) -> str:
    """The text of a scrape."""
    with run_log.reading() as connection:
        families = [
            *_of_documents(connection),
            *_of_steps(connection),
            *_of_served_calls(connection),
            *_of_answers(connection),
        ]
    return expose([*families, *_of_process(limiter)])


def _of_documents(connection: Connection) -> Iterable[Family]:
    served, outcomes = tables.served, tables.outcomes
    ended = served.c.status.is_not(None)
    batch = _rows(
        connection,
        select(outcomes.c.task, outcomes.c.status, func.count()).group_by(outcomes.c.task, outcomes.c.status),
    )
    own = (
        select(served.c.task, served.c.status, func.count())
        .where(ended)
        .group_by(served.c.task, served.c.status)
    )
    yield Family(
        "cupel_documents_total", "counter", "Documents with an outcome, by who did them: this server, or a file's run.",
        [
            ("", labels(by=by, task=task, status=status), count)
            for by, rows in (("server", _rows(connection, own)), ("run", batch))
            for task, status, count in rows
        ],
    )  # fmt: skip
    states = dict(_rows(connection, select(served.c.state, func.count()).group_by(served.c.state)))
    yield Family(
        "cupel_reviews_waiting",
        "gauge",
        "Documents that wait for a person.",
        [("", (), states.get("waiting", 0))],
    )
    yield Family(
        "cupel_runs", "gauge", "Runs of this server's graphs, by how they stand.",
        [("", labels(state=state), count) for state, count in sorted(states.items())],
    )  # fmt: skip


def _of_steps(connection: Connection) -> Iterable[Family]:
    """What documents went through on a server, by task."""
    served = tables.served
    sums = [
        func.sum(served.c[name]) for name in ("escalated", "refinements", "accepted", "rejected", "unknown")
    ]
    by_task = _rows(connection, select(served.c.task, *sums).group_by(served.c.task))
    yield Family(
        "cupel_escalations_total", "counter", "Documents that the strong tier was asked about.",
        [("", labels(task=row[0]), row[1] or 0) for row in by_task],
    )  # fmt: skip
    yield Family(
        "cupel_refinements_total", "counter", "Times a document was asked about again with instructions of its own.",
        [("", labels(task=row[0]), row[2] or 0) for row in by_task],
    )  # fmt: skip
    yield Family(
        "cupel_verdicts_total", "counter", "The judge's verdicts.",
        [
            ("", labels(task=row[0], verdict=verdict), row[place] or 0)
            for row in by_task
            for place, verdict in enumerate(("accepted", "rejected", "unknown"), start=3)
        ],
    )  # fmt: skip
    yield Family(
        "cupel_document_seconds", "histogram", "From a run's beginning to its end, or to the question to a person.",
        _document_seconds(connection),
    )  # fmt: skip


def _of_served_calls(connection: Connection) -> Iterable[Family]:
    table = tables.served_calls
    names = ("calls", "cache_hits", "input_tokens", "output_tokens", "cost_usd")
    query = select(table.c.model, table.c.tier, *(func.sum(table.c[name]) for name in names))
    rows = _rows(connection, query.group_by(table.c.model, table.c.tier))
    own = [(labels(model=row[0], tier=row[1]), row[2:]) for row in rows]
    yield Family(
        "cupel_served_calls_total",
        "counter",
        "Calls that served documents took, by model and tier.",
        [("", n, v[0]) for n, v in own],
    )
    yield Family(
        "cupel_cache_hits_total",
        "counter",
        "Of served documents, what the run log answered.",
        [("", n, v[1]) for n, v in own],
    )
    yield Family(
        "cupel_served_tokens_total", "counter", "Tokens of those calls.",
        [("", (*n, ("direction", direction)), v[place]) for n, v in own for place, direction in ((2, "input"), (3, "output"))],
    )  # fmt: skip
    yield Family(
        "cupel_served_cost_usd_total",
        "counter",
        "US dollars of those calls.",
        [("", n, v[4]) for n, v in own],
    )


def _of_answers(connection: Connection) -> Iterable[Family]:
    """Every answer of the run log, whoever paid it; counted in one walk along an index that has all of it."""
    table = tables.responses
    counts = [func.count(), func.sum(table.c.input_tokens), func.sum(table.c.output_tokens)]
    sums = [*counts, func.sum(func.coalesce(table.c.cost_usd, 0.0)), func.sum(table.c.latency_s)]
    query = select(table.c.model, table.c.kind, *sums, *_within(table.c.latency_s, CALL_S))
    rows = _rows(connection, query.group_by(table.c.model, table.c.kind))
    own = [(labels(model=row[0], kind=row[1]), row[2:]) for row in rows]
    yield Family(
        "cupel_calls_total", "counter", "Answers that were paid for, of servers and files alike.",
        [("", n, v[0]) for n, v in own],
    )  # fmt: skip
    yield Family(
        "cupel_tokens_total", "counter", "Tokens of those answers.",
        [("", (*n, ("direction", direction)), v[place]) for n, v in own for place, direction in ((1, "input"), (2, "output"))],
    )  # fmt: skip
    yield Family(
        "cupel_cost_usd_total", "counter", "US dollars of those answers, where the price is known.",
        [("", n, v[3]) for n, v in own],
    )  # fmt: skip
    yield Family(
        "cupel_call_seconds", "histogram", "From a request to its answer.",
        [
            sample
            for model in sorted({row[0] for row in rows})
            for sample in _histogram_of(model, [row[2:] for row in rows if row[0] == model])
        ],
    )  # fmt: skip


def _histogram_of(model: str, rows: Sequence[Sequence[Any]]) -> Samples:
    """One model's seconds, whatever it was asked for."""
    counts = [sum(int(row[place]) for row in rows) for place in (*range(5, 5 + len(CALL_S)), 0)]
    return histogram(labels(model=model), CALL_S, counts, sum(float(row[4]) for row in rows))


def _of_process(limiter: Limiter | None) -> Iterable[Family]:
    refused: dict[str, int] = {}
    for lane in limiter.lanes if limiter is not None else ():
        refused[lane.gauge.model] = refused.get(lane.gauge.model, 0) + lane.gauge.rejected
    yield Family(
        "cupel_rate_limited_total", "counter", "Times a provider answered this process with 429.",
        [("", labels(model=model), count) for model, count in sorted(refused.items())],
    )  # fmt: skip


def _rows(connection: Connection, query: Any) -> list[Any]:
    return sorted((tuple(row) for row in connection.execute(query)), key=lambda row: tuple(map(str, row[:2])))


def _within(seconds: ColumnElement[Any], bounds: Sequence[float]) -> list[Any]:
    return [func.sum(case((seconds <= bound, 1), else_=0)) for bound in bounds]


def _document_seconds(connection: Connection) -> Samples:
    """One histogram a task, counted by the database."""
    table = tables.served
    columns = [*_within(table.c.wall_s, DOCUMENT_S), func.count(), func.sum(table.c.wall_s)]
    query = select(table.c.task, *columns).where(table.c.wall_s.is_not(None)).group_by(table.c.task)
    return [
        sample
        for row in _rows(connection, query)
        for sample in histogram(labels(task=row[0]), DOCUMENT_S, [int(n) for n in row[1:-1]], float(row[-1]))
    ]
