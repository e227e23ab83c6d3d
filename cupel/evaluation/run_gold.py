"""A run held against gold as it goes: what may be shown of it, what it comes to, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cupel.improvement import SPENDS, SPENT, document_hash, held_out_of, note_seen, showable
from cupel.metrics import Gold, gold_if_any
from cupel.project import Project
from cupel.runlog import RunLog
from cupel.runs import GoldTally, Runner, read_golds
from cupel.state import Outcome
from cupel.tables import Row, Table
from cupel.task import TaskSpec
from cupel.text import document_id


@dataclass(slots=True)
class RunGold:
    """Gold for the rows of a run: those of the gate's own documents are withheld, unless they are asked for.

    Attributes:
        gold: By row or document.
        withheld: Documents the gate holds out, whose gold is neither shown nor kept.
    """

    gold: Gold
    withheld: frozenset[str]
    _tally: GoldTally | None = None
    _seen: list[str] = field(default_factory=list)

    async def begin(self, runner: Runner) -> None:
        """Begin a run; what an earlier invocation of it kept is held against the gold of today."""
        self._tally = GoldTally(
            runner.runtime.run_log,
            runner.run_id,
            runner.job.task,
            self.gold.source,
            withheld=len(self.withheld),
        )
        await self._tally.begin()

    async def add(self, runner: Runner, row: Row, outcome: Outcome) -> None:
        """Hold a row's record against its gold, where it has any that may be shown."""
        gold = self.gold.of(row.position, outcome["doc_id"])
        if gold is not None and outcome["doc_id"] not in self.withheld and self._tally is not None:
            self._seen.append(document_hash(str(row.text)))
            await self._tally.add(runner.outcome_key(row), outcome, gold)

    async def end(self) -> Mapping[str, Any]:
        """Commit it, note that it was seen, and say what it comes to."""
        tally = self._tally
        if tally is None:
            return {}
        await tally.flush()
        await asyncio.to_thread(note_seen, tally.run_log, tally.task.name, self._seen, how="run")
        return tally.to_json()


def open_run_gold(
    told: str, table: Table, task: TaskSpec, project: Project, *, id_column: str | None, show_held_out: bool
) -> tuple[RunGold | None, list[str]]:
    """The gold of a run's input, before anything is paid; and what to say of it.

    Raises:
        InputError: For no such file or column, or gold that was named and cannot be used.
    """
    gold, notes = gold_if_any(told, table, task, id_column=id_column)
    if gold is None:
        return None, notes
    texts = {row.doc_id or document_id(str(row.text), row.inputs): str(row.text) for row in table}
    held = held_out_of(project.state, task.name, texts)
    if held and show_held_out:
        notes.append(f"{len(held)} documents: {SPENT}")
    elif held:
        notes.append(f"{len(held)} documents are held out by the gate: their gold is not used here. {SPENDS}")
    return RunGold(gold, frozenset() if show_held_out else held), notes


@dataclass(frozen=True, slots=True)
class KeptGold:
    """The gold that a stored record was held against, as far as it may be shown."""

    gold: dict[str, Any] | None = None
    note: str = ""
    """What to say of it: that it is withheld, or what showing it spends."""


def kept_gold(
    project: Project, run_log: RunLog, run_id: str, outcome: Outcome, text: str, *, show_held_out: bool
) -> KeptGold:
    """The gold of one stored outcome; that it is shown, or what a judge said of it, is noted."""
    doc_id, task = outcome["doc_id"], outcome["task"]
    held = read_golds(run_log, run_id, doc_id).get(doc_id)
    if held is None and not outcome["verdicts"]:
        return KeptGold()
    texts = {doc_id: text}
    # what a judge said is shown in any case: the document is seen, and the gate takes another
    is_asked = show_held_out or held is None
    shown = showable(project.state, run_log, task, texts, how="show", held_out_too=is_asked)
    if held is None:
        return KeptGold()
    if not shown:
        return KeptGold(note=f"its gold is withheld: the gate holds it out, with others. {SPENDS}")
    return KeptGold(held.to_json(), SPENT if held_out_of(project.state, task, texts) else "")
