"""A nominee approved, promoted, or taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cupel.errors import UsageError
from cupel.improvement.candidates import candidate_of
from cupel.improvement.ledger import ledger_of
from cupel.improvement.versions import as_version, keep_edit, known_version, publish, rules_of, version_of
from cupel.project import Project
from cupel.runlog import now
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
        UsageError: If no gate decided so, it was compared with another prompt than the active one, or the
            folder was edited since.
    """
    ledger, task = ledger_of(state), load_task(task_name, prompts)
    entry = known_version(ledger, task_name, version)
    decisions = [e.data for e in ledger.entries(task=task_name, kind="decision")]
    decided = [d for d in decisions if d.get("version") == entry.key and d.get("decision") == "promote"]
    folder_at = version_of(task)
    compared = {str(data["against"]) for data in decided}
    if decided and folder_at not in compared | {entry.key}:
        raise UsageError(
            f"version {entry.key} of {task_name!r} was compared with {', '.join(sorted(compared))}, but the folder "
            f"is at {folder_at}; test it anew, or put the files back"
        )
    ledger.promote(entry.key, task=task_name, approver=approver, at=now())
    rules = _with_effect(rules_of(entry.data["rules"]), task.rules, decided[-1] if decided else {})
    aside = state / "replaced" / task_name
    publish(task, rules, entry.data["extract"], against=folder_at, version=entry.data, aside=aside)
    return entry.key


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
    keep_edit(ledger, task)  # an edit nobody kept would be gone
    ledger.rollback(entry.key, task=task_name, approver=approver, at=now())
    publish(
        task, rules_of(entry.data["rules"]), entry.data["extract"], against=version_of(task), version=entry.data,
        aside=state / "replaced" / task_name,
    )  # fmt: skip
    return entry.key


def load_version(prompts: Path, state: Path, task_name: str, version: str) -> TaskSpec:
    """A task as a version of the ledger had it."""
    task = load_task(task_name, prompts)
    return as_version(task, known_version(ledger_of(state), task_name, version).data)
