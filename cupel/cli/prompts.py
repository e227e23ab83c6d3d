"""What `cupel prompts` does: read the ledger, show versions, move the pointer and write the files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cupel.cli._console import open_console, print_json, table
from cupel.errors import UsageError
from cupel.improvement import (
    Book,
    Entry,
    Ledger,
    as_version,
    copy_prompt,
    decision_doubts,
    keep_edit,
    known_version,
    ledger_of,
    load_version,
    promote,
    rollback,
    version_diff,
    version_of,
)
from cupel.project import Project, find_project, user_name
from cupel.report import safe
from cupel.task import TaskSpec, load_task


def list_versions(task_name: str, *, as_json: bool) -> None:
    """Print every version of a task with its state, its gate's figures and its lineage."""
    project = find_project()
    task = load_task(task_name, project.prompts)
    book = ledger_of(project.state).book(task_name)
    rows = [_row(entry.data, entry.at, book, task, project) for entry in book.kind("version")]
    if version_of(task) not in {row["version"] for row in rows}:
        rows.append(_row({"version": version_of(task), "author": "file"}, "", book, task, project))
    if as_json:
        print_json(rows)
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


def _row(data: Any, at: str, book: Book, task: TaskSpec, project: Project) -> dict[str, Any]:
    version = data["version"]
    decisions = [entry for entry in book.kind("decision") if entry.data["version"] == version]
    last = decisions[-1].data if decisions else None
    doubts = _doubts(project, task, book, decisions, data)
    shown = ("decision", "before", "after", "gain", "p", "n", "groups", "look", "reasons")
    return {
        "version": version,
        "state": _state(version, last, book, task, doubts=doubts),
        "parent": data.get("parent"),
        "author": data.get("author", ""),
        "at": at,
        "gate": {name: last.get(name) for name in shown} if last else None,
        "holds": None if last is None or last["decision"] != "promote" else not doubts,
        "doubts": doubts,
    }


def _doubts(
    project: Project, task: TaskSpec, book: Book, decisions: Sequence[Entry], version: Any
) -> list[str]:
    """Why no decision to promote a version holds; empty where one does, or none was made."""
    passed = [entry for entry in decisions if entry.data["decision"] == "promote"]
    each = [decision_doubts(project, task, book, entry, version) for entry in passed]
    return [] if not each or [] in each else each[-1]


def _state(version: str, decision: Any, book: Book, task: TaskSpec, *, doubts: Sequence[str]) -> str:
    if version == version_of(task):
        return "in the folder"
    if version in {move.data[end] for move in book.moves("local") for end in ("from", "version")}:
        return "was active"
    if decision is not None and decision["decision"] == "promote":
        return "outdated nominee" if doubts else "nominee"
    return {"reject": "rejected", "inconclusive": "inconclusive"}.get(
        (decision or {}).get("decision", ""), "tried"
    )


def show_diff(task_name: str, old: str, new: str) -> None:
    """Print the difference of two versions, rules first."""
    project = find_project()
    one = load_version(project.prompts, project.state, task_name, old)
    other = (
        load_version(project.prompts, project.state, task_name, new)
        if new
        else load_task(task_name, project.prompts)
    )
    lines = version_diff(one, other).splitlines()
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
