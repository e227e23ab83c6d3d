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
from cupel.improvement import (
    SPENDS,
    SPENT,
    gate,
    held_out_of,
    ledger_of,
    showable,
    version_diff,
    version_of,
    with_anchors,
)
from cupel.metrics import Scored, pair_up
from cupel.project import Project
from cupel.runlog import existing_run_log, find_run, now, tables
from cupel.runs import ByGold, Document, open_bench, read_documents, read_golds, scores_of
from cupel.state import Outcome
from cupel.tables import open_table
from cupel.task import TaskSpec, load_task
from cupel.tracing import upload_examples

MOST_SHOWN = 5
"""Records that changed most, shown side by side."""


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
        row = find_run(log, run or None, task or None)
        run_id = row["run_id"]
        outcomes = list(log.run_outcomes(run_id))
        criteria, golds = _criteria(log, run_id), read_golds(log, run_id)
    wanted = {d: names for d, names in criteria.items() if criterion is None or criterion in names}
    if not wanted:
        every = ", ".join(sorted({name for names in criteria.values() for name in names})) or "none"
        raise InputError(f"run {run_id}: nothing failed by {criterion or 'anything'} (failures by: {every})")
    accepted = [
        o["doc_id"]
        for _, o, _ in outcomes
        if o["doc_id"] not in wanted
        and (golds[o["doc_id"]].right if o["doc_id"] in golds else o["status"] == "accepted")
    ]
    # best those that failed by nothing; with a criterion named, those that passed by it will do
    clean = [doc_id for doc_id in accepted if doc_id not in criteria]
    chosen = set(with_anchors(list(wanted), clean if len(clean) >= len(wanted) else accepted))
    kept = [(position, o, text) for position, o, text in outcomes if o["doc_id"] in chosen and text]
    texts = {outcome["doc_id"]: text for _, outcome, text in kept}
    with existing_run_log(project) as log:
        shown = showable(project.state, log, row["task"], texts, how="frozen")
    if not shown:
        raise InputError(
            f"run {run_id}: the gate holds out every document that failed so; freeze those of another run"
        )
    kept = [entry for entry in kept if entry[1]["doc_id"] in shown]
    inputs = _input_rows(project, row)
    rows = [
        _row(outcome, text, wanted, inputs.get(position, {}), golds.get(outcome["doc_id"]))
        for position, outcome, text in kept
    ]
    return Selection(run_id=run_id, task=row["task"], rows=rows)


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
    if task.required_inputs:
        raise InputError(
            f"{path}: the input of run {run['run_id']} is gone, and {task.name!r} needs {task.required_inputs[0]!r} from it"
        )
    return {}


def _row(
    outcome: Outcome,
    text: str,
    wanted: Mapping[str, Sequence[str]],
    values: Mapping[str, Any],
    held: ByGold | None,
) -> dict[str, Any]:
    doc_id = outcome["doc_id"]
    own = values.get("meta")
    plain = {k: v for k, v in values.items() if k not in ("id", "text", "meta", "gold") and v is not None}
    meta = {
        **plain, **(own if isinstance(own, Mapping) else {}), "failed": doc_id in wanted,
        "criteria": list(wanted.get(doc_id, ())), "prompt_version": outcome["prompt_version"],
    }  # fmt: skip
    gold = held.gold if held is not None else values.get("gold")
    return {"id": doc_id, "text": text, "meta": meta, **({"gold": gold} if gold else {})}


def freeze(
    project: Project, name: str, task: str | None, run: str | None, criterion: str | None, *, langsmith: bool
) -> dict[str, Any]:
    """Write the selection as a data set with its card; a name is used once.

    Returns:
        `data_set` (its path), `documents`, `failed`, `task`, `run_id` and, where it was uploaded, `langsmith`.

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
        "task": chosen.task,
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
    """Two versions of a prompt on a data set, before anything is spent.

    Documents that the gate holds out are left out, unless they are asked for: whoever has seen right and wrong there can
    prove no change of the prompt on them.

    Raises:
        InputError: For a data set that is not there, or holds nothing but what the gate holds out.
        UsageError: Where both are the same version.
    """

    project: Project
    data: Path
    task: str
    prompt: str = "active"
    against: str = "active"
    gold: str = ""
    show_held_out: bool = False
    max_usd: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    documents: Sequence[Document] = field(init=False)
    notes: Sequence[str] = field(init=False)
    old: TaskSpec = field(init=False)
    new: TaskSpec = field(init=False)

    def __post_init__(self) -> None:
        """Read the documents and both versions."""
        task = load_task(self.task, self.project.prompts)
        if not self.data.is_file():
            raise InputError(f"{self.data}: there is no such file; `cupel failures --freeze NAME` makes one")
        read = read_documents(self.data, task, gold=self.gold)
        ledger = ledger_of(self.project.state)
        object.__setattr__(self, "old", named_prompt(self.against, task, ledger, Path.cwd()))
        object.__setattr__(self, "new", named_prompt(self.prompt, task, ledger, Path.cwd()))
        if version_of(self.old) == version_of(self.new):
            raise UsageError(
                f"both prompts are {version_of(self.old)}; edit a copy (`cupel prompts copy {self.task} FOLDER` makes one) and "
                "name it with --prompt: a folder, a rules.toml, an extract.md or a version"
            )
        held = held_out_of(self.project.state, self.task, {d.doc_id: d.text for d in read})
        kept = [d for d in read if self.show_held_out or d.doc_id not in held]
        if not kept:
            raise InputError(f"{self.data}: the gate holds out every document of it. {SPENDS}")
        notes = list(read.notes)
        if held:
            left = (
                f"{len(held)} of {len(read)} documents are held out by the gate and left out here. {SPENDS}"
            )
            notes.append(f"{len(held)} documents: {SPENT}" if self.show_held_out else left)
        golden = [d for d in kept if d.gold is not None]
        if golden and len(golden) < len(kept):
            notes.append(f"{len(kept) - len(golden)} documents have no gold: left out, as gold decides")
            kept = golden
        object.__setattr__(self, "documents", kept)
        object.__setattr__(self, "notes", notes)

    @property
    def by_gold(self) -> bool:
        """Whether gold decides; else a judge."""
        return self.documents[0].gold is not None

    @property
    def is_selected(self) -> bool:
        """Whether the documents were chosen because they failed: what they show says nothing of others."""
        return any(document.meta.get("failed") for document in self.documents)

    @property
    def run_id(self) -> str:
        """What its money is booked under."""
        versions = f"{self.old.identity}{self.new.identity}"
        return "rerun-" + hashlib.sha256(f"{self.data}{versions}".encode()).hexdigest()[:12]

    @property
    def diff(self) -> str:
        """How the two prompts differ."""
        return version_diff(self.old, self.new)

    def estimate_usd(self) -> float | None:
        """What these documents cost when they were last run; None where that is not known."""
        try:
            with existing_run_log(self.project) as log:
                rows = [next(iter(log.find_document(document.doc_id)), None) for document in self.documents]
        except InputError:  # nothing was ever run here
            return None
        costs = [row[0]["cost_usd"] for row in rows if row is not None]
        priced = [cost for cost in costs if cost is not None]
        return sum(priced) / len(priced) * len(self.documents) if priced else None

    def run(self) -> dict[str, Any]:
        """Run both versions; fixes, breaks, gain and what they show."""
        return asyncio.run(_both(self))


async def _both(again: Rerun) -> dict[str, Any]:
    documents, by_gold = again.documents, again.by_gold
    context = run_context(again.settings, os.environ)
    judging = {"judge": "never"} if by_gold else {"judge": "always"}
    context = context.model_copy(update={"max_refinements": 0, **judging})
    async with open_bench(again.project, again.run_id, max_usd=again.max_usd) as bench:
        # before anything is shown, so that a killed process has noted too much and never too little
        texts = {document.doc_id: document.text for document in documents}
        state, log = again.project.state, bench.runtime.run_log
        await asyncio.to_thread(showable, state, log, again.task, texts, how="rerun", held_out_too=True)
        old = await bench.outcomes(again.old, context, documents)
        new = await bench.outcomes(again.new, context, documents)
    before, _ = scores_of(old, documents, again.old, graded=by_gold)
    after, _ = scores_of(new, documents, again.new, graded=by_gold)
    told = pair_scores(before, after, documents)
    changed = [doc_id for doc_id, _ in told["changes"]]
    golds = {document.doc_id: document.gold for document in documents}
    return told | {
        "run_id": again.run_id, "task": again.task, "prompt": version_of(again.new), "against": version_of(again.old),
        "selected": again.is_selected, "notes": list(again.notes), "decided_by": "gold" if by_gold else "judge",
        "metric": again.new.metric if by_gold else "accepted",
        "side_by_side": [
            {
                "doc_id": doc_id, "change": change, "before": old[doc_id]["record"], "after": new[doc_id]["record"],
                "gold": golds[doc_id],
            }
            for doc_id, change in told["changes"][:MOST_SHOWN]
        ],
        "same_records": sum(
            old[d.doc_id]["record"] == new[d.doc_id]["record"] for d in documents if d.doc_id in old and d.doc_id in new
        ),
        "changed": len(changed),
    }  # fmt: skip


def pair_scores(
    before: Mapping[str, Scored], after: Mapping[str, Scored], documents: Sequence[Document]
) -> dict[str, Any]:
    """Fixes and breaks, and what they show by the gate's own test: graded where gold is, whole groups together.

    Raises:
        InputError: Where no document could be scored under both.
    """
    both = sorted(before.keys() & after.keys())
    if not both:
        raise InputError(
            "no document could be scored under both prompts: is a judge attached, or gold given? A model that does not "
            "answer, and a recording that is missing, leave no score"
        )
    groups = {document.doc_id: document.group for document in documents}
    pairs = pair_up({d: before[d] for d in both}, {d: after[d] for d in both}, groups=groups)
    seen = gate(pairs, look=1)
    changes = sorted(
        ((pair.doc_id, pair.after - pair.before) for pair in pairs), key=lambda each: (each[1], each[0])
    )
    moved = [(doc_id, change) for doc_id, change in changes if change]
    return {
        "documents": len(both), "groups": seen.groups, "unscored": len(documents) - len(both),
        "fixes": [d for d, change in moved if change > 0], "breaks": [d for d, change in moved if change < 0],
        "changes": moved, "before": seen.before, "after": seen.after, "gain": seen.gain,
        "interval": [seen.interval.low, seen.interval.high], "p": seen.p, "test": seen.test,
        "documents_needed": seen.documents_needed,
    }  # fmt: skip
