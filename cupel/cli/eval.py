"""What `cupel eval` does: run every variant, print the table, compare with the baseline."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cupel._format import usd
from cupel.cli._console import open_console, print_json, table
from cupel.errors import InputError, SettingError
from cupel.evaluation import (
    Experiment,
    Scores,
    as_baseline,
    broken,
    document_scores,
    experiment_id,
    read_experiment,
    score_variant,
    variants,
)
from cupel.improvement import ledger_of
from cupel.project import Project, find_project
from cupel.report import safe
from cupel.runs import Document, open_bench, read_documents
from cupel.task import load_task
from cupel.tracing import upload_experiment


def run_experiment(
    path: Path, *, limit: int | None, max_usd: float | None, save: bool, langsmith: bool, as_json: bool
) -> int:
    """Run, tell, compare; 1 when a baseline is broken."""
    project, experiment = find_project(), read_experiment(path)
    if limit is not None:
        experiment = replace(experiment, limit=limit, baseline=None)
    if save and experiment.baseline is None:
        raise SettingError(f"{path}: --save-baseline needs `baseline = …` in the experiment, and no --limit")
    if langsmith and not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingError("--langsmith needs LANGSMITH_API_KEY")
    scores, documents = asyncio.run(_scores(project, experiment, max_usd))
    problems = [] if save else [str(one) for one in _broken(experiment, scores)]
    if as_json:
        print_json(_as_json(experiment, scores) | {"broken": problems})
    else:
        tell_scores(experiment, scores)
    if save and experiment.baseline is not None:
        _save(experiment.baseline, as_baseline(scores, experiment.task))
    if langsmith:
        _upload(experiment, scores, documents)
    for problem in problems:
        print(f"baseline broken: {problem}", file=sys.stderr)
    return int(bool(problems))


async def _scores(
    project: Project, experiment: Experiment, max_usd: float | None
) -> tuple[list[Scores], list[Document]]:
    task = load_task(experiment.task, project.prompts)
    if not experiment.dataset.is_file():
        raise InputError(f"{experiment.path}: its data set {experiment.dataset} does not exist")
    documents = read_documents(experiment.dataset, task, group=experiment.group, limit=experiment.limit)
    chosen = variants(experiment, task, ledger_of(project.state), os.environ)
    async with open_bench(project, experiment_id(experiment, task), max_usd=max_usd) as bench:
        return [
            await score_variant(bench, variant, documents, experiment.spans) for variant in chosen
        ], documents


def _broken(experiment: Experiment, scores: Sequence[Scores]) -> list[Any]:
    if experiment.baseline is None:
        return []
    try:
        told = json.loads(experiment.baseline.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{experiment.baseline}: no baseline can be read there ({error}); --save-baseline writes it"
        ) from error
    return broken(scores, told, experiment.tolerance)


def _save(path: Path, told: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    print(f"baseline: {path}", file=sys.stderr)


def _upload(experiment: Experiment, scores: Sequence[Scores], documents: Sequence[Document]) -> None:
    """One LangSmith data set, one experiment a variant."""
    examples = [
        {"id": d.doc_id, "inputs": {"text": d.text, **d.inputs}, "outputs": {"gold": d.gold}}
        for d in documents
    ]
    for one in scores:
        rows = {
            doc_id: {"record": outcome["record"], "status": outcome["status"]}
            for doc_id, outcome in one.outcomes.items()
        }
        figures = {name: figure.value for name, figure in one.figures.items()}
        url = upload_experiment(
            os.environ,
            dataset=f"cupel-{experiment.name}",
            experiment=one.variant.name,
            examples=examples,
            rows=rows,
            figures=figures,
            feedback={
                d.doc_id: document_scores(one.outcomes[d.doc_id], d, one.variant.task) for d in documents
            },
        )
        print(f"LangSmith: {url}", file=sys.stderr)


def _as_json(experiment: Experiment, scores: Sequence[Scores]) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "task": experiment.task,
        "variants": [
            {
                "name": one.variant.name, "documents": one.documents, "cost_usd": one.cost_usd,
                "figures": {
                    name: {"value": f.value, "interval": [f.interval.low, f.interval.high]} for name, f in one.figures.items()
                },
            }
            for one in scores
        ],
    }  # fmt: skip


def tell_scores(experiment: Experiment, scores: Sequence[Scores]) -> None:
    """Print the table."""
    names = list(dict.fromkeys(name for one in scores for name in one.figures))
    made = table("variant", ">documents", *(f">{name}" for name in names), ">cost", title=experiment.name)
    for one in scores:
        cells = [
            f"{f.value:.3f} [{f.interval.low:.2f}, {f.interval.high:.2f}]"
            if (f := one.figures.get(name))
            else "–"
            for name in names
        ]
        made.add_row(safe(one.variant.name), str(one.documents), *cells, usd(one.cost_usd))
    open_console().print(made)
