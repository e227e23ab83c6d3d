"""A run's summary for a person, on stderr and stdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cupel.cli._console import open_console

if TYPE_CHECKING:
    from rich.console import Console


def tell_run(summary: dict[str, Any]) -> None:
    """Print what became of the documents, what it cost, and where everything is."""
    console = open_console()
    tasks: dict[str, dict[str, Any]] = summary.get("tasks") or {}
    if tasks:
        _tell_tasks(console, summary, tasks)
    else:
        _tell_statuses(console, summary)
    _tell_money(console, summary)
    for task, said in tasks.items() or [("", summary)]:
        _tell_audits(console, said, f"{task}: " if task else "")
    if gold := summary.get("gold"):
        _say(console, gold_in_words(gold))
    for note in summary.get("notes", ()):
        _say(console, f"note: {note}", style="yellow")
    _say(console, f"output: {summary['output']}")
    items = summary.get("tidy")
    for path in items.values() if isinstance(items, dict) else [items] if items else []:
        _say(console, f"items: {path}")
    if summary.get("report"):
        _say(console, f"report: {summary['report']}")


def _tell_audits(console: Console, summary: dict[str, Any], lead: str) -> None:
    if (audits := summary.get("audits")) and audits["false_pass_rate"] is not None:
        low, high = audits["interval"]
        _say(
            console,
            f"{lead}audits: {audits['rejected']} of {audits['audited']} accepted records rejected by a second judge: false-pass "
            f"rate {100 * audits['false_pass_rate']:.1f} % [{100 * low:.1f}, {100 * high:.1f}], its own mistakes included",
        )


def gold_in_words(gold: Mapping[str, Any]) -> str:
    """How right a run's records are by gold, and what is wrong with the others."""
    withheld = f"; {gold['withheld']} held out by the gate are not counted" if gold["withheld"] else ""
    unanswered = (
        f"; {gold['unanswered']} were not answered and count neither way" if gold["unanswered"] else ""
    )
    if not gold["documents"]:
        return f"by gold ({gold['source']}): no document was scored{unanswered}{withheld}"
    low, high = gold["interval"]
    faults = ", ".join(f"{name} in {count}" for name, count in gold["faults"].items())
    return (
        f"by gold ({gold['source']}): {gold['right']} of {gold['documents']} right [{100 * low:.0f}–{100 * high:.0f} %], "
        f"{gold['metric']} {gold['mean']:.3f} on average"
        + (f"; {faults}" if faults else "")
        + unanswered
        + withheld
    )


def _say(console: Console, text: str, **more: Any) -> None:
    console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True, **more)


def _tell_statuses(console: Console, summary: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(
        title=f"{summary['documents']} documents · task {summary['task']} · run {summary['run_id']}"
    )
    table.add_column("status")
    table.add_column("documents", justify="right")
    for status, count in summary["statuses"].items():
        table.add_row(status, str(count))
    table.add_row("of these escalated", str(summary["escalated"]), style="dim")
    if summary.get("duplicates"):
        table.add_row("of these repeating an earlier row", str(summary["duplicates"]), style="dim")
    console.print(table)
    if failures := summary.get("failures"):
        common = failures["commonest"]
        _say(
            console,
            f"{failures['rows']} failed; the commonest reason ({common['rows']}): {common['reason']}",
        )


def _tell_tasks(console: Console, summary: dict[str, Any], tasks: dict[str, dict[str, Any]]) -> None:
    """A row for each task; how many of its documents ended how."""
    from rich.table import Table

    table = Table(title=f"{summary['documents']} documents · {len(tasks)} tasks · run {summary['run_id']}")
    statuses = list(dict.fromkeys(name for said in tasks.values() for name in said["statuses"]))
    table.add_column("task")
    for name in (*statuses, "escalated", "repeats"):
        table.add_column(name, justify="right")
    for task, said in tasks.items():
        counts = [said["statuses"].get(name, 0) for name in statuses]
        table.add_row(task, *map(str, (*counts, said["escalated"], said["duplicates"])))
    console.print(table)
    for task, said in tasks.items():
        if failures := said["failures"]:
            common = failures["commonest"]
            _say(
                console,
                f"{task}: {failures['rows']} failed; the commonest reason ({common['rows']}): {common['reason']}",
            )


def _tell_money(console: Console, summary: dict[str, Any]) -> None:
    """What was asked now; what the answers on the rows took, beside the plan; and what the run paid for them."""
    from rich.table import Table

    if summary["calls"]:
        spent = Table(title="asked in this invocation")
        for name in ("model", "calls", "cost USD"):
            spent.add_column(name, justify="left" if name == "model" else "right")
        for model, calls in summary["calls"].items():
            unknown = model in summary["unknown_price"]
            cost = "unknown" if unknown else f"{summary['cost_usd'].get(model, 0.0):.4f}"
            spent.add_row(model, str(calls), cost)
        console.print(spent)
    else:
        hits = summary["cache_hits"]
        found = f"; {hits} answers were found in the run log" if hits else ""
        _say(console, f"no model was asked in this invocation{found}")
    tasks: dict[str, dict[str, Any]] = summary.get("tasks") or {"": summary}
    for task, said in tasks.items():
        if said.get("planned"):
            from cupel.cli.show_plan import in_a_line

            _say(console, (f"{task}: " if task else "") + in_a_line(said["planned"], said["used"]))
    _say(console, f"cost of the run so far: ${summary['cost_usd_total']:.4f} · {summary['wall_s']:.1f} s")
    _say(console, summary["paid_and_used"])
