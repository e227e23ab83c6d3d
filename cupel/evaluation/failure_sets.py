"""Failures frozen into a data set, and just those run again with as many documents that passed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.context import run_context
from cupel.errors import InputError, SettingError, UsageError
from cupel.evaluation.experiments import named_prompt
from cupel.evaluation.labels import as_example
from cupel.files import SHARED, write_whole
from cupel.improvement import ALPHA, ledger_of, version_of, with_anchors
from cupel.project import Project
from cupel.runlog import existing_run_log, find_run, now, tables
from cupel.runs import Document, open_bench, read_documents, scores_of
from cupel.state import Outcome
from cupel.stats import bounded_mean, documents_needed, mcnemar_unconditional
from cupel.tables import open_table
from cupel.task import TaskSpec, load_task
from cupel.tracing import upload_examples


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Failed documents of a run and as many that passed."""

    run_id: str
    task: str
    rows: Sequence[Mapping[str, Any]]
    """`id`, `text`, `meta` with `failed`, `criteria`, `prompt_version`."""

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(row["meta"]["failed"] for row in self.rows)


def select(project: Project, task: str | None, run: str | None, criterion: str | None) -> Selection:
    """Documents of a run that failed (a criterion, where one is named), and as many anchors that passed.

    Raises:
        InputError: Where nothing failed so; it names the criteria something failed by.
    """
    with existing_run_log(project) as log:
        row = find_run(log, run) if run else _newest(log.runs(), task, log.name)
        run_id = row["run_id"]
        outcomes = list(log.run_outcomes(run_id))
        criteria = _criteria(log, run_id)
    if task and row["task"] != task:
        raise InputError(f"run {run_id} is of task {row['task']!r}, not of {task!r}")
    wanted = {d: names for d, names in criteria.items() if criterion is None or criterion in names}
    if not wanted:
        every = ", ".join(sorted({name for names in criteria.values() for name in names})) or "none"
        raise InputError(f"run {run_id}: nothing failed by {criterion or 'anything'} (failures by: {every})")
    accepted = [
        o["doc_id"] for _, o, _ in outcomes if o["status"] == "accepted" and o["doc_id"] not in wanted
    ]
    # best those that failed by nothing; with a criterion named, those that passed by it will do
    clean = [doc_id for doc_id in accepted if doc_id not in criteria]
    chosen = set(with_anchors(list(wanted), clean if len(clean) >= len(wanted) else accepted))
    kept = [(position, o, text) for position, o, text in outcomes if o["doc_id"] in chosen and text]
    inputs = _input_rows(project, row)
    rows = [_row(outcome, text, wanted, inputs.get(position, {})) for position, outcome, text in kept]
    return Selection(run_id=run_id, task=row["task"], rows=rows)


def _newest(runs: Sequence[Mapping[str, Any]], task: str | None, name: str) -> Mapping[str, Any]:
    newest = next((run for run in runs if task is None or run["task"] == task), None)
    if newest is None:
        raise InputError(f"no run{f' of task {task!r}' if task else ''} in {name}; `cupel run` makes one")
    return newest


def _criteria(log: Any, run_id: str) -> dict[str, list[str]]:
    criteria: dict[str, list[str]] = {}
    for row in log.rows_of(tables.failures, run_id=run_id):
        if row["cause"] != "provider" and row["criterion"] not in criteria.setdefault(row["doc_id"], []):
            criteria[row["doc_id"]].append(row["criterion"])
    return criteria


def _input_rows(project: Project, run: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """The rows of a run's input by position: their meta, inputs and gold are not in the run log.

    Raises:
        InputError: Where the file is gone and the task cannot do without.
    """
    path = Path(run["input_name"])
    if path.is_file():
        return {row.position: row.values for row in open_table(path, "text", None, {}, None)}
    task = load_task(run["task"], project.prompts)
    if task.inputs:
        raise InputError(
            f"{path}: the input of run {run['run_id']} is gone, and {task.name!r} needs {task.inputs[0]!r} from it"
        )
    return {}


def _row(
    outcome: Outcome, text: str, wanted: Mapping[str, Sequence[str]], values: Mapping[str, Any]
) -> dict[str, Any]:
    doc_id = outcome["doc_id"]
    own = values.get("meta")
    plain = {k: v for k, v in values.items() if k not in ("id", "text", "meta", "gold") and v is not None}
    meta = {
        **plain, **(own if isinstance(own, Mapping) else {}), "failed": doc_id in wanted,
        "criteria": list(wanted.get(doc_id, ())), "prompt_version": outcome["prompt_version"],
    }  # fmt: skip
    gold = values.get("gold")
    return {"id": doc_id, "text": text, "meta": meta, **({"gold": gold} if gold else {})}


def freeze(
    project: Project, name: str, task: str | None, run: str | None, criterion: str | None, *, langsmith: bool
) -> dict[str, Any]:
    """Write the selection as a data set with its card; a name is used once.

    Returns:
        `data_set` (its path), `documents`, `failed`, `run_id` and, where it was uploaded, `langsmith`.

    Raises:
        InputError: For a name that is taken or no file name.
        SettingError: For --langsmith without a key.
    """
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"{name!r} is no name for a data set; use letters, digits, '-' and '_'")
    if langsmith and not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingError("--langsmith needs LANGSMITH_API_KEY")
    path = project.state.parent / "evals" / "datasets" / f"{name}.jsonl"
    if path.exists():
        raise InputError(f"{path}: exists, and a frozen data set stays as it is; choose another name")
    chosen = select(project, task, run, criterion)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen.rows)
    write_whole(path, lines, permissions=SHARED)
    write_whole(path.with_suffix(".md"), _card(name, chosen, criterion), permissions=SHARED)
    frozen: dict[str, Any] = {
        "data_set": str(path),
        "documents": len(chosen.rows),
        "failed": chosen.failed,
        "run_id": chosen.run_id,
    }
    if langsmith:
        frozen["langsmith"] = upload_examples(os.environ, name, [as_example(row) for row in chosen.rows])
    return frozen


def _card(name: str, chosen: Selection, criterion: str | None) -> str:
    how = f"failed the criterion `{criterion}`" if criterion else "failed anything"
    return f"""# {name}

Documents of run `{chosen.run_id}` (task `{chosen.task}`) that {how}, and as many that passed as anchors.

| | |
|---|---|
| Records | {len(chosen.rows)}: {chosen.failed} failed, {len(chosen.rows) - chosen.failed} passed |
| Frozen | {now()} |
| Fields | `id`, `text`, `meta`: `failed`, `criteria`, `prompt_version` |
| Labels | none: `failed` is what code and the judge of that run said |

Selected because they failed: a share or a p-value measured on them says nothing of other documents, and a prompt is not promoted on them.
The texts are those of the run's input; its licence holds for them.
"""


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """Two versions of a prompt on a frozen data set, before anything is spent.

    Raises:
        InputError: For a data set that is not there.
        UsageError: Where both are the same version.
    """

    project: Project
    data: Path
    task: str
    prompt: str = "active"
    against: str = "active"
    max_usd: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    documents: Sequence[Document] = field(init=False)
    old: TaskSpec = field(init=False)
    new: TaskSpec = field(init=False)

    def __post_init__(self) -> None:
        """Read the documents and both versions."""
        task = load_task(self.task, self.project.prompts)
        if not self.data.is_file():
            raise InputError(f"{self.data}: there is no such file; `cupel failures --freeze NAME` makes one")
        object.__setattr__(self, "documents", read_documents(self.data, task))
        ledger = ledger_of(self.project.state)
        object.__setattr__(self, "old", named_prompt(self.against, task, ledger, Path.cwd()))
        object.__setattr__(self, "new", named_prompt(self.prompt, task, ledger, Path.cwd()))
        if version_of(self.old) == version_of(self.new):
            raise UsageError(
                f"both prompts are {version_of(self.old)}; name another one with --prompt: a version, a rules.toml or an extract.md"
            )

    def estimate_usd(self) -> float | None:
        """What these documents cost when they were last run; None where that is not known."""
        with existing_run_log(self.project) as log:
            rows = [next(iter(log.find_document(document.doc_id)), None) for document in self.documents]
        costs = [row[0]["cost_usd"] for row in rows if row is not None]
        priced = [cost for cost in costs if cost is not None]
        return sum(priced) / len(priced) * len(self.documents) if priced else None

    def run(self) -> dict[str, Any]:
        """Run both versions; fixes, breaks, gain and what they show."""
        return asyncio.run(_both(self))


async def _both(again: Rerun) -> dict[str, Any]:
    old, new, documents = again.old, again.new, again.documents
    context = run_context(again.settings, os.environ)
    by_gold = all(document.gold is not None for document in documents)
    context = context.model_copy(update={"max_refinements": 0, **({} if by_gold else {"judge": "always"})})
    name = "rerun-" + hashlib.sha256(f"{again.data}{old.identity}{new.identity}".encode()).hexdigest()[:12]
    async with open_bench(again.project, name, max_usd=again.max_usd) as bench:
        before, _ = scores_of(await bench.outcomes(old, context, documents), documents, old)
        after, _ = scores_of(await bench.outcomes(new, context, documents), documents, new)
    return pair_scores(
        {d: run.score for d, run in before.items()}, {d: run.score for d, run in after.items()}, documents
    )


def pair_scores(
    before: Mapping[str, float], after: Mapping[str, float], documents: Sequence[Document]
) -> dict[str, Any]:
    """Fixes and breaks with p, interval and the documents needed; of selected data, so never the gate's."""
    both = sorted(before.keys() & after.keys())
    if not both:
        raise InputError(
            "no document could be scored under both prompts; is a judge attached, or gold given?"
        )
    changes = [after[d] - before[d] for d in both]
    groups = {document.doc_id: document.group for document in documents}
    fixes, breaks = [d for d in both if after[d] > before[d]], [d for d in both if after[d] < before[d]]
    interval = bounded_mean(changes, [groups[d] for d in both], low=-1.0)
    n = len(both)
    return {
        "documents": n, "unscored": len(documents) - n, "fixes": fixes, "breaks": breaks, "gain": sum(changes) / n,
        "interval": [interval.low, interval.high], "p": mcnemar_unconditional(len(fixes), len(breaks), n),
        "documents_needed": documents_needed(fix_rate=len(fixes) / n, break_rate=len(breaks) / n, alpha=ALPHA),
        "selected": True,
    }  # fmt: skip
