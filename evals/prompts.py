"""Prompts against labels by hand: several prompts, one reader, the same documents, and what each is better by.

    CUPEL_BENCH_DATA=DIR python evals/prompts.py ner_europarl --cheap-model openai:NAME
    … argument_components --prompts plain OLD/prompts/arguments active --predictions OUT

`CUPEL_BENCH_DATA` holds one folder per set with a `dev.jsonl`; nothing of it is copied. Any OpenAI-compatible endpoint
will do. A prompt is `active` (the project's own), the folder of a task elsewhere, such as an earlier commit's worktree,
`plain` (one plain sentence and the document, nothing of Cupel's prompts) or `ad-hoc` (that sentence in the generic
prompt of one-off tasks). Every request is sent at once; each prompt is compared with the one named last.

The documents are of debates and blocks nobody looked at while these prompts were written: `UNREAD` says which.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cupel.context import run_context
from cupel.metrics import SpanLabels, evaluate, gain, labelled_spans
from cupel.project import Project, find_project
from cupel.runs import Bench, Document, open_bench
from cupel.state import Outcome, calls_of
from cupel.task import TaskSpec, ad_hoc_task, load_task, object_schema

NAMES = {"LAW": "MISC", "claims": "Claim", "premises": "Premise"}
"""Our labels in the words of the gold: of the CoNLL-2003 guidelines, and of the argument set."""

OPTIONS: Mapping[str, Any] = {
    "strong_model": "none",
    "judge_model": "none",
    "refiner_model": "none",
    "judge": "never",
    "timeout_s": 3500.0,
    "max_retries": 0,
}
"""One attempt and nothing besides: it is the prompt that is measured, and whoever answers may be slow."""


@dataclass(frozen=True, kw_only=True)
class GoldSet:
    """A set of labelled documents, and how a task's records are scored on it."""

    task: str
    item: str
    """Field of a record's item that holds its label; empty where its list does."""
    headline: str
    besides: tuple[str, ...]
    labels: tuple[str, ...]
    plain: str
    unread: frozenset[str]
    """Debates or blocks that nobody looked at while the prompts were written."""


UNREAD = {
    "argument_components": ["33_2008", "27_2000", "6_1976", "30_2004", "21_1992", "7_1976", "12_1984"],
    "ner_europarl": ["20", "30", "4", "16", "8", "15", "18", "19", "12", "33", "6", "28", "3", "36"],
}

SETS = {
    "ner_europarl": GoldSet(
        task="entities",
        item="type",
        headline="spans.exact.micro_f1",
        besides=("spans.exact_nolabel.micro_f1",),
        labels=("PER", "LOC", "ORG", "MISC"),
        plain="List every named entity of the text in order, with its type: PER, LOC, ORG or MISC (CoNLL-2003).",
        unread=frozenset(UNREAD["ner_europarl"]),
    ),
    "argument_components": GoldSet(
        task="arguments",
        item="",
        headline="spans.iou50.micro_f1",
        besides=("spans.iou50_nolabel.micro_f1", "spans.exact.micro_f1"),
        labels=("Claim", "Premise"),
        plain="List every claim and every premise of the text, each quoted verbatim, with its type: Claim or Premise.",
        unread=frozenset(UNREAD["argument_components"]),
    ),
}


def documents(path: Path, told: GoldSet, count: int, skip: int = 0) -> list[dict[str, Any]]:
    """Some of a set's unread documents, in an order that is drawn once for all."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    unread = [each for each in lines if group_of(each) in told.unread]
    random.Random(20).shuffle(unread)
    return unread[skip : skip + count]


def group_of(document: Mapping[str, Any]) -> str:
    """The debate or block a document is of."""
    return str(document["meta"].get("debate") or document["meta"].get("block"))


def plain_task(told: GoldSet, project: Project) -> TaskSpec:
    """One list of quotes with a label, asked for in a sentence: the least that can be scored."""
    item = object_schema(
        {
            "quote": {"type": "string", "x-grounded": True},
            "label": {"type": "string", "enum": list(told.labels)},
        }
    )
    schema = object_schema({"items": {"type": "array", "items": item}})
    return ad_hoc_task(schema, told.plain, project.prompts)


def task_of(prompt: str, told: GoldSet, project: Project) -> TaskSpec:
    """The task as a prompt's name says it."""
    if prompt == "active":
        return load_task(told.task, project.prompts)
    if prompt == "ad-hoc":
        return plain_task(told, project)
    if prompt == "plain":
        bare = f"# system\n{told.plain}\n# user\n{{{{document}}}}"
        task = plain_task(told, project)
        return replace(task, prompts={**task.prompts, "extract": bare})
    folder = Path(prompt).resolve()
    return load_task(folder.name, folder.parent)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a prompt made of the documents."""

    prompt: str
    answers: list[dict[str, Any]]
    tokens: float
    """Input tokens a document, as the endpoint counts them."""


async def read(bench: Bench, prompt: str, task: TaskSpec, model: str, shown: Sequence[Document]) -> Reading:
    """Every document's record under a prompt, as labelled spans."""
    outcomes = await bench.outcomes(task, run_context({**OPTIONS, "cheap_model": model}, os.environ), shown)
    labels = SpanLabels(item="label" if task.name == "ad-hoc" else SETS_BY_TASK[task.name].item, names=NAMES)
    answers = [
        {"id": each.meta["id"], "spans": spans_of(outcomes.get(each.doc_id), labels)} for each in shown
    ]
    spent = [call["input_tokens"] for outcome in outcomes.values() for _, call in calls_of(outcome)]
    return Reading(prompt=prompt, answers=answers, tokens=sum(spent) / len(shown))


SETS_BY_TASK = {each.task: each for each in SETS.values()}


def spans_of(outcome: Outcome | None, labels: SpanLabels) -> list[dict[str, Any]]:
    """The quotes of a record as labelled spans; none where there is no record."""
    return [] if outcome is None else list(labelled_spans(outcome, labels))


async def read_all(
    prompts: Mapping[str, TaskSpec], gold: Sequence[Mapping[str, Any]], model: str, project: Project
) -> list[Reading]:
    """Every prompt on every document, all at once: whoever answers by hand sees them together."""
    shown = [
        Document(
            doc_id=f"{n:03}", text=each["text"], group=group_of(each), meta={"id": each["id"]}, position=n
        )
        for n, each in enumerate(gold)  # a set's own ids would tell the reader which set it is
    ]
    async with open_bench(project, "prompts") as opened:
        bench = replace(opened, concurrency=len(shown))
        asked = [read(bench, name, task, model, shown) for name, task in prompts.items()]
        return list(await asyncio.gather(*asked))


def tell(readings: Sequence[Reading], gold: Sequence[dict[str, Any]], told: GoldSet) -> None:
    """A line for every prompt, and what the last is better by than each of the others."""
    for each in readings:
        result = evaluate(gold, each.answers, kinds=["spans"], headline=told.headline)
        low, high = result.interval or (0.0, 1.0)
        besides = [
            f"{path.split('.')[1]} {evaluate(gold, each.answers, kinds=['spans'], headline=path, draws=0).value:.3f}"
            for path in told.besides
        ]
        shown = f"{told.headline} {result.value:.3f} [{low:.3f}, {high:.3f}], {', '.join(besides)}"
        print(f"{each.prompt}: {shown}, {each.tokens:.0f} input tokens a document")
    last = readings[-1]
    for each in readings[:-1]:
        for path in (told.headline, *told.besides):
            better = gain(gold, each.answers, last.answers, kinds=["spans"], headline=path)
            low, high = better.interval
            print(
                f"{last.prompt} against {each.prompt}: {path} {better.value:+.3f} [{low:+.3f}, {high:+.3f}]"
            )


def keep(readings: Sequence[Reading], gold: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the gold and each prompt's predictions, where another scorer finds them; never into the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {each.prompt.strip("./").replace("/", "-"): each.answers for each in readings}
    for name, lines in {"gold": gold, **named}.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


def main() -> None:
    """Ask, score, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=list(SETS))
    parser.add_argument("--cheap-model", required=True)
    parser.add_argument("--prompts", nargs="+", default=["plain", "active"])
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--skip", type=int, default=0, help="Documents an earlier prompt was measured on.")
    parser.add_argument("--state", default=".cupel/prompts", help="Where answers are kept; asked once.")
    parser.add_argument("--predictions", type=Path, help="Folder for the gold and each prompt's predictions.")
    given = parser.parse_args()
    told = SETS[given.set]
    found = find_project()
    project = Project(found.folder, Path(given.state))
    path = Path(os.environ["CUPEL_BENCH_DATA"]) / given.set / "dev.jsonl"
    gold = documents(path, told, given.documents, given.skip)
    prompts = {name: task_of(name, told, project) for name in given.prompts}
    readings = asyncio.run(read_all(prompts, gold, given.cheap_model, project))
    print(f"{given.set}, {len(gold)} documents, {given.cheap_model}")
    tell(readings, gold, told)
    if given.predictions:
        keep(readings, gold, given.predictions)


if __name__ == "__main__":
    main()
