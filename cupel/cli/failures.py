"""What `cupel failures` prints: groups of failures, a frozen data set, two prompts on one."""

from __future__ import annotations

import difflib
import json
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from cupel._format import usd
from cupel.api import Listing, failures, freeze_failures as freeze_failures_of
from cupel.cli._console import confirm, open_console, print_json, table
from cupel.evaluation import FIXES, FailureGroup, Rerun, pull_labels
from cupel.improvement import SPENDS, SPENT, command_of
from cupel.project import find_project
from cupel.report import safe
from cupel.task import load_task

HELD = f"the gate holds out every document of it. {SPENDS}"
_SHOWN_REASONING = 300
_SHOWN_IDS = 10
_SHOWN_LINES = 12
_SHOWN_CAUSES = 3


def show_failures(
    task: str | None, run: str | None, *, limit: int, show_held_out: bool = False, as_json: bool
) -> None:
    """Print the groups, the most frequent first."""
    groups = failures(task, run, limit=limit, show_held_out=show_held_out)
    if as_json:
        print_json(groups.to_json())
        return
    tell_failures(groups)


def tell_failures(groups: Listing[FailureGroup]) -> None:
    """Print groups for a person."""
    console = open_console()
    if not groups:
        console.print("no failure in the run log: everything passed at its first attempt")
        return
    several = len({group.task for group in groups}) > 1
    lines = table(
        *(["task"] if several else []), "criterion", "cause", "prompt", ">failures", ">documents", ">fixed by addendum", ">by escalation",
        ">by a person", ">not fixed", ">cost", title=_title(sum(group.count for group in groups), groups),
    )  # fmt: skip
    for group in groups:
        lines.add_row(
            *([safe(group.task)] if several else []), safe(group.criterion), group.cause, group.prompt_version or "–", str(group.count), str(group.documents),
            *(str(group.fixed_by[name] or "–") for name in FIXES), usd(group.cost_usd),
        )  # fmt: skip
    console.print(lines)
    console.print("One example of each; `cupel show DOC_ID` has the whole trail")
    if any(group.is_held_out for group in groups):
        console.print(f"some are {SPENT}", soft_wrap=True)
    for group in groups:
        example = group.example
        if not example:
            console.print(f"  {safe(group.criterion)} ({group.cause}): withheld, {HELD}", soft_wrap=True)
            continue
        reasoning = safe(textwrap.shorten(example["reasoning"], _SHOWN_REASONING, placeholder=" …"))
        console.print(
            f"  {safe(group.criterion)} ({group.cause}) · {safe(example['doc_id'])}: {reasoning}",
            soft_wrap=True,
        )
        if len(group.causes) > 1 or group.cause == "gold":
            told = "; ".join(f"{each.words} ({each.failures})" for each in group.causes[:_SHOWN_CAUSES])
            console.print(f"    causes: {safe(told)}", soft_wrap=True)
    if groups.more:
        console.print(f"{groups.more} more groups: --limit {len(groups) + groups.more} shows them")


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
    frozen = freeze_failures_of(name, task, run, criterion=criterion, langsmith=langsmith).to_json()
    if as_json:
        print_json(frozen)
    else:
        print(
            f"{frozen['data_set']}: {frozen['failed']} failed documents and {frozen['documents'] - frozen['failed']} that passed"
        )
        print(
            f"next: cupel prompts copy {frozen['task']} FOLDER, edit it, then cupel failures --task {frozen['task']} --rerun "
            f"{frozen['data_set']} --prompt FOLDER",
            file=sys.stderr,
        )


def rerun_failures(again: Rerun, *, yes: bool, as_json: bool) -> None:
    """Run two versions on a data set: the difference and about the cost first, then fixes, breaks, and what to do next."""
    estimate = again.estimate_usd()
    cost = (
        f"about {usd(estimate)} each time"
        if estimate is not None
        else (
            "at a cost not known yet: they were not run here before (`cupel plan` estimates it, --max-usd caps it)"
        )
    )
    for line in again.diff.splitlines():
        print(safe(line), file=sys.stderr)
    for note in again.notes:
        print(f"note: {note}", file=sys.stderr)
    confirm(f"{len(again.documents)} documents under each prompt, {cost}", yes=yes)
    result = again.run() | {"estimated_usd": estimate, "next": next_of(again)}
    if as_json:
        print_json(result)
    else:
        _tell(result)


def next_of(again: Rerun) -> str:
    """The command that tests the new prompt where it was not tuned."""
    given = {"documents": "FILE", "task": again.task, "candidate": again.prompt}
    return command_of(given, again.settings)


def _title(failures: int, groups: Listing[FailureGroup]) -> str:
    every = len(groups) + groups.more
    among = f"the first {len(groups)} of {every}" if groups.more else f"{every}"
    return f"{failures} failure{'s' * (failures != 1)} in {among} group{'s' * (every != 1)}"


def _tell(result: Mapping[str, Any]) -> None:
    console = open_console()
    low, high = result["interval"]
    groups = "" if result["groups"] == result["documents"] else f" in {result['groups']} groups"
    console.print(
        f"{len(result['fixes'])} better, {len(result['breaks'])} worse of {result['documents']}{groups} by {result['decided_by']} "
        f"({result['metric']} {100 * result['before']:.1f} → {100 * result['after']:.1f}); gain {100 * result['gain']:+.1f} points "
        f"[{100 * low:+.1f}, {100 * high:+.1f}], p = {result['p']:.3g} ({result['test']})",
        soft_wrap=True,
    )
    if result["unscored"]:
        console.print(
            f"{result['unscored']} documents were not answered, or nobody could score them, under one of the two: they count "
            "neither way",
            soft_wrap=True,
        )
    for word, name in (("fixes", "better"), ("breaks", "worse")):
        if result[word]:
            more = f" and {len(result[word]) - _SHOWN_IDS} more" if len(result[word]) > _SHOWN_IDS else ""
            console.print(safe(f"  {name}: {', '.join(result[word][:_SHOWN_IDS])}{more}"), soft_wrap=True)
    for each in result["side_by_side"]:
        console.print(safe(f"  {each['doc_id']} ({100 * each['change']:+.0f})"), soft_wrap=True)
        for line in record_diff(each["before"], each["after"]):
            console.print(safe(f"    {line}"), soft_wrap=True)
        if each["gold"] is not None:
            gold = json.dumps(each["gold"], ensure_ascii=False)
            console.print(
                safe(textwrap.shorten(f"    gold: {gold}", _SHOWN_REASONING, placeholder=" …")),
                soft_wrap=True,
            )
    if result["documents_needed"]:
        console.print(
            f"about {result['documents_needed']} more such documents would tell whether this is luck"
        )
    console.print(f"run {result['run_id']}", soft_wrap=True)
    why = "selected because they failed" if result["selected"] else "seen now, so not the gate's to decide on"
    console.print(
        f"{why}: this is no evidence for a promotion; the gate is: {result['next']}", soft_wrap=True
    )


def record_diff(before: Any, after: Any) -> list[str]:
    """What changed in a record, line by line; a record that is missing on one side is said to be."""
    old, new = (
        ["no record"] if record is None else json.dumps(record, ensure_ascii=False, indent=1).splitlines()
        for record in (before, after)
    )
    lines = [line for line in difflib.ndiff(old, new) if line[0] in "-+"]
    return lines[:_SHOWN_LINES] + (
        [f"… {len(lines) - _SHOWN_LINES} lines more"] if len(lines) > _SHOWN_LINES else []
    )
