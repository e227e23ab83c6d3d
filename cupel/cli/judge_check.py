"""What `cupel judge-check` does: read labels or a run's records, ask the judge, and say what it is worth."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cupel.cli._console import open_console, print_json, table
from cupel.context import RunContext, run_context
from cupel.errors import InputError, SettingError
from cupel.evaluation import (
    Case,
    JudgeReport,
    Spoiled,
    against_people,
    cases_of_run,
    judge_spoiled,
    read_cases,
    verdicts_on,
)
from cupel.judging import UNCHANGED, Agreement, IntervalEstimate, MutationTally
from cupel.models import resolve_models
from cupel.project import Project, find_project
from cupel.report import safe
from cupel.runlog import existing_run_log, find_run
from cupel.runs import open_bench
from cupel.state import Outcome
from cupel.task import TaskSpec, load_task


def check_judge(
    labels: Path | None,
    task_name: str,
    run: str | None,
    *,
    settings: Mapping[str, Any],
    limit: int | None,
    max_usd: float | None,
    as_json: bool,
) -> None:
    """Run the check and print it."""
    project = find_project()
    task, context = load_task(task_name, project.prompts), run_context(settings, os.environ)
    judge = resolve_models(context, os.environ).judge
    if not judge:
        raise SettingError("no judge is attached; name one with --judge-model, or use --profile demo")
    if labels is None:
        cases = cases_of_run(_run_rows(project, task_name, run), task, limit)
        if not cases:
            raise InputError(f"the run of {task_name!r} holds no record to spoil")
        rows, every = asyncio.run(_spoil(project, cases, task, context, max_usd))
        tell_mutations(rows, every, judge, as_json=as_json)
        return
    if not labels.is_file():
        raise InputError(f"{labels}: there is no such file")
    cases = read_cases(labels, task)[:limit]
    outcomes = [outcome for _, outcome, _ in _run_rows(project, task_name, run)] if run else []
    report = asyncio.run(_compare(project, cases, task, context, outcomes, max_usd))
    tell_agreement(report, judge, as_json=as_json)


def _run_rows(project: Project, task: str, run: str | None) -> list[tuple[int, Outcome, str]]:
    with existing_run_log(project) as log:
        if run is None:
            of_task = [row["run_id"] for row in log.runs() if row["task"] == task]
            if not of_task:
                raise InputError(
                    f"no run of task {task!r} in {log.name}; `cupel run FILE --task {task}` makes one"
                )
            run = of_task[0]
        return list(log.run_outcomes(find_run(log, run)["run_id"]))


async def _spoil(
    project: Project, cases: Sequence[Case], task: TaskSpec, context: RunContext, max_usd: float | None
) -> tuple[list[MutationTally], list[Spoiled]]:
    async with open_bench(project, _name("spoil", cases, task), max_usd=max_usd):
        return await judge_spoiled(cases, task, context)


async def _compare(
    project: Project,
    cases: Sequence[Case],
    task: TaskSpec,
    context: RunContext,
    outcomes: Sequence[Outcome],
    max_usd: float | None,
) -> JudgeReport:
    async with open_bench(project, _name("labels", cases, task), max_usd=max_usd):
        judge = resolve_models(context, os.environ).judge
        return against_people(cases, await verdicts_on(cases, task, context), outcomes, judge=judge)


def _name(kind: str, cases: Sequence[Case], task: TaskSpec) -> str:
    ids = "\x1f".join(case.doc_id for case in cases)
    return "judge-" + hashlib.sha256(f"{kind}\x1f{task.identity}\x1f{ids}".encode()).hexdigest()[:12]


def tell_mutations(
    rows: Sequence[MutationTally], every: Sequence[Spoiled], judge: str, *, as_json: bool
) -> None:
    """Print caught and missed per mutation; what was missed with one example each."""
    missed = [
        item for item in every if item.verdict["verdict"] == "accepted" and item.mutation.name != UNCHANGED
    ]
    if as_json:
        print_json(
            {
                "judge": judge,
                "mutations": [_tally_json(row) for row in rows],
                "missed": [_tell_missed(i) for i in missed],
            }
        )
        return
    console = open_console()
    made = table(
        ">spoiled",
        "mutation",
        ">by code",
        ">by the judge",
        ">missed",
        ">noticed",
        ">unknown",
        ">caught",
        "95 %",
    )
    for row in rows:
        total = row.caught_by_code + row.caught_by_judge + row.missed + row.unknown
        name = "unchanged (false alarms)" if row.name == UNCHANGED else row.name
        made.add_row(
            str(total), name, str(row.caught_by_code), str(row.caught_by_judge), str(row.missed), str(row.noticed), str(row.unknown),
            "–" if row.rate is None else f"{100 * row.rate:.0f} %", _interval(row.interval),
        )  # fmt: skip
    console.print(f"judge {judge}: records spoiled on purpose")
    console.print(made)
    if any(row.noticed for row in rows):
        console.print(
            "noticed: accepted, though the judge failed a criterion that does not reject by itself",
            soft_wrap=True,
        )
    open_ones = [item.verdict["reason"] for item in every if item.verdict["verdict"] == "unknown"]
    if open_ones:
        console.print(
            safe(f"{len(open_ones)} without a judgement, such as: {open_ones[0]}")[:300], soft_wrap=True
        )
    for item in list({i.mutation.name: i for i in missed}.values()):
        told = f"  missed {item.mutation.name} · {item.doc_id} {item.mutation.path}: {item.mutation.detail}"
        console.print(safe(told)[:240], soft_wrap=True)


def _tally_json(row: MutationTally) -> dict[str, Any]:
    return {
        "mutation": row.name, "caught_by_code": row.caught_by_code, "caught_by_judge": row.caught_by_judge,
        "missed": row.missed, "noticed": row.noticed, "unknown": row.unknown, "rate": row.rate, "interval": list(_pair(row.interval)),
    }  # fmt: skip


def _tell_missed(item: Spoiled) -> dict[str, str]:
    return {
        "doc_id": item.doc_id,
        "mutation": item.mutation.name,
        "path": item.mutation.path,
        "detail": item.mutation.detail,
    }


def tell_agreement(report: JudgeReport, judge: str, *, as_json: bool) -> None:
    """Print the agreement with people, and whether the judge may decide."""
    rows = {**({"verdict": report.verdict} if report.verdict else {}), **report.criteria}
    if as_json:
        told = {name: _agreement_json(found) for name, found in rows.items()}
        rate = _estimate(report.pass_rate) if report.pass_rate else None
        print_json(
            {
                "judge": judge,
                "agreement": told,
                "passed": report.passed,
                "decided": report.decided,
                "corrected": rate,
                "false_pass": _false_pass_json(report),
            }
        )
        return
    console = open_console()
    made = table(
        "",
        ">n",
        ">false pass",
        ">false fail",
        ">unknown",
        "passes the good",
        "fails the bad",
        "kappa",
        "may decide",
    )
    for name, found in rows.items():
        made.add_row(
            name, str(found.n), str(found.false_pass), str(found.false_fail), str(found.unknown), _show(found.tpr),
            _show(found.tnr), _show(found.kappa), f"advisory: {found.why}" if found.advisory else "yes",
        )  # fmt: skip
    console.print(f"judge {judge} against people")
    console.print(made)
    if report.pass_rate is not None:
        raw = f"{report.passed} of {report.decided} passed"
        console.print(
            f"pass rate of the run: {raw}; corrected for the judge's mistakes {_show(report.pass_rate)}"
        )
    if report.false_pass is not None:
        seen = IntervalEstimate(report.false_pass.rate, report.false_pass.interval)
        fixed = report.false_pass_corrected
        console.print(
            f"false-pass rate of the run, as it audited {report.false_pass.audited} acceptances: {_show(seen)}"
            + (f"; corrected for its mistakes {_show(fixed)}" if fixed is not None else "")
        )
    if report.verdict is not None and report.verdict.advisory:
        console.print(
            "run with CUPEL_ADVISORY_JUDGE=true until it agrees better: it is shown and decides nothing"
        )


def _false_pass_json(report: JudgeReport) -> dict[str, Any] | None:
    found, fixed = report.false_pass, report.false_pass_corrected
    if found is None:
        return None
    told = {"rate": found.rate, "interval": list(found.interval), "audited": found.audited}
    return told | {"corrected": _estimate(fixed) if fixed is not None else None}


def _agreement_json(found: Agreement) -> dict[str, Any]:
    counts = ("n", "both_pass", "false_pass", "false_fail", "both_fail", "unknown", "advisory", "why")
    rates = {name: _estimate(getattr(found, name)) for name in ("tpr", "tnr", "kappa")}
    return {name: getattr(found, name) for name in counts} | rates


def _estimate(value: IntervalEstimate) -> dict[str, Any]:
    return {"value": value.value, "interval": list(_pair(value.interval))}


def _pair(interval: Any) -> tuple[float, float]:
    return (interval.low, interval.high)


def _interval(interval: Any) -> str:
    return f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %"


def _show(value: IntervalEstimate) -> str:
    number = "–" if value.value is None else f"{value.value:.2f}"
    return f"{number} [{value.interval.low:.2f}, {value.interval.high:.2f}]"
