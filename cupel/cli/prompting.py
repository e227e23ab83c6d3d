"""What `cupel prompts` does: read the ledger, show versions, move the pointer and write the files."""

from __future__ import annotations

import asyncio
import difflib
import getpass
import sys
from pathlib import Path
from typing import Any

from cupel.cli.console import open_console, print_json, table
from cupel.errors import InputError
from cupel.improving import ledger_of, promote, rollback, stored_version
from cupel.project import Project, find_project
from cupel.refinement.edits import rules_diff
from cupel.refinement.guards import prompt_objection
from cupel.refinement.ledger import Ledger
from cupel.refinement.versions import rule_rows, version_of
from cupel.report.text import safe
from cupel.runlog import now
from cupel.tasks import TaskSpec, load_task


def list_versions(task_name: str, *, as_json: bool) -> None:
    """Print every version of a task with its state, its gate's figures and its lineage."""
    project = find_project()
    task, ledger = load_task(task_name, project.prompts), ledger_of(project.state)
    rows = [
        _row(entry.data, entry.at, ledger, task) for entry in ledger.entries(task=task_name, kind="version")
    ]
    if version_of(task) not in {row["version"] for row in rows}:
        rows.append(_row({"version": version_of(task), "author": "file"}, "", ledger, task))
    if as_json:
        print_json(rows)
        return
    made = table("version", "state", "from", "by", "tried", ">before", ">after", ">gain", ">p", "decision")
    for row in rows:
        gate = row["gate"] or {}
        figures = [
            f"{100 * gate[name]:.1f}" if gate.get(name) is not None else "–"
            for name in ("before", "after", "gain")
        ]
        p = f"{gate['p']:.3g}" if gate.get("p") is not None else "–"
        made.add_row(
            row["version"], row["state"], row["parent"] or "–", safe(row["author"]), row["at"][:10] or "–", *figures, p,
            gate.get("decision", "–"),
        )  # fmt: skip
    open_console().print(made)


def _row(data: Any, at: str, ledger: Ledger, task: TaskSpec) -> dict[str, Any]:
    version = data["version"]
    decisions = [
        e.data for e in ledger.entries(task=task.name, kind="decision") if e.data["version"] == version
    ]
    last = decisions[-1] if decisions else None
    shown = ("decision", "before", "after", "gain", "p", "n", "look", "reasons")
    return {
        "version": version,
        "state": _state(version, last, ledger, task),
        "parent": data.get("parent"),
        "author": data.get("author", ""),
        "at": at,
        "gate": {name: last.get(name) for name in shown} if last else None,
    }


def _state(version: str, decision: Any, ledger: Ledger, task: TaskSpec) -> str:
    if version == version_of(task):
        return "in the folder"
    if version in ledger.history(task.name):
        return "was active"
    if decision is not None and decision["decision"] == "promote":
        return "nominee" if decision["against"] == version_of(task) else "outdated nominee"
    return {"reject": "rejected", "inconclusive": "inconclusive"}.get(
        (decision or {}).get("decision", ""), "tried"
    )


def show_diff(task_name: str, old: str, new: str) -> None:
    """Print the difference of two versions, rules first."""
    project = find_project()
    one = stored_version(project.prompts, project.state, task_name, old)
    other = (
        stored_version(project.prompts, project.state, task_name, new)
        if new
        else load_task(task_name, project.prompts)
    )
    told = rules_diff(one.rules, other.rules).splitlines()
    before, after = (spec.prompts["extract"].splitlines() for spec in (one, other))
    told += difflib.unified_diff(before, after, "before/extract.md", "after/extract.md", lineterm="", n=1)
    console = open_console()
    for line in told or ["they say the same"]:
        console.print(safe(line), soft_wrap=True)


def move(how: str, task: str, version: str) -> None:
    """Promote or roll back, one process at a time."""
    project = find_project()
    with ledger_of(project.state).session(task):
        moved = {"promote": promote, "rollback": rollback}[how](
            project.prompts, project.state, task, version, getpass.getuser()
        )
    print(f"{task} is at {moved}", file=sys.stderr)


def pull(task_name: str, assistant: str, url: str) -> None:
    """Write an assistant's edited extract prompt as a candidate file, and note it in the ledger."""
    project = find_project()
    task = load_task(task_name, project.prompts)
    text = asyncio.run(_assistant_prompt(assistant, url))
    if lost := prompt_objection(task.prompts["extract"], text):
        raise InputError(f"assistant {assistant}: its extract_prompt cannot be a candidate: {lost}")
    path = _written(project, task, text)
    print(f"{path}\ntest it with `cupel improve FILE --task {task_name} --candidate {path}`")


async def _assistant_prompt(assistant: str, url: str) -> str:
    from langgraph_sdk import get_client

    try:
        found = await get_client(url=url, api_key=None).assistants.get(assistant)
    except Exception as error:
        raise InputError(
            f"{url}: assistant {assistant!r} could not be read ({type(error).__name__}: {error})"
        ) from error
    context: Any = found.get("context") or {}
    text = context.get("extract_prompt")
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"assistant {assistant!r} has no extract_prompt of its own; edit it in Studio and save it"
        )
    return text


def _written(project: Project, task: TaskSpec, text: str) -> Path:
    from cupel.refinement.versions import changed

    made = changed(task, task.rules, text)
    path = project.state / "refinement" / "candidates" / f"{task.name}-{version_of(made)}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    data = {
        "version": version_of(made), "parent": version_of(task), "author": "studio", "rules": rule_rows(made.rules),
        "extract": text,
    }  # fmt: skip
    ledger_of(project.state).append("version", task=task.name, key=version_of(made), at=now(), data=data)
    return path
