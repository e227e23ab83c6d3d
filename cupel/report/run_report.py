"""What the run log says of a run: its HTML report, and what it took against its plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cupel.errors import CupelError
from cupel.improvement import SPENDS, SPENT, held_out_of, showable
from cupel.project import Project
from cupel.report.joint_page import TaskSection, write_joint_report
from cupel.report.page import TaskPage, write_task_page
from cupel.report.summary import ROLES, DocumentEntry, Expected, Planned, PlannedTier, RunSummary
from cupel.runlog import (
    FORGOTTEN,
    Account,
    Row,
    RunLog,
    Usage,
    existing_run_log,
    find_run,
    find_whole,
    parts_of,
    read_account,
    read_cell,
    tables,
)
from cupel.runs import Beside, ByGold, open_beside, read_golds
from cupel.state import calls_of
from cupel.tables import Tidy, tidy_of
from cupel.task import load_task


def write_run_report(
    project: Project,
    run_id: str,
    summary: Mapping[str, Any],
    *,
    show_held_out: bool = False,
    beside: Iterable[dict[str, Any]] | None = None,
) -> Path:
    """Write `.cupel/reports/<run>.html` at the end of an invocation and return its path.

    Args:
        project: Whose state folder it goes to.
        run_id: The run.
        summary: What `cupel run --json` prints.
        show_held_out: Whether the gold of documents that the gate holds out is shown.
        beside: The documents' own rows, where the run's input is no file.

    Raises:
        OutputPathError: If it cannot be written there.
    """
    with existing_run_log(project) as run_log:
        row = find_whole(run_log, run_id)
        run = _told(row, summary)
        own = None if beside is None else list(beside)
        if not parts_of(row):
            return _write(project, run_log, run, _beside(row, own), show_held_out=show_held_out)[0].path
        sections = []
        for task, part in parts_of(row).items():
            of_task = _told(find_run(run_log, part), {**summary, **summary["tasks"][task]})
            page, said = _write(project, run_log, of_task, _beside(row, own), show_held_out=show_held_out)
            sections.append(TaskSection(run=said, page=page))
        return write_joint_report(_path(project, run), run, sections)


def _told(row: Row, summary: Mapping[str, Any]) -> RunSummary:
    """What an invocation says of its run."""
    unknown, priced = summary["unknown_price"], summary["account"]["priced"]
    return RunSummary(
        **_of_run(row),
        statuses=summary["statuses"],
        calls=summary["calls"],
        cost_usd={model: usd for model, usd in summary["cost_usd"].items() if model not in unknown},
        cost_usd_total=summary["cost_usd_total"] if priced else None,
        cache_hits=summary["cache_hits"],
        wall_s=summary["wall_s"],
        notes=[*_notes(row), summary["paid_and_used"]],
    )


def _beside(row: Row, own: Sequence[dict[str, Any]] | None) -> Beside:
    """The documents' own rows, from the run's input where they are not given; each task's page reads them once."""
    return open_beside(Path(row["input_name"]), [])[1] if own is None else Beside(iter(own))


def _path(project: Project, run: RunSummary) -> Path:
    return project.state / "reports" / f"{run.run_id}.html"


def rewrite_run_report(
    project: Project, wanted: str | None, *, task: str | None = None, show_held_out: bool = False
) -> tuple[Path, RunSummary]:
    """Write the report of any run anew from the run log alone; the newest where none is named.

    Of a run of several tasks each task's page is written, and the one of all; with a task, only that one's.

    Args:
        project: Whose state folder it goes to.
        wanted: The run's id, or enough of its beginning.
        task: Which task is meant, of a run of several.
        show_held_out: Whether the gold of documents that the gate holds out is shown.

    Raises:
        InputError: If there is no such run.
        OutputPathError: If it cannot be written there.
    """
    with existing_run_log(project) as run_log:
        row = find_whole(run_log, wanted, task)
        if task is not None or not parts_of(row):
            row = find_run(run_log, row["run_id"], task)
            page, run = _write(
                project, run_log, _from_log(run_log, row), _beside(row, None), show_held_out=show_held_out
            )
            return page.path, run
        parts = [find_run(run_log, part) for part in parts_of(row).values()]
        sections = []
        for part in parts:
            page, run = _write(
                project, run_log, _from_log(run_log, part), _beside(row, None), show_held_out=show_held_out
            )
            sections.append(TaskSection(run=run, page=page))
        whole = _whole_from_log(run_log, row, [section.run for section in sections])
        return write_joint_report(_path(project, whole), whole, sections), whole


def _whole_from_log(run_log: RunLog, row: Row, parts: Sequence[RunSummary]) -> RunSummary:
    """A run of several tasks as its parts' sums."""
    usages = [_usage_of(run_log, part.run_id) for part in parts]
    payers = [row["run_id"], *(part.run_id for part in parts)]
    with run_log.reading() as connection:
        account = read_account(connection, payers, Usage.sum_of(usages))
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.statuses)
    return RunSummary(
        **_of_run(row),
        statuses=dict(sorted(statuses.items())),
        calls=account.paid_calls,
        cost_usd={model: cost for model, cost in account.paid_usd.items() if model not in account.unpriced},
        cost_usd_total=account.total_usd if account.is_priced else None,
        scope="all invocations",
        cache_hits=sum(part.cache_hits for part in parts),
        wall_s=(_time(row["updated_at"]) - _time(row["started_at"])).total_seconds(),
        notes=[*_notes(row), account.sentence()],
    )


def _usage_of(run_log: RunLog, run_id: str) -> Usage:
    usage = Usage()
    for _, outcome, _ in run_log.run_outcomes(run_id):
        usage.add(outcome)
    return usage


def _gold_of(golds: Mapping[str, ByGold], doc_id: str, shown: frozenset[str]) -> dict[str, Any] | None:
    held = golds.get(doc_id) if doc_id in shown else None
    return None if held is None else held.to_json()


def _write(
    project: Project, run_log: RunLog, run: RunSummary, beside: Beside, *, show_held_out: bool
) -> tuple[TaskPage, RunSummary]:
    """The page, and the summary as the page has it: it says whose gold is withheld, or what showing it spends."""
    golds = read_golds(run_log, run.run_id)
    texts = (
        {o["doc_id"]: text for _, o, text in run_log.run_outcomes(run.run_id) if o["doc_id"] in golds}
        if golds
        else {}
    )
    shown = showable(project.state, run_log, run.task, texts, how="report", held_out_too=show_held_out)
    if golds:
        run = replace(run, notes=[*run.notes, _tell_golds([golds[doc_id] for doc_id in sorted(shown)])])
    held = held_out_of(project.state, run.task, texts)
    if held:
        said = SPENT if show_held_out else f"held out by the gate: their gold is not shown. {SPENDS}"
        run = replace(run, notes=[*run.notes, f"{len(held)} documents: {said}"])
    entries = (
        DocumentEntry(
            outcome, text, gold=_gold_of(golds, outcome["doc_id"], shown), own=beside.at(position, text) or {}
        )
        for position, outcome, text in run_log.run_outcomes(run.run_id)
    )
    return write_task_page(_path(project, run), run, entries, _tidy_of(project, run.task)), run


def _tidy_of(project: Project, task: str) -> Tidy | None:
    """What the task's schema says of records; None of a one-off task, which the run log does not keep."""
    try:
        return tidy_of(load_task(task, project.prompts).schema)
    except CupelError:
        return None


def _tell_golds(golds: Sequence[ByGold]) -> str:
    """How right the records are of which gold is shown."""
    scores = [held.score for held in golds if held.score is not None]
    if not scores:
        return "by gold: no document was scored"
    right = sum(held.right is True for held in golds)
    return f"by gold: {right} of {len(scores)} right, {sum(scores) / len(scores):.3f} on average by the task's metric"


def _of_run(row: Row) -> dict[str, Any]:
    """What the run log's row of a run says."""
    models = read_cell(tables.runs.c.settings, row["settings"], row["run_id"]).get("models", {})
    return {
        "run_id": row["run_id"],
        "task": row["task"],
        "started_at": _time(row["started_at"]),
        "models": {role: models[role] for role in ROLES if role in models},
        "planned": _plan_of(row),
        "output": row["output_name"],
    }


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plan_of(row: Row) -> Planned | None:
    if not row["planned"]:
        return None
    plan = read_cell(tables.runs.c.planned, row["planned"], row["run_id"])
    time = plan["seconds"]
    cost = None if plan["unknown_price"] else plan["cost_usd"]["expected"]
    return Planned(
        cost_usd=cost,
        wall_s=None if time is None else time["expected"],
        calls=round(plan["calls"]["expected"]),
        tiers=[_plan_of_tier(tier) for tier in plan["tiers"]],
    )


def _plan_of_tier(tier: Mapping[str, Any]) -> PlannedTier:
    return PlannedTier(
        role=tier["tier"],
        calls=_expect(tier["calls"]),
        input_tokens=_expect(tier["input_tokens"]),
        output_tokens=_expect(tier["output_tokens"]),
        cost_usd=None if tier["cost_usd"] is None else _expect(tier["cost_usd"]),
        seconds=None if tier["seconds"] is None else _expect(tier["seconds"]),
    )


def _expect(estimate: Mapping[str, float]) -> Expected:
    return Expected(estimate["expected"], estimate["low"], estimate["high"])


def _notes(row: Row) -> list[str]:
    models = read_cell(tables.runs.c.settings, row["settings"], row["run_id"]).get("models", {})
    notes = []
    offline = [role for role, model in models.items() if model.startswith("offline:")]
    replayed = [role for role, model in models.items() if model.startswith("recorded:")]
    if offline:
        notes.append(f"{', '.join(offline)}: a smoke-test baseline for English, not a language model")
    if replayed:
        notes.append(f"{', '.join(replayed)}: recorded answers of a language model, replayed")
    if offline or replayed:
        notes.append("set GROQ_API_KEY, OPENAI_API_KEY or OPENROUTER_API_KEY to use a provider's models")
    return notes


def _from_log(run_log: RunLog, row: Row) -> RunSummary:
    statuses: Counter[str] = Counter()
    usage, reused = Usage(), 0
    for _, outcome, _ in run_log.run_outcomes(row["run_id"]):
        statuses[outcome["status"]] += 1
        usage.add(outcome)
        reused += sum(call["cached"] for _, call in calls_of(outcome))
    if gone := run_log.count_forgotten(row["run_id"]):
        statuses[FORGOTTEN] = gone
    pending = (row["rows"] or 0) - statuses.total()
    if pending > 0:
        statuses["pending"] = pending
    with run_log.reading() as connection:
        account = read_account(connection, [row["run_id"]], usage)
    notes = [
        "written anew from the run log: calls, cost and wall time are of all invocations together",
        account.sentence(),
    ]
    if row["kind"] == "trial":
        notes.append("a trial: its calls were paid by what tried it, and count there")
    if row["state"] != "finished":
        notes.append("this run was stopped: rows it has not reached are not counted")
    return RunSummary(
        **_of_run(row),
        statuses=dict(sorted(statuses.items())),
        calls=account.paid_calls,
        cost_usd={model: cost for model, cost in account.paid_usd.items() if model not in account.unpriced},
        cost_usd_total=account.total_usd if account.is_priced else None,
        scope="all invocations",
        cache_hits=reused,
        wall_s=(_time(row["updated_at"]) - _time(row["started_at"])).total_seconds(),
        notes=[*_notes(row), *notes],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUse:
    """What a run took so far, and the plan it was started with."""

    run: Row
    documents: int
    planned: dict[str, Any] | None
    used: dict[str, dict[str, Any]]
    """By tier, as a plan's tier has it."""

    account: Account
    tasks: tuple[RunUse, ...] = ()
    """Of a run of several tasks, what each took."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        named = {name: self.run[name] for name in ("run_id", "task", "state")}
        tasks = {"tasks": {use.run["task"]: use.to_json() for use in self.tasks}} if self.tasks else {}
        return {
            **named,
            **tasks,
            "documents": self.documents,
            "planned": self.planned,
            "used": self.used,
            "account": self.account.to_json(),
        }


def read_run_use(project: Project, wanted: str | None, task: str | None = None) -> RunUse:
    """What a run took, from the run log alone; the newest run where none is named.

    Args:
        project: The project.
        wanted: The run's id, or enough of its beginning.
        task: Only what this task took, of a run of several.

    Raises:
        InputError: If there is no such run.
    """
    with existing_run_log(project) as run_log:
        run = find_whole(run_log, wanted, task)
        if task is not None or not parts_of(run):
            return _use(run_log, find_run(run_log, run["run_id"], task))
        parts = tuple(_use(run_log, find_run(run_log, part)) for part in parts_of(run).values())
        usage = Usage.sum_of(_usage_of(run_log, part.run["run_id"]) for part in parts)
        payers = [run["run_id"], *(part.run["run_id"] for part in parts)]
        with run_log.reading() as connection:
            account = read_account(connection, payers, usage)
    documents = max(part.documents for part in parts)
    return RunUse(
        run=run, documents=documents, planned=None, used=usage.to_json(1), account=account, tasks=parts
    )


def _use(run_log: RunLog, run: Row) -> RunUse:
    """What a run of one task took."""
    plan = read_cell(tables.runs.c.planned, run["planned"], run["run_id"]) if run["planned"] else None
    usage, documents = Usage(), 0
    for _, outcome, _ in run_log.run_outcomes(run["run_id"]):
        usage.add(outcome)
        documents += 1
    with run_log.reading() as connection:
        account = read_account(connection, [run["run_id"]], usage)
    used = usage.to_json(plan["concurrency"] if plan else 1)
    return RunUse(run=run, documents=documents, planned=plan, used=used, account=account)
