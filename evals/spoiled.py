"""The judge on every task: as many records spoiled on purpose as right ones, what it caught and what it rejected wrongly.

    python evals/spoiled.py RECORDS --judge-model openai:NAME [--tasks emotion …] [--each 6] [--keep OUT]

`RECORDS` holds a `TASK.jsonl` a task, as `evals/tasks.py` writes them: id, text, inputs and a record that somebody found right. Each
record is judged as it is; as many are spoiled, each in another way of `cupel judge-check` (`cupel/judging/mutations.py`), and judged
too. Printed are rates over all tasks with 95 % intervals, by task and by kind of fault: by the verdict on the whole, and by what was
found wrong at all. One fault among many items leaves a record right by most metrics, so the second is what a judge sees.

All requests are sent at once and wait for an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cupel.context import run_context
from cupel.evaluation.judge_check import Case, verdicts_on
from cupel.evaluation.spoiled import is_found
from cupel.files import read_text, write_whole
from cupel.judging import UNCHANGED, Mutation, mutate
from cupel.judging.mutations import MUTATIONS
from cupel.project import Project, find_project
from cupel.runs import open_bench
from cupel.state import VerdictRecord
from cupel.stats import clopper_pearson
from cupel.task import TaskSpec, load_task

SEED = 17
EVIDENCE = frozenset({"item_dropped", "item_split"})
"""Ways that leave a record right where they take a quote from a list of bare quotes, or cut one in two: the others show the same."""

PRACTICE = frozenset({"master_key", "praise_added"})
"""Ways that try to talk a judge round, and make no fault a model makes."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A record to judge, as it is or spoiled, and what the judge said."""

    task: str
    case: Case
    mutation: Mutation
    verdict: VerdictRecord | None = None

    @property
    def is_right(self) -> bool:
        """Whether it is the record as it was."""
        return self.mutation.name == UNCHANGED

    @property
    def said(self) -> str:
        """`rejected`, `accepted` or `unknown`."""
        return self.verdict["verdict"] if self.verdict else "unknown"

    @property
    def by_code(self) -> bool:
        """Whether code rejected it, so that no judge was asked."""
        return bool(self.verdict and self.verdict["code_findings"])


def cases_of(path: Path, each: int) -> list[Case]:
    """The first so many records of a task."""
    lines = [json.loads(line) for line in read_text(path).splitlines()][:each]
    return [
        Case(
            doc_id=line["id"],
            text=line["text"],
            record=line["record"],
            group=line["id"],
            inputs=line.get("inputs") or {},
        )
        for line in lines
    ]


def spoil_each(cases: Sequence[Case], task: TaskSpec) -> Iterator[Judged]:
    """Every record as it is, and as many spoiled ones: round by round a record in a way it was not yet spoiled in.

    A way comes again only when all others were taken; where little can be spoiled, in empty records, there are fewer.
    """
    names = sorted(set(MUTATIONS) - PRACTICE)
    random.Random(f"{SEED} {task.name}").shuffle(names)
    made = [
        {one.name: one for one in mutate(task.shown(case.record), task.asked, text=case.text, seed=SEED + at)}
        for at, case in enumerate(cases)
    ]
    for case, ways in zip(cases, made, strict=True):
        yield Judged(task=task.name, case=case, mutation=ways.pop(UNCHANGED))
    for case, ways in zip(cases, made, strict=True):
        for name in [name for name in ways if name in EVIDENCE and _is_bare(case.record, ways[name].path)]:
            del ways[name]
    left = len(cases)
    while left and any(set(ways) & set(names) for ways in made):
        for case, ways in zip(cases, made, strict=True):
            chosen = next((name for name in names if name in ways), None)
            if chosen is not None and left:
                names.append(names.pop(names.index(chosen)))
                spoiled = ways.pop(chosen)
                left -= 1
                yield Judged(task=task.name, case=replace(case, record=spoiled.record), mutation=spoiled)


def _is_bare(record: Mapping[str, Any], path: str) -> bool:
    """Whether a JSON pointer leads to an entry of a list that is a bare text."""
    value: Any = record
    for part in path.strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return isinstance(value, str)


async def judge_all(
    every: Mapping[str, Sequence[Judged]],
    tasks: Mapping[str, TaskSpec],
    project: Project,
    *,
    model: str,
    way: str = "items",
) -> list[Judged]:
    """Every verdict on every task's records, all asked at once."""
    options = {
        "judge_model": model, "cheap_model": model, "strong_model": "none", "refiner_model": "none", "judge_way": way,
        "timeout_s": 3_500.0, "max_retries": 0, "advisory_judge": False,
    }  # fmt: skip
    context = run_context(options, os.environ)

    async def judge(name: str) -> list[Judged]:
        cases = [one.case for one in every[name]]
        heard = await verdicts_on(cases, tasks[name], context, at_once=max(1, len(cases)))
        return [replace(one, verdict=verdict) for one, verdict in zip(every[name], heard, strict=True)]

    async with open_bench(project, "spoiled"):
        found = await asyncio.gather(*(judge(name) for name in every))
    return [one for judged in found for one in judged]


def rate(judged: Sequence[Judged]) -> str:
    """Share rejected of those decided, with its interval."""
    decided = [one for one in judged if one.said != "unknown"]
    rejected = sum(one.said == "rejected" for one in decided)
    if not decided:
        return "–"
    low, high = clopper_pearson(rejected, len(decided))
    share = rejected / len(decided)
    return f"{rejected} of {len(decided)}, {share:.0%} [{low:.0%}, {high:.0%}]"


def objects(judged: Judged) -> bool:
    """Whether anything was found wrong, whatever the verdict on the whole came to."""
    verdict = judged.verdict
    return bool(verdict) and any(
        finding["finding"] == "fail" for finding in (*verdict["findings"], *verdict["code_findings"])
    )


def tell(every: Sequence[Judged]) -> None:
    """Rates over all tasks, then by task, then by kind of fault."""
    right = [one for one in every if one.is_right]
    spoiled = [one for one in every if not one.is_right]
    print(f"caught: {rate(spoiled)}; by code {sum(one.by_code for one in spoiled)}")
    print(f"caught of those code let pass: {rate([one for one in spoiled if not one.by_code])}")
    named = [one for one in spoiled if one.verdict and is_found(one.verdict, one.mutation)]
    print(f"the very place named: {len(named)} of {len(spoiled)}")
    print(f"false alarms: {rate(right)}; with any objection {sum(map(objects, right))} of {len(right)}")
    print(f"undecided: {sum(one.said == 'unknown' for one in every)} of {len(every)}")
    _table("task", sorted({one.task for one in every}), lambda one: one.task, every)
    _table("fault", sorted({one.mutation.name for one in spoiled}), lambda one: one.mutation.name, spoiled)
    for one in spoiled:
        if one.said == "accepted":
            print(f"missed {one.task} {one.mutation.name} {one.mutation.path}: {one.mutation.detail[:140]}")


def _table(title: str, names: Sequence[str], name_of: Any, every: Sequence[Judged]) -> None:
    shown = Table(title, "caught", "by code", "false alarms")
    for name in names:
        own = [one for one in every if name_of(one) == name]
        spoiled = [one for one in own if not one.is_right]
        shown.add_row(
            name,
            rate(spoiled),
            str(sum(one.by_code for one in spoiled)),
            rate([one for one in own if one.is_right]),
        )
    Console(width=110).print(shown)


def keep(every: Sequence[Judged], folder: Path) -> None:
    """Every record with what was done to it and its verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "task": one.task,
            "id": one.case.doc_id,
            "fault": one.mutation.name,
            "path": one.mutation.path,
            "detail": one.mutation.detail,
            "record": one.case.record,
            "verdict": one.verdict,
        }
        for one in every
    ]
    write_whole(
        folder / "verdicts.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    )


def main() -> None:
    """Spoil, ask, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("records", type=Path)
    parser.add_argument("--judge-model", required=True)
    parser.add_argument("--way", default="items", choices=["criteria", "items"])
    parser.add_argument("--tasks", nargs="+", default=[])
    parser.add_argument("--each", type=int, default=6, help="Right records a task, and spoiled ones.")
    parser.add_argument("--state", default=".cupel/spoiled", help="Where answers are kept; asked once.")
    parser.add_argument("--keep", type=Path)
    told = parser.parse_args()
    found = find_project()
    names = told.tasks or sorted(path.stem for path in told.records.glob("*.jsonl"))
    tasks = {name: load_task(name, found.prompts) for name in names}
    every = {
        name: list(spoil_each(cases_of(told.records / f"{name}.jsonl", told.each), tasks[name]))
        for name in names
    }
    project = Project(found.folder, Path(told.state))
    judged = asyncio.run(judge_all(every, tasks, project, model=told.judge_model, way=told.way))
    tell(judged)
    if told.keep:
        keep(judged, told.keep)


if __name__ == "__main__":
    main()
