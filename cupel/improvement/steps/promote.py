"""A nominee approved, promoted, or taken back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cupel.errors import UsageError
from cupel.improvement.candidates import candidate_of
from cupel.improvement.entries import Book, Entry
from cupel.improvement.evidence import WORDS, evidence_now
from cupel.improvement.ledger import Ledger, ledger_of
from cupel.improvement.versions import as_version, keep_edit, known_version, publish, rules_of, version_of
from cupel.project import Project
from cupel.state import ImproveState
from cupel.task import Rule, TaskSpec, load_task


async def promote_nominee(state: ImproveState, project: Project) -> None:
    """Promote what a person approved; again, it changes nothing."""
    version, approver = candidate_of(state)["version"], state.get("approved_by") or "unknown"
    await asyncio.to_thread(promote, project.prompts, project.state, state["task"], version, approver)


def promote(prompts: Path, state: Path, task_name: str, version: str, approver: str) -> str:
    """Promote a version that passed the gate: the ledger's pointer first, then rules.toml.

    Returns:
        The version's whole id.

    Raises:
        UsageError: If no gate decided so, or what its decision rests on moved since; it says what.
    """
    ledger, task = ledger_of(state), load_task(task_name, prompts)
    entry = known_version(ledger, task_name, version)
    folder_at = version_of(task)
    if folder_at == entry.key == ledger.active(task_name):
        return entry.key
    decided = _decision_for(Project(prompts.parent, state), ledger, task, entry)
    ledger.promote(entry.key, task=task_name, approver=approver)
    rules = _with_effect(rules_of(entry.data["rules"]), task.rules, decided)
    aside = state / "replaced" / task_name
    publish(task, rules, entry.data["extract"], against=folder_at, version=entry.data, aside=aside)
    return entry.key


def _decision_for(project: Project, ledger: Ledger, task: TaskSpec, version: Entry) -> Mapping[str, Any]:
    """The decision to promote a version that holds today.

    Raises:
        UsageError: If there is none: which of the last one's grounds moved.
    """
    decisions = [
        entry
        for entry in ledger.entries(task=task.name, kind="decision")
        if entry.data.get("version") == version.key
    ]
    passed = [entry for entry in decisions if entry.data.get("decision") == "promote"]
    if not passed:
        said = f"the last was {decisions[-1].data.get('decision')!r}" if decisions else "there was none"
        raise UsageError(
            f"version {version.key} of {task.name!r} has no gate's decision to promote it ({said})"
        )
    book = ledger.book(task.name)
    for decision in reversed(passed):
        if not decision_doubts(project, task, book, decision, version.data):
            return decision.data
    last = passed[-1]
    doubts = "; ".join(decision_doubts(project, task, book, last, version.data))
    raise UsageError(
        f"the decision to promote {version.key} of {task.name!r} holds no more: {doubts}. Nothing was changed; put back what "
        f"moved, or let it pass the gate again: `cupel improve FILE --task {task.name} --candidate {version.key}`"
    )


def decision_doubts(
    project: Project, task: TaskSpec, book: Book, decision: Entry, version: Mapping[str, Any]
) -> list[str]:
    """Why a decision to promote does not hold today, in words; empty where it does.

    Args:
        project: The project.
        task: As its folder has it.
        book: What the ledger knows of the task.
        decision: The decision's entry.
        version: The data of the candidate's entry.
    """
    doubts = book.doubts(decision)
    then = decision.data.get("evidence") or {}
    if decision.data.get("against") not in (None, version_of(task)):
        doubts.append(
            f"it was compared with {decision.data['against']}, and the folder is at {version_of(task)} now"
        )
    look = book.look(str(decision.data.get("look_key")))
    now = evidence_now(
        project, task, decision, version=version, docs=look.docs if look else (), env=os.environ
    )
    moved = [word for word in now.moved(then) if word != WORDS["against"]]
    return [*doubts, *([f"{', '.join(moved)} changed since"] if moved else [])]


def _with_effect(rules: Sequence[Rule], old: Sequence[Rule], decision: Mapping[str, Any]) -> list[Rule]:
    """The new or reworded rules say what they were measured to do, together."""
    if not decision:
        return list(rules)
    low, high = decision["interval"]
    effect = (
        f"{100 * decision['gain']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}] on {decision['n']} held-out "
        f"documents, p = {decision['p']:.2g}, with all edits of its version"
    )
    texts = {rule.id: rule.text for rule in old}
    return [rule if texts.get(rule.id) == rule.text else replace(rule, effect=effect) for rule in rules]


def rollback(prompts: Path, state: Path, task_name: str, version: str, approver: str) -> str:
    """Point back at a version that was active before, and write its files.

    Returns:
        The version's whole id.

    Raises:
        UsageError: If it never was active; the message names those that were.
    """
    ledger, task = ledger_of(state), load_task(task_name, prompts)
    entry = known_version(ledger, task_name, version)
    if "rules" not in entry.data:
        raise UsageError(
            f"what version {entry.key} of {task_name!r} says is neither in this run log nor in "
            f"{prompts / task_name / 'versions'}; take its files from git"
        )
    keep_edit(ledger, task)  # an edit nobody kept would be gone
    ledger.rollback(entry.key, task=task_name, approver=approver)
    publish(
        task, rules_of(entry.data["rules"]), entry.data["extract"], against=version_of(task), version=entry.data,
        aside=state / "replaced" / task_name,
    )  # fmt: skip
    return entry.key


def load_version(prompts: Path, state: Path, task_name: str, version: str) -> TaskSpec:
    """A task as a version of the ledger had it."""
    task = load_task(task_name, prompts)
    return as_version(task, known_version(ledger_of(state), task_name, version).data)
