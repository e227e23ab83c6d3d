"""What `cupel runs` prints: the runs of the run log, newest first."""

from __future__ import annotations

from cupel.api import list_runs
from cupel.cli._console import open_console, print_json, table
from cupel.report import safe


def show_runs(task: str | None, *, trials: bool, limit: int, as_json: bool) -> None:
    """Print the runs."""
    every = list_runs(task, trials=trials, limit=limit)
    if as_json:
        print_json(every.to_json())
        return
    console = open_console()
    if not every:
        console.print(
            f"no run{f' of task {task}' if task else ''} yet; `cupel run FILE --task TASK` makes one"
        )
        return
    lines = table("run", "task", "what", "state", ">rows", "input", "last at")
    for row in every:
        rows = "–" if row["rows"] is None else str(row["rows"])
        lines.add_row(
            row["run_id"],
            safe(row["task"]),
            row["kind"],
            row["state"],
            rows,
            safe(row["input_name"]),
            row["updated_at"],
        )
    console.print(lines)
    if every.more:
        console.print(f"{every.more} more: --limit {len(every) + every.more} shows them")
