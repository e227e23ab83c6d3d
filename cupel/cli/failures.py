"""What `cupel failures` prints: groups of failures, a frozen data set, two prompts on one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from cupel._format import usd
from cupel.cli._console import confirm, open_console, print_json, table
from cupel.evaluation import FIXES, FailureGroup, Rerun, freeze, group_failures, pull_labels
from cupel.project import find_project
from cupel.report import safe
from cupel.task import load_task

_SHOWN_REASONING = 300


def show_failures(task: str | None, run: str | None, *, limit: int, as_json: bool) -> None:
    """Print the groups, the most frequent first."""
    groups = group_failures(find_project(), task, run)
    if as_json:
        print_json([group.to_json() for group in groups[:limit]])
        return
    tell_failures(groups, limit)


def tell_failures(groups: list[FailureGroup], limit: int) -> None:
    """Print groups for a person."""
    console = open_console()
    if not groups:
        console.print("no failure in the run log: everything passed at its first attempt")
        return
    shown = groups[:limit]
    lines = table(
        "criterion", "cause", "prompt", ">failures", ">documents", ">fixed by addendum", ">by escalation",
        ">by a person", ">not fixed", ">cost", title=f"{sum(group.count for group in groups)} failures in {len(groups)} groups",
    )  # fmt: skip
    for group in shown:
        lines.add_row(
            safe(group.criterion), group.cause, group.prompt_version or "–", str(group.count), str(group.documents),
            *(str(group.fixed_by[name] or "–") for name in FIXES), usd(group.cost_usd),
        )  # fmt: skip
    console.print(lines)
    console.print("One example of each; `cupel show DOC_ID` has the whole trail")
    for group in shown:
        example = group.example
        reasoning = safe(textwrap.shorten(example["reasoning"], _SHOWN_REASONING, placeholder=" …"))
        console.print(
            f"  {safe(group.criterion)} ({group.cause}) · {safe(example['doc_id'])}: {reasoning}",
            soft_wrap=True,
        )
    if len(groups) > limit:
        console.print(f"{len(groups) - limit} more groups: --limit {len(groups)} shows them")


def pull_said(name: str, task: str, *, as_json: bool) -> None:
    """Write what people said of a data set in LangSmith as labels and as gold, and say where."""
    project = find_project()
    criteria = [criterion.id for criterion in load_task(task, project.prompts).criteria]
    pulled = pull_labels(project, name, criteria)
    if as_json:
        files = {"labels": pulled.labels, "gold": pulled.gold}
        told = {what: str(path) if path else None for what, path in files.items()}
        print_json({**told, "judged": pulled.judged, "corrected": pulled.corrected})
        return
    if pulled.labels is None and pulled.gold is None:
        print(f"nobody has said anything of {name} in LangSmith yet")
    if pulled.labels is not None:
        print(f"{pulled.judged} records judged: {pulled.labels}; `cupel judge-check` takes them")
    if pulled.gold is not None:
        print(f"{pulled.corrected} records corrected: {pulled.gold}; a data set with gold")


def freeze_failures(
    name: str, task: str | None, run: str | None, criterion: str | None, *, langsmith: bool, as_json: bool
) -> None:
    """Write a run's failures and anchors as a data set, and say where."""
    frozen = freeze(find_project(), name, task, run, criterion, langsmith=langsmith)
    if as_json:
        print_json(frozen)
    else:
        print(
            f"{frozen['data_set']}: {frozen['failed']} failed documents and {frozen['documents'] - frozen['failed']} that passed"
        )


def rerun_failures(again: Rerun, *, yes: bool, as_json: bool) -> None:
    """Run two versions on a frozen data set: what it will about cost first, then fixes and breaks."""
    estimate = again.estimate_usd()
    cost = (
        f"about {usd(estimate)} each time"
        if estimate is not None
        else (
            "at a cost not known yet: they were not run here before (`cupel plan` estimates it, --max-usd caps it)"
        )
    )
    confirm(f"{len(again.documents)} documents under each prompt, {cost}", yes=yes)
    result = again.run()
    if as_json:
        print_json(result | {"estimated_usd": estimate})
    else:
        _tell(result)


def _tell(result: Mapping[str, Any]) -> None:
    console = open_console()
    low, high = result["interval"]
    console.print(
        f"{len(result['fixes'])} fixed, {len(result['breaks'])} broken of {result['documents']}; gain {100 * result['gain']:+.1f} points "
        f"[{100 * low:+.1f}, {100 * high:+.1f}], p = {result['p']:.3g}",
        soft_wrap=True,
    )
    needed = result["documents_needed"]
    console.print(
        f"documents that would show such a gain: {needed if needed is not None else 'no affordable number'}"
    )
    for word in ("fixes", "breaks"):
        if result[word]:
            console.print(f"  {word}: {', '.join(result[word][:10])}", soft_wrap=True)
    console.print(
        "selected because they failed: this is no evidence for a promotion; `cupel improve` has the gate"
    )
