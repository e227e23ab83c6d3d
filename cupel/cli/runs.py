"""What `cupel runs` prints: the runs of the run log, newest first."""

from __future__ import annotations

from cupel.cli._console import open_console, print_json, table
from cupel.project import find_project
from cupel.report import safe
from cupel.runlog import list_runs


def show_runs(task: str | None, *, trials: bool, limit: int, as_json: bool) -> None:
    """Print the runs."""
    every = list_runs(find_project(), task, trials=trials)
    if as_json:
        print_json(every[:limit])
        return
    console = open_console()
    if not every:
        console.print(
            f"no run{f' of task {task}' if task else ''} yet; `cupel run FILE --task TASK` makes one"
        )
        return
    lines = table("run", "task", "what", "state", ">rows", "input", "last at")
    for row in every[:limit]:
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
    if len(every) > limit:
        console.print(f"{len(every) - limit} more: --limit {len(every)} shows them")
