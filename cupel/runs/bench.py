"""A version of a prompt tried on documents: read with their gold, run through the enrich graph, and scored."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.runnables.config import var_child_runnable_config

from cupel.context import RunContext
from cupel.engine import Asking, Run, Runtime, ask_as, close_current, install
from cupel.errors import InputError
from cupel.limits import DEFAULT_WAIT_S, Budget
from cupel.metrics import Gold, Scored, group_of, open_gold, record_metric
from cupel.project import Project, load_graph
from cupel.runlog import cost_of
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.state import Outcome, Record
from cupel.tables import InputSource, Row, Table, doc_id_text, frame_rows, input_sources, open_table
from cupel.task import TaskSpec
from cupel.text import document_id, usable_text

T = TypeVar("T")

_LOGGER = logging.getLogger("cupel")

GROUP_FIELDS = ("debate", "debate_title", "date", "topic", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a data set."""

    doc_id: str
    text: str
    group: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    gold: Record | None = None
    position: int = 0


class Documents(list[Document]):
    """Documents in the order of their file.

    Attributes:
        notes: What was left out, and how much of it, in sentences.
    """

    def __init__(self, documents: Iterable[Document] = (), notes: Iterable[str] = ()) -> None:
        super().__init__(documents)
        self.notes = tuple(notes)


def read_documents(
    path: Path,
    task: TaskSpec,
    *,
    group: str = "",
    limit: int | None = None,
    gold: str = "",
    scored: bool = True,
) -> Documents:
    """The documents of a file, with what a task takes as input, their groups and gold.

    Args:
        path: JSONL as in `evals/datasets/`, or any table with a `text` column.
        task: Whose inputs are looked for, in `meta` or in columns of their names.
        group: Field of `meta`, or column, by which documents hang together.
        limit: Only the first so many.
        gold: A file of labels or a column; the column `gold` when left out, where there is one.
        scored: Whether the task's metric is to compare the gold.

    Raises:
        InputError: For a missing input or group, two documents of one id, or gold that cannot be used, naming the row.
    """
    table = open_table(path, "text", None, {}, limit)
    told = open_gold(gold, table, task, scored=scored)
    documents = [_document(row, task, group, path, told) for row in table]
    counts = Counter(document.doc_id for document in documents)
    if twice := sorted(name for name, count in counts.items() if count > 1)[:3]:
        raise InputError(f"{path}: ids must be unique here, these are not: {', '.join(twice)}")
    usable = [document for document in documents if usable_text(document.text)[1] is None]
    notes = [*(told.notes if told else ())]
    if told and (lone := told.match(counts.keys())):
        notes.append(lone)
    if unusable := len(documents) - len(usable):
        notes.append(f"{path}: {unusable} of {len(documents)} rows have no text that can be used: left out")
    return Documents(usable, notes)


def open_documents(source: Any, task: TaskSpec, columns: Columns, limit: int | None = None) -> Table:
    """A file or a table as `cupel run` opens it; a further input may also stand in `meta`, as in `evals/datasets/`.

    Raises:
        InputError: For a column that is not there.
    """

    def opened(inputs: Mapping[str, InputSource]) -> Table:
        if isinstance(source, Path):
            return open_table(source, columns.text, columns.doc_id, inputs, limit, default_id="id")
        return frame_rows(
            source, columns.text, columns.doc_id, inputs, limit, default_id="id", with_values=True
        )

    told = opened({})
    named = {
        name: source
        for name, source in input_sources(task, columns.inputs).items()
        if source.is_told or name in told.columns or "meta" not in told.columns
    }
    return opened(named) if named else told


def document_of(row: Row, task: TaskSpec, gold: Gold | None = None) -> Document | str:
    """What a row asks for, with its gold where there is any; or why nothing can be asked about it."""
    text, problem = usable_text(row.text)
    if row.problem or problem:
        return row.problem or problem or ""
    meta = _mapping(row.values.get("meta"))
    inputs = {**{name: str(meta[name]) for name in task.inputs if meta.get(name)}, **row.inputs}
    if missing := [name for name in task.required_inputs if name not in inputs]:
        return f"no {missing[0]}: it is neither in a column nor in meta"
    doc_id = row.doc_id or document_id(text, inputs)
    return Document(
        doc_id=doc_id, text=text, group=_group(doc_id, meta), inputs=inputs, meta=meta, position=row.position,
        gold=gold.of(row.position, doc_id) if gold else None,
    )  # fmt: skip


def _document(row: Row, task: TaskSpec, group: str, path: Path, gold: Gold | None) -> Document:
    text = row.text if isinstance(row.text, str) else ""
    meta = _mapping(row.values.get("meta"))
    fields = {**row.values, **meta}
    inputs = {name: str(fields[name]) for name in task.inputs if fields.get(name) not in (None, "")}
    if missing := [name for name in task.required_inputs if name not in inputs]:
        raise InputError(
            f"{path}, row {row.position + 1}: task {task.name!r} needs {missing[0]!r}, in meta or a column"
        )
    doc_id = doc_id_text(row.values.get("id")) or document_id(text, inputs)
    if group and fields.get(group) in (None, ""):
        raise InputError(
            f"{path}, row {row.position + 1}: no {group!r} to group by; there are {', '.join(map(str, fields))}"
        )
    return Document(
        doc_id=doc_id,
        text=text,
        group=str(fields[group]) if group else _group(doc_id, meta),
        inputs=inputs,
        meta=meta,
        gold=gold.of(row.position, doc_id) if gold else None,
        position=row.position,
    )


def _group(doc_id: str, meta: Mapping[str, Any]) -> str:
    named = next((str(meta[name]) for name in GROUP_FIELDS if meta.get(name)), None)
    return named or group_of({"id": doc_id, "meta": meta})


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file's texts, ids and further inputs stand."""

    text: str = "text"
    doc_id: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Name → column, or a file that was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where versions are tried: an open runtime, and the money of a larger undertaking."""

    project: Project
    runtime: Runtime
    run: Run
    name: str
    concurrency: int = 8

    async def outcomes(
        self, task: TaskSpec, context: RunContext, documents: Sequence[Document]
    ) -> dict[str, Outcome]:
        """Every document's outcome under a version and settings, from the run log where it is known.

        Raises:
            StopRunError: When the budget or a daily limit was reached; what is finished is kept.
        """
        return await detach(self._outcomes(task, context, documents))

    async def _outcomes(
        self, task: TaskSpec, context: RunContext, documents: Sequence[Document]
    ) -> dict[str, Outcome]:
        job = Job(task=task, context=context, input_name=self.name, concurrency=self.concurrency)
        graph = await asyncio.to_thread(enrich_graph, self.project)
        rows = [
            Row(position=d.position, values={}, text=d.text, doc_id=d.doc_id, inputs=dict(d.inputs))
            for d in documents
        ]
        runner = Runner(job, self.project, env=self.runtime.env, graph=graph, within=(self.runtime, self.run))
        async with runner:
            outcomes = {row.doc_id or "": outcome async for row, outcome in runner.outcomes(rows)}
        runner.stop.check()
        return {doc_id: outcome for doc_id, outcome in outcomes.items() if outcome is not None}


@asynccontextmanager
async def open_bench(
    project: Project,
    name: str,
    *,
    max_usd: float | None = None,
    env: Mapping[str, str] | None = None,
    wait_s: float = DEFAULT_WAIT_S,
) -> AsyncIterator[Bench]:
    """A bench with a runtime of its own, closed at the end; what is asked inside is paid from its budget.

    Args:
        project: Whose run log and prompts are used.
        name: What the money is booked under: with the same name a cap holds over several invocations.
        max_usd: Hard cap, in US dollars.
        env: Environment variables; those of the process when left out.
        wait_s: Seconds to wait for a provider that is down, or for a daily limit, before it ends.
    """
    async with open_runtime(project, env, wait_s=wait_s) as runtime:
        run = Run(run_id=name, stops=True)
        if max_usd is not None:
            run.budget = Budget(max_usd, spent_usd=await runtime.run_log.spent_usd(name))
        with ask_as(Asking(run=run)):
            yield Bench(project=project, runtime=runtime, run=run, name=name)


@asynccontextmanager
async def open_runtime(
    project: Project,
    env: Mapping[str, str] | None = None,
    *,
    wait_s: float = DEFAULT_WAIT_S,
    tell: Callable[[str], None] = _LOGGER.warning,
) -> AsyncIterator[Runtime]:
    """A runtime that the steps of every graph here find; what is under way is kept at the end, and it is closed.

    Args:
        project: Whose run log and prompts are used.
        env: Environment variables; those of the process when left out.
        wait_s: Seconds to wait for a provider that is down, or for a daily limit, before it ends.
        tell: Is given a line for each outage.
    """
    runtime = await asyncio.to_thread(Runtime, project, env, wait_s=wait_s)
    install(runtime)
    watch = asyncio.create_task(runtime.patience.watch(tell), name="cupel-watch")
    try:
        yield runtime
    except BaseException:
        runtime.calls.stop()
        raise
    finally:
        watch.cancel()
        try:
            await runtime.calls.drain()
        finally:
            await close_current()


async def detach(work: Coroutine[Any, Any, T]) -> T:
    """Await work outside the graph that asks for it, or its checkpoints and interrupts would be that graph's."""
    context = contextvars.copy_context()
    context.run(var_child_runnable_config.set, None)
    return await asyncio.get_running_loop().create_task(work, context=context)


_LOADING = threading.Lock()  # a cache alone lets every thread that comes early load it too


def enrich_graph(project: Project) -> Any:
    """The project's enrich graph, loaded once."""
    with _LOADING:
        return _enrich_graph(project)


@functools.lru_cache(maxsize=4)
def _enrich_graph(project: Project) -> Any:
    return load_graph(project, "enrich")


def agreement_with_gold(outcome: Outcome, document: Document, task: TaskSpec) -> float:
    """The task's metric of an outcome's record against the document's gold, in [0, 1]."""
    return record_metric(outcome["record"], document.gold or {}, metric=task.metric, schema=task.schema)


def is_unanswered(outcome: Outcome) -> bool:
    """Whether the last model asked for a record did not answer: a provider that is away, or a recording that is missing.

    What a provider is to blame for says nothing of a prompt, be it that an earlier tier's record stands in.
    """
    # where a tier has no model, nobody was asked
    kinds = [attempt["error_kind"] for attempt in outcome["attempts"] if attempt.get("model") != "none"]
    if outcome["record"] is None:
        return "provider" in kinds or not kinds
    return kinds[-1:] == ["provider"]


def score_outcome(
    outcome: Outcome, document: Document, task: TaskSpec, *, graded: bool = False
) -> Scored | None:
    """Right or wrong, and what it took; None where nobody could tell.

    With gold a record is right when the task's metric reaches `wrong_below`; without, when it was accepted by a
    judge. A document without any record is wrong, unless its provider was to blame. Where `graded`, a document with
    gold has the task's metric itself as its score, 0 without a record.
    """
    score = _score(outcome, document, task, graded=graded)
    if score is None:
        return None
    calls = [call for attempt in outcome["attempts"] for call in attempt["calls"]]
    return Scored(
        score=score,
        valid=bool(outcome["attempts"]) and outcome["attempts"][0]["error_kind"] not in ("schema", "refusal"),
        tokens=sum(call["input_tokens"] + call["output_tokens"] for call in calls),
        usd=cost_of(calls),
    )


def _score(outcome: Outcome, document: Document, task: TaskSpec, *, graded: bool) -> float | None:
    if is_unanswered(outcome):
        return None
    if outcome["record"] is None:
        return 0.0
    if document.gold is not None:
        agreement = agreement_with_gold(outcome, document, task)
        return agreement if graded else float(agreement >= task.wrong_below)
    kept = {attempt["number"] for attempt in outcome["attempts"] if attempt["record"] == outcome["record"]}
    about = [verdict["verdict"] for verdict in outcome["verdicts"] if verdict["attempt"] in kept]
    return None if not about or about[-1] == "unknown" else float(about[-1] == "accepted")


def slices_of(document: Document) -> tuple[str, ...]:
    """The parts of the data a document belongs to: its language, and whether it is long."""
    language = document.meta.get("language")
    length = "length=long" if len(document.text) > 2_000 else "length=short"
    return (*([f"language={language}"] if language else []), length)


def scores_of(
    outcomes: Mapping[str, Outcome], documents: Iterable[Document], task: TaskSpec, *, graded: bool = False
) -> tuple[dict[str, Scored], list[str]]:
    """Scores by document, and the ids of those that nobody could score."""
    scores: dict[str, Scored] = {}
    unscored: list[str] = []
    for document in documents:
        outcome = outcomes.get(document.doc_id)
        score = outcome and score_outcome(outcome, document, task, graded=graded)
        if score:
            scores[document.doc_id] = score
        else:
            unscored.append(document.doc_id)
    return scores, unscored
