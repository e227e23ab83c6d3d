"""What `cupel prompts` does: read the ledger, show versions, move the pointer and write the files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from cupel.cli._console import open_console, print_json, table
from cupel.improvement import (
    Book,
    Entry,
    decision_doubts,
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


def move(how: str, task: str, version: str) -> None:
    """Promote or roll back, one process at a time."""
    project = find_project()
    with ledger_of(project.state).session(task):
        moved = {"promote": promote, "rollback": rollback}[how](
            project.prompts, project.state, task, version, user_name()
        )
    print(f"{task} is at {moved}", file=sys.stderr)
