"""A run's summary for a person, on stderr and stdout."""

from __future__ import annotations

from typing import Any

from cupel.cli._console import open_console


def tell_run(summary: dict[str, Any]) -> None:
    """Print what became of the documents, what it cost, and where everything is."""
    from rich.table import Table

    console = open_console()
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
    if summary["calls"]:
        spent = Table(title="this invocation")
        for name in ("model", "calls", "cost USD"):
            spent.add_column(name, justify="left" if name == "model" else "right")
        for model, calls in summary["calls"].items():
            unknown = model in summary["unknown_price"]
            spent.add_row(
                model, str(calls), "unknown" if unknown else f"{summary['cost_usd'].get(model, 0.0):.4f}"
            )
        console.print(spent)
    else:
        console.print("no model was called in this invocation")
    if summary.get("planned"):
        from cupel.cli.show_plan import in_a_line

        console.print(in_a_line(summary["planned"], summary["used"]), highlight=False, soft_wrap=True)
    console.print(
        f"cost of the run so far: ${summary['cost_usd_total']:.4f} · {summary['wall_s']:.1f} s",
        highlight=False,
    )
    if (audits := summary.get("audits")) and audits["false_pass_rate"] is not None:
        low, high = audits["interval"]
        console.print(
            f"audits: {audits['rejected']} of {audits['audited']} accepted records rejected by a second judge: false-pass "
            f"rate {100 * audits['false_pass_rate']:.1f} % [{100 * low:.1f}, {100 * high:.1f}], its own mistakes included",
            highlight=False,
            soft_wrap=True,
        )
    for note in summary.get("notes", ()):
        console.print(f"note: {note}", highlight=False, style="yellow")
    console.print(f"output: {summary['output']}", highlight=False, soft_wrap=True)
    if summary.get("report"):
        console.print(f"report: {summary['report']}", highlight=False, soft_wrap=True)
