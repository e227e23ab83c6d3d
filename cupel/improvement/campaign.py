"""A campaign: the task as it is, its documents, its money, its ledger; the same one at every step, and after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cupel.context import RunContext
from cupel.engine import Run, current
from cupel.errors import RunBusyError, SettingError, UsageError
from cupel.improvement.evidence import Evidence, confirmation_of, evidence_of, judges_of, metric_of
from cupel.improvement.gate_judges import check_judges
from cupel.improvement.guards import LeakGuard
from cupel.improvement.ledger import Kind, Ledger, ledger_of
from cupel.improvement.run_failures import RunFailures, read_run_failures
from cupel.improvement.seen import document_hash
from cupel.improvement.versions import version_of
from cupel.limits import Budget
from cupel.metrics import Scored
from cupel.models import check_models, resolve_models
from cupel.runlog import exact_time, text_hash
from cupel.runs import Bench, Document, read_documents, scores_of
from cupel.state import ImproveState, Outcome
from cupel.task import TaskSpec, compact, load_task

SPLIT_BY = ("held_out", "group", "split_salt")
"""What decides which documents are held out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Campaign:
    """What the steps share: the task as it is, its documents, the ledger, and where versions are tried."""

    name: str
    task: TaskSpec
    documents: Mapping[str, Document]
    ledger: Ledger
    bench: Bench
    context: RunContext
    gate_judge: str
    by_gold: bool
    graded: bool = False
    """Documents are scored by the task's metric, not only as right or wrong."""

    jury: tuple[str, ...] = ()
    """Sits with the gate's judge on every held-out record."""

    warnings: tuple[str, ...] = ()
    """What to know about its documents and judges."""

    production: RunFailures | None = None
    """What went wrong in a run that was named."""

    made_of: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, as a decision keeps it: what it takes to see later whether anything changed."""

    @property
    def metric(self) -> str:
        """What decides at the gate."""
        judges = (self.gate_judge, *self.jury)
        return metric_of(self.task, by_gold=self.by_gold, graded=self.graded, judges=judges)

    @property
    def version(self) -> str:
        """The prompt as it is."""
        return version_of(self.task)

    @property
    def trial(self) -> RunContext:
        """Settings under which versions are compared on development documents: nothing is refined."""
        return self._settings[0]

    @property
    def confirmation(self) -> RunContext:
        """The same on held-out documents, where another judge decides, with the jury if there is one."""
        return self._settings[1]

    @functools.cached_property
    def _settings(self) -> tuple[RunContext, RunContext]:
        return confirmation_of(self.context, by_gold=self.by_gold, gate_judge=self.gate_judge, jury=self.jury)

    @functools.cached_property
    def leaks(self) -> LeakGuard:
        """Knows every document, those held out and those of a run included."""
        beside = self.production.texts if self.production is not None else {}
        texts = [*(document.text for document in self.documents.values()), *beside.values()]
        return LeakGuard(texts, [*self.documents, *beside])

    @functools.cached_property
    def hashes(self) -> Mapping[str, str]:
        """Document id → what the ledger knows the document by."""
        return {doc_id: document_hash(document.text) for doc_id, document in self.documents.items()}

    def evidence(self, version: str, ids: Sequence[str]) -> Evidence:
        """All that makes a decision about a version on these documents."""
        return evidence_of(
            self.task, version=version, documents=self.chosen(ids), metric=self.metric, by_gold=self.by_gold,
            context=self.confirmation, models=self.models, judges=(self.gate_judge, *self.jury), asked=self.made_of,
        )  # fmt: skip

    @property
    def models(self) -> Mapping[str, Any]:
        """The models that write and judge, at their addresses."""
        env = self.bench.runtime.env
        return dict(resolve_models(self.confirmation, env).at_addresses(env))

    def chosen(self, ids: Sequence[str]) -> list[Document]:
        """Documents by id."""
        return [self.documents[doc_id] for doc_id in ids]

    async def outcomes(self, task: TaskSpec, context: RunContext, ids: Sequence[str]) -> dict[str, Outcome]:
        """Outcomes of these documents under a version."""
        return await self.bench.outcomes(task, context, self.chosen(ids))

    def scores(self, outcomes: Mapping[str, Outcome], ids: Sequence[str]) -> dict[str, Scored]:
        """Scores of those documents of which anybody could tell."""
        return scores_of(outcomes, self.chosen(ids), self.task, graded=self.graded)[0]

    async def spent_usd(self) -> float:
        """What it has cost so far, in US dollars; what was paid before a kill counts."""
        return round(await self.bench.runtime.run_log.spent_usd(self.name), 8)

    async def note(self, kind: Kind, key: str, data: Mapping[str, Any]) -> None:
        """Write an entry of the ledger, once."""
        entry = {"campaign": self.name, **data}
        await asyncio.to_thread(
            self.ledger.append, kind, task=self.task.name, key=key, at=exact_time(), data=entry
        )


@contextlib.asynccontextmanager
async def open_campaign(
    state: ImproveState, context: RunContext, *, last: bool = False
) -> AsyncIterator[Campaign]:
    """The campaign a state belongs to, holding its task for a step; the same one at every step, and after a kill.

    Raises:
        SettingError: Where nothing could tell right from wrong, or the gate would have no judge of its own.
    """
    runtime = await current()
    context = context.model_copy(update={"human_review": False})
    task = await asyncio.to_thread(load_task, state["task"], runtime.project.prompts)
    path = runtime.project.folder / state["documents"]
    documents = await asyncio.to_thread(
        read_documents,
        path,
        task,
        group=state.get("group") or "",
        gold=_gold_file(state, runtime.project.folder),
    )
    golden = [document for document in documents if document.gold is not None]
    used = golden or documents
    models = resolve_models(context, runtime.env)
    _check_gate(state, by_gold=bool(golden))
    gate_judge, jury = judges_of(models, state.get("gate_judge") or "")
    check_models(replace(models, jury=jury), runtime.env)
    judges = () if golden else check_judges(models, gate_judge, jury, runtime.env)
    warnings = (*documents.notes, *judges)
    name = state.get("campaign") or _name(state, task, used, context, models.at_addresses(runtime.env))
    production = None
    if wanted := state.get("run"):
        production = await asyncio.to_thread(read_run_failures, runtime.run_log, wanted, task)
    ledger = ledger_of(runtime.project.state, runtime.run_log)
    async with hold_task(ledger, task.name, name, last=last):
        _check_unchanged(state, task)
        run = Run(run_id=name, stops=True)
        if (
            max_usd := state.get("max_usd")
        ) is not None:  # what it spent before, in whichever process, counts
            run.budget = Budget(max_usd, spent_usd=await runtime.run_log.spent_usd(name))
        yield Campaign(
            name=name, task=task, documents={document.doc_id: document for document in used}, ledger=ledger,
            bench=Bench(project=runtime.project, runtime=runtime, run=run, name=str(state["documents"])),
            context=context.model_copy(update={"jury_models": ()}), gate_judge=gate_judge, by_gold=bool(golden),
            graded=bool(golden) and _grade(state), jury=() if golden else jury, warnings=warnings,
            made_of={
                "documents": _inside(path, runtime.project.folder), "settings": context.model_dump(mode="json"), "gate_judge": state.get("gate_judge") or "",
                **_gold_as_told(state, runtime.project.folder), "gate_metric": state.get("gate_metric") or "", **{name: state.get(name) for name in SPLIT_BY},
            },
            production=production,
        )  # fmt: skip


def _inside(path: Path, folder: Path) -> str:
    """A path as the project's folder has it, where it lies in it: the folder may move."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _gold_file(state: ImproveState, folder: Path) -> str:
    """Where the gold is: a file of the project by its whole path, a column by its name."""
    told = state.get("gold") or ""
    return str(folder / told) if told and (folder / told).is_file() else told


def _gold_as_told(state: ImproveState, folder: Path) -> dict[str, str]:
    """Where the gold was read, as a decision keeps it; nothing where it stands in the documents' own `gold`."""
    path = folder / (told := state.get("gold") or "")
    if not told:
        return {}
    return {"gold_file": _inside(path, folder)} if path.is_file() else {"gold_column": told}


def _check_gate(state: ImproveState, *, by_gold: bool) -> None:
    """Refuse what says how the gate decides where it decides otherwise.

    Raises:
        SettingError: For a judge where gold decides, or a metric against gold where there is none.
    """
    if by_gold and state.get("gate_judge"):
        raise SettingError(
            f"gate_judge={state['gate_judge']!r} would have no effect: the documents have gold, which decides. Leave it out"
        )
    if not by_gold and _grade(state) is False:
        raise SettingError(
            "gate_metric='right' would have no effect: no document has gold, so a judge decides. Leave it out"
        )


def _grade(state: ImproveState) -> bool:
    """Whether gold decides by the task's metric.

    Raises:
        SettingError: For a metric that is none of the two.
    """
    metric = state.get("gate_metric") or "graded"
    if metric not in ("graded", "right"):
        raise SettingError(f"gate_metric={metric!r}: use graded or right")
    return metric == "graded"


def _check_unchanged(state: ImproveState, task: TaskSpec) -> None:
    """A campaign is about the prompt it began with, or the one it promoted.

    Raises:
        UsageError: If the prompt was edited, promoted or rolled back meanwhile.
    """
    began, now_at = state.get("version"), version_of(task)
    proposal = state.get("proposal")
    promoted = proposal["version"] if proposal and state.get("approved_by") else None
    if began and now_at not in (began, promoted):
        raise UsageError(
            f"the prompt of {task.name!r} is at {now_at}, this campaign began at {began}: it was changed meanwhile; "
            "start the campaign anew, or put the files back"
        )


def _name(
    state: ImproveState, task: TaskSpec, documents: Sequence[Document], context: RunContext, models: Any
) -> str:
    keys = (
        "rounds",
        "seed",
        "engine",
        "gate_judge",
        "gate_metric",
        "candidate",
        "max_token_growth",
        *SPLIT_BY,
    )
    asked = {key: state.get(key) for key in keys}
    asked |= {key: state[key] for key in ("gold", "run") if state.get(key)}
    contents = sorted([d.doc_id, text_hash(d.text), compact(d.gold)] for d in documents)
    decides = [task.name, version_of(task), context.model_dump(), models, asked, contents]
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:12]


LINGER_S = 3.0
"""How long a task stays held after a step: the next one begins within milliseconds, or never."""


@dataclass(slots=True)
class _Hold:
    """A task held by a campaign of this process."""

    key: tuple[str, str]
    campaign: str
    lease: contextlib.ExitStack
    steps: int = 0
    """Steps of the campaign at work now."""

    timer: threading.Timer | None = None


_holds: dict[tuple[str, str], _Hold] = {}
_guard = threading.RLock()


@contextlib.asynccontextmanager
async def hold_task(ledger: Ledger, task: str, campaign: str, *, last: bool = False) -> AsyncIterator[None]:
    """Hold a task for one step of a campaign, and a moment longer, so that nobody slips in between two steps.

    After a failure or the last step it is free at once. Who waits for a person, was cancelled or killed holds
    nothing: another may work meanwhile, and the prompt's version tells.

    Raises:
        RunLogError: If another process, or another campaign of this one, works on the task.
    """
    hold = await asyncio.to_thread(_begin_step, ledger, task, campaign)
    linger_s = 0.0
    try:
        yield
        linger_s = 0.0 if last else LINGER_S
    finally:
        # shielded: a cancelled step lets go as well, and its loop waits for no database
        await asyncio.shield(asyncio.to_thread(_end_step, hold, linger_s))


def _begin_step(ledger: Ledger, task: str, campaign: str) -> _Hold:
    key = (ledger.place, task)
    with _guard:
        if key not in _holds:
            lease = contextlib.ExitStack()
            lease.enter_context(ledger.session(task))
            _holds[key] = _Hold(key, campaign, lease)
        hold = _holds[key]
        if hold.campaign != campaign:
            raise RunBusyError(
                f"task {task!r} is being worked on by campaign {hold.campaign} of this process; wait for it"
            )
        hold.steps += 1
        if hold.timer is not None:
            hold.timer.cancel()
        return hold


def _end_step(hold: _Hold, linger_s: float) -> None:
    with _guard:
        hold.steps -= 1
        if linger_s:
            hold.timer = threading.Timer(linger_s, _let_go, (hold,))
            hold.timer.daemon = True
            hold.timer.start()
        else:
            _let_go(hold)


def _let_go(hold: _Hold) -> None:
    """Free a task, unless a step came meanwhile; a timer may fire as it is cancelled, when another holds it."""
    with _guard:
        if not hold.steps and _holds.get(hold.key) is hold:
            del _holds[hold.key]
            hold.lease.close()
