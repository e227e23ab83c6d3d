"""What `cupel prompts` does: read the ledger, show versions, move the pointer and write the files."""

from __future__ import annotations

import sys
from pathlib import Path

from cupel.api import prompts
from cupel.cli._console import open_console, print_json, table
from cupel.errors import UsageError
from cupel.improvement import (
    Ledger,
    as_version,
    copy_prompt,
    diff_versions,
    keep_edit,
    known_version,
    ledger_of,
    promote,
    rollback,
    version_diff,
    version_of,
)
from cupel.project import find_project, user_name
from cupel.report import safe
from cupel.task import TaskSpec, load_task


def list_versions(task_name: str, *, as_json: bool) -> None:
    """Print every version of a task with its state, its gate's figures and its lineage."""
    rows = prompts(task_name)
    if as_json:
        print_json(rows.to_json())
        return
    shown = table("version", "state", "from", "by", "tried", ">before", ">after", ">gain", ">p", "decision")
    for row in rows:
        gate = row["gate"] or {}
        figures = [
            f"{100 * gate[name]:.1f}" if gate.get(name) is not None else "–"
            for name in ("before", "after", "gain")
        ]
        p = f"{gate['p']:.3g}" if gate.get("p") is not None else "–"
        shown.add_row(
            row["version"], row["state"], row["parent"] or "–", safe(row["author"]), row["at"][:10] or "–", *figures, p,
            gate.get("decision", "–"),
        )  # fmt: skip
    console = open_console()
    console.print(shown)
    for row in rows:
        # a decision that holds no more is not shown as one
        if row["holds"] is False and row["state"] == "outdated nominee":
            console.print(safe(f"{row['version']} holds no more: {'; '.join(row['doubts'])}"), soft_wrap=True)


def show_diff(task_name: str, old: str, new: str) -> None:
    """Print the difference of two versions, rules first."""
    lines = diff_versions(find_project(), task_name, old, new).splitlines()
    console = open_console()
    for line in lines or ["they say the same"]:
        console.print(safe(line), soft_wrap=True)


def copy_to(task_name: str, folder: Path) -> None:
    """Copy a prompt into a folder, and print what to do with it."""
    task = load_task(task_name, find_project().prompts)
    names = copy_prompt(task, folder)
    print(f"{folder}: {', '.join(names)}, as {task_name} {version_of(task)} has them")
    print(
        f"next: edit them, then cupel failures --task {task_name} --rerun DATASET --prompt {folder}",
        file=sys.stderr,
    )


def move(how: str, task_name: str, version: str, *, yes: bool = False) -> None:
    """Promote or roll back, one process at a time; an edit of the folder that would go is kept, shown, and asked about."""
    project = find_project()
    ledger = ledger_of(project.state)
    with ledger.session(task_name):
        task = load_task(task_name, project.prompts)
        if not _may_replace(task, ledger, version, yes=yes):
            return
        moved = {"promote": promote, "rollback": rollback}[how](
            project.prompts, project.state, task_name, version, user_name()
        )
    print(f"{task_name} is at {moved}", file=sys.stderr)


def _may_replace(task: TaskSpec, ledger: Ledger, version: str, *, yes: bool) -> bool:
    """Whether the folder's prompt may go; one that somebody edited since the last move is kept first, and asked about.

    Raises:
        UsageError: Where nobody can be asked.
    """
    active, at = ledger.active(task.name), version_of(task)
    if active is None or at in (active, known_version(ledger, task.name, version).key):
        return True
    keep_edit(ledger, task)
    known = known_version(ledger, task.name, active).data
    if "rules" in known:
        for line in version_diff(as_version(task, known), task).splitlines():
            print(safe(line), file=sys.stderr)
    said = f"prompts/{task.name} was edited since {active}: that edit is kept as version {at}"
    if yes:
        print(said, file=sys.stderr)
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            f"{said}, and would be replaced. Give --yes to replace it, or test it: {_test(task.name, at)}"
        )
    print(said, file=sys.stderr)
    if input(f"Write {version} in its place? [y/N] ").strip().lower() in {"y", "yes"}:
        return True
    print(f"nothing was changed; test the edit: {_test(task.name, at)}", file=sys.stderr)
    return False


def _test(task: str, version: str) -> str:
    return f"cupel improve FILE --task {task} --candidate {version}"
