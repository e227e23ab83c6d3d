"""A task's prompt: its versions, and made better from its failures."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel._format import Shown
from cupel.api.lists import Listing
from cupel.api.loops import finish
from cupel.api.signatures import twin_of, with_settings
from cupel.engine import DEFAULT_TASK
from cupel.errors import InputError
from cupel.files import full_path
from cupel.limits import DEFAULT_WAIT_S
from cupel.models import settle_settings
from cupel.project import Project, find_project, load_graph
from cupel.runs import open_runtime

_LOGGER = logging.getLogger("cupel")


def prompts(task: str = DEFAULT_TASK, *, project: Project | None = None) -> Listing[dict[str, Any]]:
    """Every version of a task's prompt, oldest first, with its state and what the gate said of it.

    Args:
        task: A task of the project.
        project: The project to use; the one around the current folder where left out.

    Returns:
        For each version `version`, `state`, `parent`, `author`, `at`, `gate` (its figures; None where it was at no gate),
        `holds` (whether a decision to promote holds today; None where there is none) and `doubts` (why not).
    """
    from cupel.improvement import list_versions

    return Listing(list_versions(project or find_project(), task))


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement(Shown):
    """What became of a campaign.

    Attributes:
        result: Causes, what was tried, the gate and its decision.
        next: The command for what to do now.
        why: What it is for.
    """

    result: Mapping[str, Any]
    next: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """What `cupel improve --json` prints."""
        return {**self.result, "next": self.next}


@with_settings
async def aimprove(
    source: str | Path,
    task: str = DEFAULT_TASK,
    *,
    max_usd: float | None = None,
    wait_s: float = DEFAULT_WAIT_S,
    engine: str = "reflect",
    rounds: int = 3,
    gold: str = "",
    run: str = "",
    group: str = "",
    gate_judge: str = "",
    gate_metric: str = "graded",
    held_out: float = 0.7,
    split_salt: str = "",
    max_token_growth: float | None = None,
    candidate: str | Path = "",
    seed: int = 0,
    tell: Callable[[str], None] = _LOGGER.warning,
    project: Project | None = None,
    **settings: Any,
) -> Improvement:
    """Failures on development documents become edits; only what is better on held-out ones becomes a nominee.

    Args:
        source: A file of documents.
        task: A task of the project.
        max_usd: Hard cap on what it may cost, in US dollars.
        wait_s: Seconds to wait for a provider that is down, or for a daily limit.
        engine: What proposes edits: `reflect`, or `gepa` (`cupel[gepa]`).
        rounds: Candidates tried on development documents.
        gold: A file of labels, or a column.
        run: Also tell the rewriter what failed in this run.
        group: Field by which documents hang together: debate, speaker.
        gate_judge: Without gold: `provider:model` that judges the held-out documents.
        gate_metric: With gold: `graded` (the task's metric of each document) or `right` (yes or no).
        held_out: Share of documents held out, by whole groups.
        split_salt: Another salt holds out other groups.
        max_token_growth: Share by which a document's tokens may grow.
        candidate: Test this folder, `rules.toml`, `extract.md` or version of the ledger instead.
        seed: Another number asks the rewriter anew.
        tell: Is given a line for each outage.
        project: The project to use; the one around the current folder where left out.
        **settings: Any field of `RunContext`.

    Returns:
        What was tried and decided. A nominee waits: `cupel prompts promote`, by a person.

    Raises:
        InputError: For documents that cannot be read.
        StopRunError: At the cap or a daily limit; the same call goes on from there.
    """
    from cupel.improvement import next_step

    if not _is_file(source):
        raise InputError(f"{source}: there is no such file")
    given = {
        "task": task, "documents": _whole_path(source), "group": group, "max_usd": max_usd, "rounds": rounds,
        "seed": seed, "engine": engine, "gate_judge": gate_judge, "gate_metric": gate_metric, "held_out": held_out,
        "run": run, "split_salt": split_salt, "max_token_growth": max_token_growth,
        "gold": _whole_path(gold) if _is_file(gold) else gold,
        "candidate": _whole_path(candidate) if candidate and _is_there(candidate) else str(candidate),
    }  # fmt: skip
    result = await _campaign(project or find_project(), given, settings, wait_s, tell)
    step = next_step(result, given, settings)
    return Improvement(result=result, next=step.command, why=step.why)


@twin_of(aimprove)
def improve(source: str | Path, task: str = DEFAULT_TASK, **settings: Any) -> Improvement:
    """Improve a task's prompt from its failures. Takes what `aimprove` takes."""
    return finish(aimprove(source, task, **settings))


async def _campaign(
    project: Project,
    given: Mapping[str, Any],
    settings: Mapping[str, Any],
    wait_s: float,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Invoke the improve graph as Studio would, with no person attached."""
    context = settle_settings(settings, os.environ, used=("refiner_model",))
    graph = await asyncio.to_thread(load_graph, project, "improve")
    async with open_runtime(project, wait_s=wait_s, tell=tell):
        result: dict[str, Any] = await graph.ainvoke(
            dict(given),
            {"recursion_limit": 60},
            context=context.model_copy(update={"human_review": False}),
        )
    return result


def _whole_path(path: str | Path) -> str:
    return str(full_path(Path(path)))


def _is_file(path: str | Path) -> bool:
    return Path(path).is_file()


def _is_there(path: str | Path) -> bool:
    return Path(path).exists()
