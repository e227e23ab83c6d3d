"""Failures frozen into a data set, and just those run again with as many documents that passed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.cli.console import open_console, print_json
from cupel.cli.reading import existing_run_log, find_run
from cupel.errors import InputError, SettingError, UsageError
from cupel.improving import ledger_of
from cupel.mcnemar import documents_needed, mcnemar_unconditional
from cupel.project import Project, find_project
from cupel.refinement.failures import with_anchors
from cupel.refinement.gate import ALPHA
from cupel.refinement.versions import as_version, known_version, read_candidate, version_of
from cupel.report.wording import usd
from cupel.runlog import cost_of, now
from cupel.settings import run_context
from cupel.state import Outcome
from cupel.statistics import bootstrap_mean
from cupel.tables import open_table
from cupel.tasks import TaskSpec, load_task
from cupel.trials import Document, open_bench, read_documents, scores_of
from cupel.uploading import upload_examples


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Failed documents of a run and as many that passed."""

    run_id: str
    task: str
    rows: Sequence[Mapping[str, Any]]
    """`id`, `text`, `meta` with `failed`, `criteria`, `prompt_version`."""

    cost_usd: float | None
    """What these documents cost in that run: what a rerun will about cost."""

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
        found = find_run(log, run) if run else _newest(log.runs(), task, log.name)
        outcomes = list(log.run_outcomes(found["run_id"]))
        criteria = _criteria(log, found["run_id"])
    if task and found["task"] != task:
        raise InputError(f"run {found['run_id']} is of task {found['task']!r}, not of {task!r}")
    wanted = {d: names for d, names in criteria.items() if criterion is None or criterion in names}
    if not wanted:
        known = ", ".join(sorted({name for names in criteria.values() for name in names})) or "none"
        raise InputError(
            f"run {found['run_id']}: nothing failed by {criterion or 'anything'} (failures by: {known})"
        )
    accepted = [
        o["doc_id"] for _, o, _ in outcomes if o["status"] == "accepted" and o["doc_id"] not in wanted
    ]
    # best those that failed by nothing; with a criterion named, those that passed by it will do
    clean = [doc_id for doc_id in accepted if doc_id not in criteria]
    chosen = set(with_anchors(list(wanted), clean if len(clean) >= len(wanted) else accepted))
    kept = [(position, o, text) for position, o, text in outcomes if o["doc_id"] in chosen and text]
    given = _input_rows(project, found)
    return Selection(
        run_id=found["run_id"],
        task=found["task"],
        rows=[_row(outcome, text, wanted, given.get(position, {})) for position, outcome, text in kept],
        cost_usd=_cost([outcome for _, outcome, _ in kept]),
    )


def _newest(runs: Sequence[Mapping[str, Any]], task: str | None, name: str) -> Mapping[str, Any]:
    found = next((run for run in runs if task is None or run["task"] == task), None)
    if found is None:
        raise InputError(f"no run{f' of task {task!r}' if task else ''} in {name}; `cupel run` makes one")
    return found


def _criteria(log: Any, run_id: str) -> dict[str, list[str]]:
    from cupel.runlog import tables

    made: dict[str, list[str]] = {}
    for row in log.rows_of(tables.failures, run_id=run_id):
        if row["cause"] != "provider" and row["criterion"] not in made.setdefault(row["doc_id"], []):
            made[row["doc_id"]].append(row["criterion"])
    return made


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
    outcome: Outcome, text: str, wanted: Mapping[str, Sequence[str]], given: Mapping[str, Any]
) -> dict[str, Any]:
    doc_id = outcome["doc_id"]
    own = given.get("meta")
    plain = {k: v for k, v in given.items() if k not in ("id", "text", "meta", "gold") and v is not None}
    meta = {
        **plain, **(own if isinstance(own, Mapping) else {}), "failed": doc_id in wanted,
        "criteria": list(wanted.get(doc_id, ())), "prompt_version": outcome["prompt_version"],
    }  # fmt: skip
    gold = given.get("gold")
    return {"id": doc_id, "text": text, "meta": meta, **({"gold": gold} if gold else {})}


def _cost(outcomes: Sequence[Outcome]) -> float | None:
    return cost_of(
        [
            call
            for o in outcomes
            for step in (*o["attempts"], *o["verdicts"], *o["addenda"])
            for call in step["calls"]
        ]
    )


def freeze(
    name: str, task: str | None, run: str | None, criterion: str | None, *, langsmith: bool, as_json: bool
) -> None:
    """Write the selection as a data set with its card; a name is used once.

    Raises:
        InputError: For a name that is taken or no file name.
        SettingError: For --langsmith without a key.
    """
    project = find_project()
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"{name!r} is no name for a data set; use letters, digits, '-' and '_'")
    if langsmith and not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingError("--langsmith needs LANGSMITH_API_KEY")
    path = project.state.parent / "evals" / "datasets" / f"{name}.jsonl"
    if path.exists():
        raise InputError(f"{path}: exists, and a frozen data set stays as it is; choose another name")
    chosen = select(project, task, run, criterion)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen.rows), encoding="utf-8"
    )
    path.with_suffix(".md").write_text(_card(name, chosen, criterion), encoding="utf-8")
    told = {
        "data_set": str(path),
        "documents": len(chosen.rows),
        "failed": chosen.failed,
        "run_id": chosen.run_id,
    }
    if langsmith:
        examples = [
            {"id": row["id"], "inputs": {"text": row["text"]}, "outputs": row["meta"]} for row in chosen.rows
        ]
        told["langsmith"] = upload_examples(os.environ, name, examples)
    if as_json:
        print_json(told)
    else:
        print(f"{path}: {chosen.failed} failed documents and {len(chosen.rows) - chosen.failed} that passed")


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
    """What `cupel failures --rerun` was told."""

    data: Path
    task: str
    prompt: str = "active"
    against: str = ""
    max_usd: float | None = None
    yes: bool = False
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def rerun(told: Rerun) -> None:
    """Run two versions on a frozen data set: what it will about cost first, then fixes and breaks."""
    project = find_project()
    task = load_task(told.task, project.prompts)
    if not told.data.is_file():
        raise InputError(f"{told.data}: there is no such file; `cupel failures --freeze NAME` makes one")
    documents = read_documents(told.data, task)
    old, new = (_spec(which, task, project) for which in (told.against or "active", told.prompt))
    if version_of(old) == version_of(new):
        raise UsageError(
            f"both prompts are {version_of(old)}; name another one with --prompt: a version, a rules.toml or an extract.md"
        )
    estimate = _estimate(project, documents)
    cost = (
        f"about {usd(estimate)} each time"
        if estimate is not None
        else (
            "at a cost not known yet: they were not run here before (`cupel plan` estimates it, --max-usd caps it)"
        )
    )
    print(f"{len(documents)} documents under each prompt, {cost}", file=sys.stderr)
    if not told.yes and sys.stdin.isatty() and input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        return
    result = asyncio.run(_both(project, told, old, new, documents))
    if told.as_json:
        print_json(result | {"estimated_usd": estimate})
    else:
        _tell(result)


def _spec(told: str, task: TaskSpec, project: Project) -> TaskSpec:
    if told == "active":
        return task
    if told.endswith((".toml", ".md")):
        return read_candidate(Path.cwd() / told, task)
    return as_version(task, known_version(ledger_of(project.state), task.name, told))


def _estimate(project: Project, documents: Sequence[Document]) -> float | None:
    """What these documents cost when they were last run; None where that is not known."""
    with existing_run_log(project) as log:
        rows = [next(iter(log.find_document(document.doc_id)), None) for document in documents]
    costs = [row[0]["cost_usd"] for row in rows if row is not None]
    known = [cost for cost in costs if cost is not None]
    return sum(known) / len(known) * len(documents) if known else None


async def _both(
    project: Project, told: Rerun, old: TaskSpec, new: TaskSpec, documents: Sequence[Document]
) -> dict[str, Any]:
    context = run_context(told.settings, os.environ)
    by_gold = all(document.gold is not None for document in documents)
    context = context.model_copy(update={"max_refinements": 0, **({} if by_gold else {"judge": "always"})})
    name = "rerun-" + hashlib.sha256(f"{told.data}{old.identity}{new.identity}".encode()).hexdigest()[:12]
    async with open_bench(project, name, max_usd=told.max_usd) as bench:
        before, _ = scores_of(await bench.outcomes(old, context, documents), documents, old)
        after, _ = scores_of(await bench.outcomes(new, context, documents), documents, new)
    return paired(
        {d: run.score for d, run in before.items()}, {d: run.score for d, run in after.items()}, documents
    )


def paired(
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
    interval = bootstrap_mean(changes, [groups[d] for d in both])
    n = len(both)
    return {
        "documents": n, "unscored": len(documents) - n, "fixes": fixes, "breaks": breaks, "gain": sum(changes) / n,
        "interval": [interval.low, interval.high], "p": mcnemar_unconditional(len(fixes), len(breaks), n),
        "documents_needed": documents_needed(fix_rate=len(fixes) / n, break_rate=len(breaks) / n, alpha=ALPHA),
        "selected": True,
    }  # fmt: skip


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
