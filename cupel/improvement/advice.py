"""What to do after a campaign, as a command: every ending has one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

UNSAID: Mapping[str, Any] = {
    "rounds": 3, "engine": "reflect", "gate_metric": "graded", "held_out": 0.7, "seed": 0,
}  # fmt: skip
"""What `cupel improve` takes where nothing else is said, and so need not be said."""

_OPTIONS = {"jury_models": "--jury"}
_NEW = "NEW_FILE"


class NextStep(NamedTuple):
    """A command, in which capitals stand for what only its user knows, and what it is for."""

    command: str
    why: str


def command_of(given: Mapping[str, Any], settings: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """The command line of a campaign.

    Args:
        given: What it was given, as the improve graph takes it.
        settings: Settings of its run.
        changes: What is to be said otherwise; None leaves it out.

    >>> command_of({"documents": "a b.jsonl", "task": "stance", "rounds": 3, "seed": 1})
    "cupel improve 'a b.jsonl' --task stance --seed 1"
    """
    told = {**given, **(settings or {}), **changes}
    words = ["cupel", "improve", _short(str(told.pop("documents"))), "--task", str(told.pop("task"))]
    for name, value in told.items():
        if value is None or value in ("", (), []) or UNSAID.get(name) == value:
            continue
        option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [option, _short(str(each))]
    return shlex.join(words)


def _short(value: str) -> str:
    """A path as it would be typed here; anything else as it is."""
    path, here = Path(value), Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else value


def next_step(
    result: Mapping[str, Any], given: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> NextStep:
    """What to do after a campaign.

    Args:
        result: What the improve graph returned.
        given: What it was given.
        settings: Settings of its run.
    """
    task, proposal, decision = result["task"], result.get("proposal"), result.get("decision")
    match result["result"]:
        case "promoted":
            back = f"cupel prompts rollback {task} {result['version']}"
            return NextStep(back, "this takes it back")
        case "nominee" | "declined" if proposal:
            return NextStep(f"cupel prompts promote {task} {proposal['version']}", "this makes it the prompt")
        case "nothing_to_do":
            more = command_of(given, settings, run="RUN_ID")
            return NextStep(
                more, f"tell the rewriter what failed in a run; cupel runs --task {task} lists them"
            )
        case "inconclusive" if proposal and decision and decision.get("documents_needed"):
            again = command_of(given, settings, documents=_NEW, candidate=proposal["version"], **_OF_ENGINES)
            return NextStep(again, f"it needs about {decision['documents_needed']} new documents")
    return _another(result, given, settings)


_OF_ENGINES = {"engine": None, "rounds": None, "run": None, "seed": None}
"""Options of a campaign that asks a rewriter."""


def _another(
    result: Mapping[str, Any], given: Mapping[str, Any], settings: Mapping[str, Any] | None
) -> NextStep:
    """Another candidate: a rewriter asked anew, or a person's reworked; on new documents where these were looked at."""
    looked = bool(result.get("decision"))
    candidate = given.get("candidate")
    if looked:
        again = command_of(given, settings, documents=_NEW, **({} if candidate else _asked_anew(given)))
        return NextStep(again, "another candidate needs new documents: those held out were looked at")
    if candidate and any(turn["version"] for turn in result.get("tried", ())):
        words = ["cupel", "failures", "--task", result["task"], "--rerun", _short(str(given["documents"]))]
        words += ["--prompt", _short(str(candidate))]
        return NextStep(shlex.join(words), "this shows what it changes; no look was spent")
    if candidate:
        return NextStep(command_of(given, settings), "mend it, and try again; no look was spent")
    if any("no rewriter is attached" in reason for reason in result.get("reasons", ())):
        return NextStep(
            command_of(given, settings, refiner_model="PROVIDER:MODEL"), "attach a model that rewrites"
        )
    return NextStep(command_of(given, settings, **_asked_anew(given)), "this asks the rewriter anew")


def _asked_anew(given: Mapping[str, Any]) -> dict[str, int]:
    return {"seed": (given.get("seed") or 0) + 1}
