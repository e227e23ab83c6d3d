"""The versions of a task's prompt as a person sees them: where each stands, and whether what the gate said of it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cupel.improvement.entries import Book, Entry
from cupel.improvement.ledger import ledger_of
from cupel.improvement.steps.promote import decision_doubts, load_version
from cupel.improvement.versions import version_diff, version_of
from cupel.project import Project
from cupel.task import TaskSpec, load_task


def list_versions(project: Project, task_name: str) -> list[dict[str, Any]]:
    """Every version of a task, oldest first, with its state, its gate's figures and its lineage; the folder's last if new."""
    task = load_task(task_name, project.prompts)
    book = ledger_of(project.state).book(task_name)
    rows = [_row(entry.data, entry.at, book, task, project) for entry in book.kind("version")]
    if version_of(task) not in {row["version"] for row in rows}:
        rows.append(_row({"version": version_of(task), "author": "file"}, "", book, task, project))
    return rows


def diff_versions(project: Project, task_name: str, old: str, new: str = "") -> str:
    """How two versions differ, and in what; the folder's prompt where the new one is not named.

    Raises:
        UsageError: For no such version.
    """
    one = load_version(project.prompts, project.state, task_name, old)
    other = (
        load_version(project.prompts, project.state, task_name, new)
        if new
        else load_task(task_name, project.prompts)
    )
    return version_diff(one, other)


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
