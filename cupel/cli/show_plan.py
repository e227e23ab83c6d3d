"""What a run took, beside what was planned as it started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cupel._format import seconds, usd
from cupel.cli._console import open_console, print_json, table
from cupel.project import find_project
from cupel.report import read_run_use, safe

if TYPE_CHECKING:
    from rich.table import Table

    from cupel.report import RunUse

_FIELDS = ("calls", "input_tokens", "output_tokens", "cost_usd", "seconds")
_NOTHING = {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "seconds": 0.0}


def show_run(wanted: str | None, task: str | None = None, *, as_json: bool) -> None:
    """Print what a run took so far against its plan, from the run log alone; of several tasks, each."""
    use = read_run_use(find_project(), wanted, task)
    if as_json:
        print_json(use.to_json())
        return
    for each in use.tasks or (use,):
        _tell_use(each)
    if use.tasks:
        console = open_console()
        console.print(f"all tasks of run {use.run['run_id']}")
        console.print(use.account.sentence(), soft_wrap=True)


def _tell_use(use: RunUse) -> None:
    run, plan, console = use.run, use.planned, open_console()
    console.print(f"run {run['run_id']} · task {run['task']} · {safe(run['input_name'])} · {run['state']}")
    console.print(
        f"{use.documents:,} documents have an outcome"
        + (f", {plan['documents']:,} were planned" if plan else "")
    )
    console.print(compare_plan(plan, use.used))
    console.print(use.account.sentence(), soft_wrap=True)
    if plan is None:
        console.print("no plan was kept for this run")


def compare_plan(plan: Mapping[str, Any] | None, used: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for each tier and one for all: what was expected (95 % interval), and what it came to."""
    shown = table(
        "tier", ">calls", ">actual", ">tokens in", ">actual", ">tokens out", ">actual", ">cost", ">actual",
        ">waiting", ">actual", title="planned (95 %) and actual; answers from the run log at what they cost when paid",
    )  # fmt: skip
    tiers = {tier["tier"]: tier for tier in plan["tiers"]} if plan else {}
    for role in dict.fromkeys([*tiers, *used]):
        shown.add_row(role, *_cells(tiers.get(role), used.get(role, _NOTHING)))
    shown.add_section()
    shown.add_row("all", *_cells(plan, _sum(used)), style="bold")
    return shown


def in_a_line(plan: Mapping[str, Any], used: Mapping[str, Mapping[str, Any]]) -> str:
    """Calls and cost, planned and actual: what fits any window."""
    cells = list(_cells(plan, _sum(used)))
    calls, took, cost, spent = cells[0], cells[1], cells[6], cells[7]
    return f"planned: {calls} calls, {cost}; its rows took: {took} calls, {spent}; by tier in the report and `cupel show`"


def _sum(used: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _total([role[name] for role in used.values()]) for name in _FIELDS}


def _total(values: list[Any]) -> Any:
    return None if None in values else sum(values)


def _cells(planned: Mapping[str, Any] | None, used: Mapping[str, Any]) -> Iterator[str]:
    for name in _FIELDS:
        shown = _SHOWN.get(name, _whole)
        estimate = planned[name] if planned else None
        yield (
            "–"
            if estimate is None
            else f"{shown(estimate['expected'])} ({shown(estimate['low'])}–{shown(estimate['high'])})"
        )
        yield "unknown" if used[name] is None else shown(used[name])


def _whole(value: float) -> str:
    return f"{value:,.0f}"


_SHOWN: Mapping[str, Callable[[float], str]] = {"cost_usd": usd, "seconds": seconds}
