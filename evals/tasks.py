"""Every task on a few real speeches: is each record valid and grounded, and does code find anything against it?

    python evals/tasks.py --cheap-model openai:NAME --out OUT [--tasks emotion stance …] [--speeches 4]

One request a task and speech (and what the task itself asks on), all sent at once and waiting for an hour, so an endpoint that
somebody answers by hand will do; the same command again asks nothing. Printed is a line a task; `OUT/TASK.jsonl` holds id, text,
inputs and record of each, for whoever reads them next. The speeches and what some tasks take besides are in
`datasets/speeches-tasks` (`speeches-tasks.md` says how they were chosen).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cupel.context import run_context
from cupel.errors import InputError
from cupel.files import read_text, write_whole
from cupel.judging import certain_faults
from cupel.project import Project, find_project
from cupel.runs import Bench, Document, open_bench
from cupel.state import Outcome, Record, calls_of
from cupel.task import TaskSpec, load_task
from prompts import OPTIONS

DATASETS = Path(__file__).parent / "datasets"
SPEECHES = DATASETS / "speeches-tasks.jsonl"
GIVEN = ("taxonomy", "outline", "themes")
"""Inputs that are a file's text; the others stand in `meta`."""

OLD = frozenset({"arguments", "entities", "sentiment", "stance", "summary"})
"""Tasks that have been tried before; left out unless they are named."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A task, and what became of each speech."""

    task: TaskSpec
    shown: Sequence[Document]
    outcomes: Mapping[str, Outcome]

    def records(self) -> Iterator[tuple[Document, Record]]:
        """The speeches that have a record, with it."""
        for each in self.shown:
            outcome = self.outcomes.get(each.doc_id)
            if outcome is not None and outcome["record"] is not None:
                yield each, outcome["record"]

    def faults(self) -> list[str]:
        """What code has against the records, as document, check and words."""
        return [
            f"{each.doc_id} {check}: {words}"
            for each, record in self.records()
            for check, words in certain_faults(
                record,
                self.task,
                self.outcomes[each.doc_id]["evidence"],
                text=each.text,
                inputs=each.inputs,
            )
        ]

    def quotes(self) -> list[bool]:
        """Of every quote, whether it stands in its document."""
        return [
            quote["start"] is not None
            for each, _ in self.records()
            for quote in self.outcomes[each.doc_id]["evidence"]
        ]

    def tokens(self) -> float:
        """Input tokens a speech, as the endpoint counts them."""
        calls = [call for outcome in self.outcomes.values() for _, call in calls_of(outcome)]
        return sum(call["input_tokens"] for call in calls) / max(1, len(self.shown))


def speeches(count: int) -> list[dict[str, Any]]:
    """The speeches, as a data set has them."""
    return [json.loads(line) for line in read_text(SPEECHES).splitlines()][:count]


def documents_of(task: TaskSpec, lines: Sequence[Mapping[str, Any]]) -> list[Document]:
    """The speeches with what a task takes besides; themes to choose from are given with every other one.

    Raises:
        InputError: For a task that needs what the speeches do not have.
    """
    given = {name: read_text(DATASETS / SPEECHES.stem / f"{name}.txt").strip() for name in GIVEN}
    has = {*given, *(name for line in lines for name in line["meta"])}
    if lacking := sorted(set(task.required_inputs) - has):
        raise InputError(f"task {task.name!r} needs {lacking[0]!r}; {SPEECHES} has {', '.join(sorted(has))}")
    documents = []
    for at, line in enumerate(lines):
        known = {**line["meta"], **given}
        if at % 2:
            del known["themes"]
        documents.append(
            Document(
                doc_id=line["id"],
                text=line["text"],
                group=line["meta"]["debate_title"],
                inputs={name: known[name] for name in task.inputs if name in known},
                position=at,
            )
        )
    return documents


async def ask(bench: Bench, task: TaskSpec, lines: Sequence[Mapping[str, Any]], model: str) -> Tried:
    """One task on all speeches."""
    shown = documents_of(task, lines)
    context = run_context({**OPTIONS, "cheap_model": model}, os.environ)
    hidden = [replace(each, doc_id=f"{each.position:03}") for each in shown]
    outcomes = await bench.outcomes(task, context, hidden)
    named = {
        each.doc_id: outcomes[f"{each.position:03}"] for each in shown if f"{each.position:03}" in outcomes
    }
    return Tried(task=task, shown=shown, outcomes=named)


async def try_all(
    tasks: Sequence[TaskSpec], lines: Sequence[Mapping[str, Any]], model: str, project: Project
) -> list[Tried]:
    """Every task on every speech, all at once."""
    async with open_bench(project, "tasks") as opened:
        bench = replace(opened, concurrency=max(1, len(lines)))
        return list(await asyncio.gather(*(ask(bench, task, lines, model) for task in tasks)))


def tell(every: Sequence[Tried]) -> None:
    """A line a task, and below them what code has against records."""
    shown = Table("task", "records", "quotes", "not in the text", "faults by code", "input tokens")
    for tried in every:
        quotes = tried.quotes()
        records = f"{len(list(tried.records()))} of {len(tried.shown)}"
        lost = str(quotes.count(False))
        shown.add_row(
            tried.task.name,
            records,
            str(len(quotes)),
            lost,
            str(len(tried.faults())),
            f"{tried.tokens():.0f}",
        )
    Console(width=110).print(shown)
    for tried in every:
        for fault in tried.faults():
            print(f"{tried.task.name} {fault}")


def keep(every: Sequence[Tried], folder: Path) -> None:
    """Every record beside its text and inputs, a file a task."""
    folder.mkdir(parents=True, exist_ok=True)
    for tried in every:
        lines = [
            {"id": each.doc_id, "text": each.text, "inputs": dict(each.inputs), "record": record}
            for each, record in tried.records()
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_whole(folder / f"{tried.task.name}.jsonl", text)


def task_names(prompts: Path) -> list[str]:
    """The tasks that are to be tried: every folder's, but for those tried before."""
    return sorted({path.parent.name for path in prompts.glob("*/task.toml")} - OLD)


def main() -> None:
    """Ask, tell, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cheap-model", required=True)
    parser.add_argument("--tasks", nargs="+", default=[])
    parser.add_argument("--speeches", type=int, default=4)
    parser.add_argument("--state", default=".cupel/tasks", help="Where answers are kept; asked once.")
    parser.add_argument("--out", type=Path, help="Folder for the records.")
    given = parser.parse_args()
    found = find_project()
    tasks = [load_task(name, found.prompts) for name in given.tasks or task_names(found.prompts)]
    project = Project(found.folder, Path(given.state))
    every = asyncio.run(try_all(tasks, speeches(given.speeches), given.cheap_model, project))
    tell(every)
    if given.out:
        keep(every, given.out)


if __name__ == "__main__":
    main()
