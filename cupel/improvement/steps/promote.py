"""A nominee approved, promoted, or taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cupel.engine import current
from cupel.errors import UsageError
from cupel.improvement.campaign import ledger_of
from cupel.improvement.sessions import enter
from cupel.improvement.steps.retest import candidate_of
from cupel.improvement.versions import as_version, known_version, publish, rules_of, version_of
from cupel.runlog import now
from cupel.state import ImproveState
from cupel.task import Rule, TaskSpec, load_task


async def promote_nominee(state: ImproveState) -> dict[str, Any]:
    """Move the pointer and write the files; again, it changes nothing."""
    runtime = await current()
    approver = state.get("approved_by") or "unknown"
    await enter(ledger_of(runtime.project.state), state["task"], state.get("campaign", ""))
    await asyncio.to_thread(
        promote,
        runtime.project.prompts,
        runtime.project.state,
        state["task"],
        candidate_of(state)["version"],
        approver,
    )
    return {"result": "promoted"}


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
    decided = [
        e.data
        for e in ledger.entries(task=task_name, kind="decision")
        if e.data.get("version") == entry.key and e.data.get("decision") == "promote"
    ]
    now_at = version_of(task)
    compared = {str(data["against"]) for data in decided}
    if decided and now_at not in compared | {entry.key}:
        raise UsageError(
            f"version {entry.key} of {task_name!r} was compared with {', '.join(sorted(compared))}, but the folder "
            f"is at {now_at}; test it anew, or put the files back"
        )
    ledger.promote(entry.key, task=task_name, approver=approver, at=now())
    rules = _with_effect(rules_of(entry.data["rules"]), task.rules, decided[-1] if decided else {})
    publish(task, rules, entry.data["extract"], against=now_at)
    return entry.key


def _with_effect(rules: Sequence[Rule], old: Sequence[Rule], decision: Mapping[str, Any]) -> list[Rule]:
    """The new or reworded rules say what they were measured to do, together."""
    from dataclasses import replace

    if not decision:
        return list(rules)
    low, high = decision["interval"]
    effect = (
        f"{100 * decision['gain']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}] on {decision['n']} held-out "
        f"documents, p = {decision['p']:.2g}, with all edits of its version"
    )
    known = {rule.id: rule.text for rule in old}
    return [rule if known.get(rule.id) == rule.text else replace(rule, effect=effect) for rule in rules]


def rollback(prompts: Path, state: Path, task_name: str, version: str, approver: str) -> str:
    """Point back at a version that was active before, and write its files.

    Returns:
        The version's whole id.

    Raises:
        UsageError: If it never was active; the message names those that were.
    """
    ledger, task = ledger_of(state), load_task(task_name, prompts)
    entry = known_version(ledger, task_name, version)
    ledger.rollback(entry.key, task=task_name, approver=approver, at=now())
    publish(task, rules_of(entry.data["rules"]), entry.data["extract"], against=version_of(task))
    return entry.key


def store_version(prompts: Path, state: Path, task_name: str, version: str) -> TaskSpec:
    """A task as a version of the ledger had it."""
    task = load_task(task_name, prompts)
    return as_version(task, known_version(ledger_of(state), task_name, version))
