"""What `cupel judge-check` does: read labels or a run's records, ask the judge, and say what it is worth."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cupel.api import judge_check
from cupel.cli._console import open_console, print_json, table
from cupel.evaluation import JudgeReport, SpoiledReport
from cupel.judging import UNCHANGED, IntervalEstimate
from cupel.report import safe


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
    checked = judge_check(labels, task_name, run=run, limit=limit, max_usd=max_usd, **settings)
    report = checked.report
    for note in report.notes if isinstance(report, JudgeReport) else ():
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(checked.to_json())
    elif isinstance(report, SpoiledReport):
        tell_mutations(report, checked.judge)
    else:
        tell_agreement(report, checked.judge)


def tell_mutations(told: SpoiledReport, judge: str) -> None:
    """Print caught and missed per mutation; what was missed with one example each."""
    rows = told.rows
    by_items = any(item.verdict.get("way") for item in told.every)
    console = open_console()
    shown = table(
        ">spoiled",
        "mutation",
        ">by code",
        ">by the judge",
        ">missed",
        ">noticed",
        ">unknown",
        ">caught",
        "95 %",
        *([">place named", ">in the unspoiled"] if by_items else []),
    )
    for row in rows:
        total = row.caught_by_code + row.caught_by_judge + row.missed + row.unknown
        name = "unchanged (false alarms)" if row.name == UNCHANGED else row.name
        shown.add_row(
            str(total), name, str(row.caught_by_code), str(row.caught_by_judge), str(row.missed), str(row.noticed), str(row.unknown),
            "–" if row.rate is None else f"{100 * row.rate:.0f} %", _interval(row.interval),
            *([f"{row.found} of {total}" if row.name != UNCHANGED else "", str(row.alarms)] if by_items else []),
        )  # fmt: skip
    console.print(f"judge {judge}: records spoiled on purpose")
    console.print(shown)
    if any(row.noticed for row in rows):
        console.print(
            "noticed: accepted, though the judge found fault with an item, or a criterion that does not reject by itself",
            soft_wrap=True,
        )
    open_ones = [item.verdict["reason"] for item in told.every if item.verdict["verdict"] == "unknown"]
    if open_ones:
        console.print(
            safe(f"{len(open_ones)} without a judgement, such as: {open_ones[0]}")[:300], soft_wrap=True
        )
    for item in list({i.mutation.name: i for i in told.missed}.values()):
        words = f"  missed {item.mutation.name} · {item.doc_id} {item.mutation.path}: {item.mutation.detail}"
        console.print(safe(words)[:240], soft_wrap=True)


def tell_agreement(report: JudgeReport, judge: str) -> None:
    """Print the agreement with people, and whether the judge may decide."""
    console = open_console()
    shown = table(
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
    for name, one in report.agreements.items():
        shown.add_row(
            name, str(one.n), str(one.false_pass), str(one.false_fail), str(one.unknown), _show(one.tpr), _show(one.tnr),
            _show(one.kappa), f"advisory: {one.why}" if one.advisory else "yes",
        )  # fmt: skip
    console.print(f"judge {judge} against people")
    console.print(shown)
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
    if report.measurement is not None:
        console.print(f"AUROC of its estimate: {_show(report.measurement.auroc)}")
        only = (
            "only advises: it is shown and decides nothing"
            if report.measurement.measure.advisory
            else "decides"
        )
        console.print(
            f"from now on this judge {only}, with this prompt and way; --advisory-judge says otherwise for one run",
            soft_wrap=True,
        )


def _interval(interval: Any) -> str:
    return f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %"


def _show(value: IntervalEstimate) -> str:
    number = "–" if value.value is None else f"{value.value:.2f}"
    return f"{number} [{value.interval.low:.2f}, {value.interval.high:.2f}]"
