"""Quality on gold data: the cascade's records on the first documents of a set, scored beside the trivial floor.

    CUPEL_BENCH_DATA=DIR python benchmarks/quality.py --cheap-model openai:NAME [--sets ner_europarl …] [--documents 30]

`CUPEL_BENCH_DATA` holds one folder per set with a `dev.jsonl`; nothing of it is copied. Any OpenAI-compatible endpoint
will do. Two things to compare with: `--prompt plain` sends one plain sentence and the document, nothing of Cupel's
prompts; `--prompt ad-hoc` puts that sentence into the generic prompt of one-off tasks, whose rules come along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

from cupel.context import run_context
from cupel.metrics.answers import SpanLabels, labelled_spans
from cupel.metrics.evaluation import evaluate
from cupel.project import Project, find_project
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.state.enrich import Outcome
from cupel.tables.rows import Row
from cupel.task.folder import ad_hoc_task, load_task
from cupel.task.spec import TaskSpec

SETS = {
    "ner_europarl": ("entities", "spans.exact.micro_f1", 0.328),
    "argument_components": ("arguments", "spans.iou50.micro_f1", 0.381),
}
"""Set → the task that is scored on it, its headline figure, and the trivial floor of the whole set."""

NAMES = {"LAW": "MISC", "claims": "Claim", "premises": "Premise"}
"""Our labels in the words of the gold: of the CoNLL-2003 guidelines, and of the argument set."""

PLAIN = {
    "ner_europarl": "List every named entity of the text in order, with its type: PER, LOC, ORG or MISC (CoNLL-2003).",
    "argument_components": "List every claim and every premise of the text, each quoted verbatim, with its type: Claim or Premise.",
}


def plain_schema(labels: list[str]) -> dict[str, Any]:
    """One list of quotes with a label: the least that can be scored."""
    item = {
        "type": "object",
        "properties": {
            "quote": {"type": "string", "x-grounded": True},
            "label": {"type": "string", "enum": labels},
        },
        "required": ["quote", "label"],
    }
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": item}},
        "required": ["items"],
    }


def documents(folder: Path, name: str, count: int) -> list[dict[str, Any]]:
    """The first gold documents of a set."""
    lines = (folder / name / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:count]]


def spans(outcome: Outcome | None, item: str) -> list[dict[str, Any]]:
    """The quotes of a record as labelled spans."""
    return [] if outcome is None else list(labelled_spans(outcome, SpanLabels(item=item, names=NAMES)))


def task_for(name: str, project: Project, *, plain: bool) -> tuple[TaskSpec, dict[str, Any] | None]:
    """Cupel's task for a set, or the plain prompt for it."""
    if not plain:
        return load_task(SETS[name][0], project.prompts), None
    labels = ["Claim", "Premise"] if name == "argument_components" else ["PER", "LOC", "ORG", "MISC"]
    schema = plain_schema(labels)
    return ad_hoc_task(schema, PLAIN[name], project.prompts), schema


def plain_prompt(name: str) -> str:
    """The sentence as the whole system message, and the document: no rule of ours."""
    return f"# system\n{PLAIN[name]}\n# user\n{{{{document}}}}"


async def predict(name: str, gold: list[dict[str, Any]], told: argparse.Namespace) -> list[dict[str, Any]]:
    """One prediction per document, through the graph."""
    project = find_project()
    project = Project(project.folder, Path(told.state))
    task, schema = task_for(name, project, plain=told.prompt != "task")
    options = {
        "cheap_model": told.cheap_model,
        "strong_model": told.strong_model or "none",
        "judge_model": told.judge_model or "none",
        "refiner_model": told.refiner_model or "none",
        "judge": told.judge,
        "extract_prompt": plain_prompt(name) if told.prompt == "plain" else None,
        "timeout_s": 3500.0,
        "max_retries": 0,
    }
    job = Job(
        task=task,
        context=run_context(options, os.environ),
        input_name=name,
        concurrency=told.documents,
        output_schema=schema,
        instructions=PLAIN[name] if schema else "",
    )
    rows = [Row(position=n, values={}, text=each["text"], doc_id=each["id"]) for n, each in enumerate(gold)]
    async with Runner(job, project) as runner:
        outcomes = [(row, outcome) async for row, outcome in runner.outcomes(rows)]
    if runner.stop.error is not None:
        raise runner.stop.error
    item = "label" if schema else {"entities": "type"}.get(task.name, "")
    return [{"id": row.doc_id, "spans": spans(outcome, item)} for row, outcome in outcomes]


def main() -> None:
    """Print each set's headline beside its floor; write the predictions where they can be scored again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cheap-model", required=True)
    for role in ("strong", "judge", "refiner"):
        parser.add_argument(f"--{role}-model", default="")
    parser.add_argument("--judge", default="never", choices=["auto", "always", "never"])
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--documents", type=int, default=30)
    parser.add_argument("--prompt", default="task", choices=["task", "ad-hoc", "plain"])
    parser.add_argument("--state", default=".cupel/quality")
    parser.add_argument("--predictions", type=Path, help="Folder for SET.jsonl with the predictions.")
    told = parser.parse_args()
    data = Path(os.environ["CUPEL_BENCH_DATA"])
    for name in told.sets:
        gold = documents(data, name, told.documents)
        predictions = asyncio.run(predict(name, gold, told))
        if told.predictions:
            told.predictions.mkdir(parents=True, exist_ok=True)
            written = "\n".join(json.dumps(each, ensure_ascii=False) for each in predictions)
            (told.predictions / f"{name}.jsonl").write_text(written + "\n", encoding="utf-8")
        task, headline, floor = SETS[name]
        result = evaluate(gold, predictions, kinds=["spans"], headline=headline)
        low, high = (result.interval.low, result.interval.high) if result.interval else (0.0, 1.0)
        kind = f"task {task}" if told.prompt == "task" else f"{told.prompt} prompt"
        print(
            f"{name}: {headline} = {result.value:.3f} [{low:.2f}, {high:.2f}] ({len(gold)} documents, {kind}; floor {floor})"
        )


if __name__ == "__main__":
    main()
