"""Prompts against labels by hand: several prompts, one reader, the same documents, and what each is better by.

    CUPEL_BENCH_DATA=DIR python evals/prompts.py emotion --cheap-model openai:NAME --documents 25 --floors baselines.py
    … argument_components --prompts plain OLD/prompts/arguments active --predictions OUT
    … sections --prompts active

`CUPEL_BENCH_DATA` holds one folder per set with a `dev.jsonl`; nothing of it is copied. Any OpenAI-compatible endpoint
will do. A prompt is `active` (the project's own), the folder of a task elsewhere, such as an earlier commit's worktree,
`plain` (one plain sentence and the document, nothing of Cupel's prompts) or `ad-hoc` (that sentence in the generic
prompt of one-off tasks). Every request is sent at once; each prompt is compared with the one named last.

The documents are those nobody looked at while these prompts were written: `sets/gold.py` says which. `sections`,
`timeline` and `threads` have gold that code made of public speeches (`sets/planted.py`), and floors of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sets.gold import SETS as LABELLED, GoldSet
from sets.planted import SETS as PLANTED

from cupel.context import run_context
from cupel.metrics import evaluate, gain, group_of
from cupel.project import Project, find_project
from cupel.runs import Bench, Document, open_bench
from cupel.state import calls_of
from cupel.task import TaskSpec, ad_hoc_task, load_task, object_schema

SETS: Mapping[str, GoldSet] = {**LABELLED, **PLANTED}

OPTIONS: Mapping[str, Any] = {
    "strong_model": "none",
    "judge_model": "none",
    "refiner_model": "none",
    "judge": "never",
    "timeout_s": 3500.0,
    "max_retries": 0,
}
"""One attempt and nothing besides: it is the prompt that is measured, and whoever answers may be slow."""


def plain_task(told: GoldSet, project: Project) -> TaskSpec:
    """The same asked for in a sentence: the least that can be scored."""
    return ad_hoc_task(object_schema(told.asked), told.plain, project.prompts, inputs=told.inputs)


def task_of(prompt: str, told: GoldSet, project: Project) -> TaskSpec:
    """The task as a prompt's name says it."""
    if prompt == "active":
        return load_task(told.task, project.prompts)
    if prompt == "ad-hoc":
        return plain_task(told, project)
    if prompt == "plain":
        inputs = "".join(f"{name}: {{{{{name}}}}}\n" for name in told.inputs)
        bare = f"# system\n{told.plain}\n# user\n{inputs}{{{{document}}}}"
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


async def read(
    bench: Bench, prompt: str, task: TaskSpec, *, model: str, shown: Sequence[Document], told: GoldSet
) -> Reading:
    """Every document's record under a prompt, as an answer; an empty one where there is no record."""
    outcomes = await bench.outcomes(task, run_context({**OPTIONS, "cheap_model": model}, os.environ), shown)
    answer = told.plain_answer if task.name == "ad-hoc" else told.answer
    answers = [
        {"id": each.meta["id"]}
        | (answer(outcome, each.meta) if (outcome := outcomes.get(each.doc_id)) and outcome["record"] else {})
        for each in shown
    ]
    spent = [call["input_tokens"] for outcome in outcomes.values() for _, call in calls_of(outcome)]
    return Reading(prompt=prompt, answers=answers, tokens=sum(spent) / len(shown))


async def read_all(
    prompts: Mapping[str, TaskSpec],
    gold: Sequence[Mapping[str, Any]],
    model: str,
    project: Project,
    told: GoldSet,
) -> list[Reading]:
    """Every prompt on every document, all at once: whoever answers by hand sees them together."""
    shown = [
        Document(
            doc_id=f"{n:03}",  # a set's own ids would tell the reader which set it is
            text=each["text"],
            group=group_of(each),
            inputs={name: str(each["meta"][key]) for name, key in told.inputs.items()},
            meta=each,
            position=n,
        )
        for n, each in enumerate(gold)
    ]
    async with open_bench(project, "prompts") as opened:
        bench = replace(opened, concurrency=len(shown))
        asked = [
            read(bench, name, task, model=model, shown=shown, told=told) for name, task in prompts.items()
        ]
        return list(await asyncio.gather(*asked))


def tell(readings: Sequence[Reading], gold: Sequence[dict[str, Any]], told: GoldSet) -> None:
    """A line for every prompt, and what the last is better by than each of the others."""
    for each in readings:
        print(f"{each.prompt}: {score(gold, each.answers, told)}, {each.tokens:.0f} input tokens a document")
    last = readings[-1]
    for each in readings[:-1]:
        for path in (told.headline, *told.besides):
            better = gain(gold, each.answers, last.answers, kinds=told.kinds, headline=path)
            low, high = better.interval
            print(
                f"{last.prompt} against {each.prompt}: {path} {better.value:+.3f} [{low:+.3f}, {high:+.3f}]"
            )


def score(gold: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]], told: GoldSet) -> str:
    """The figures of a set of answers, the first with its interval."""
    result = evaluate(gold, answers, kinds=told.kinds, headline=told.headline)
    low, high = result.interval or (0.0, 1.0)
    besides = [
        f"{path.split('.', 1)[1]} {evaluate(gold, answers, kinds=told.kinds, headline=path, draws=0).value:.3f}"
        for path in told.besides
    ]
    return ", ".join([f"{told.headline} {result.value:.3f} [{low:.3f}, {high:.3f}]", *besides])


def tell_floors(name: str, gold: Sequence[dict[str, Any]], told: GoldSet, baselines: Path | None) -> None:
    """What asking nobody comes to: the set's own floors, or those of a module with `NAMES` and `run`, as `datascore` has."""
    for floor, answer in told.floors.items():
        print(f"floor, {floor}: {score(gold, [{'id': each['id']} | answer(each) for each in gold], told)}")
    if baselines and not told.floors:
        spec = importlib.util.spec_from_file_location(baselines.stem, baselines)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for floor in module.NAMES[name][:-1]:  # the last is the gold itself
            print(f"floor, {floor}: {score(gold, module.run(name, floor, gold), told)}")


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
    parser.add_argument("--floors", type=Path, help="A Python file with the trivial floors of the gold sets.")
    parser.add_argument("--state", default=".cupel/prompts", help="Where answers are kept; asked once.")
    parser.add_argument("--predictions", type=Path, help="Folder for the gold and each prompt's predictions.")
    given = parser.parse_args()
    told = SETS[given.set]
    found = find_project()
    project = Project(found.folder, Path(given.state))
    path = Path(os.environ["CUPEL_BENCH_DATA"]) / (told.source or given.set) / "dev.jsonl"
    gold = told.documents(path, given.documents, given.skip)
    prompts = {name: task_of(name, told, project) for name in given.prompts}
    readings = asyncio.run(read_all(prompts, gold, given.cheap_model, project, told))
    print(f"{given.set}, {len(gold)} documents, {given.cheap_model}")
    tell(readings, gold, told)
    tell_floors(given.set, gold, told, given.floors)
    if given.predictions:
        keep(readings, gold, given.predictions)


if __name__ == "__main__":
    main()
