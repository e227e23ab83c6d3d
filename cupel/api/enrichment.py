"""Documents in a table enriched from Python: `enrich`, and `aenrich` for code that is async already."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cupel.api.choices import (
    Choice,
    check_for_all,
    choose_bundle,
    choose_tasks,
    each_for_itself,
    name_tasks,
    open_sources,
    warnings_of,
)
from cupel.api.live import choose_bar, closing_line, shown
from cupel.api.loops import finish, held_by
from cupel.api.reached import Reached, reach
from cupel.api.signatures import twin_of, with_settings
from cupel.engine import Packing
from cupel.errors import CupelError, OfflineWarning, SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.models import OFFLINE, is_offline, resolve_models
from cupel.project import Project, find_project, read_variables
from cupel.runs import Job, JointRun, Runner, Stop, enrich_frame, is_dask_frame, say_choice
from cupel.state import Outcome, Record
from cupel.tables import (
    Frame,
    Table,
    attach_columns,
    check_apart,
    check_columns,
    input_sources,
    long_inputs,
    open_frame,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")


_LOGGER = logging.getLogger("cupel")


class _Place(NamedTuple):
    """A line of the caller's, for a warning to point at."""

    file: str
    line: int
    module: str


_asked_at: ContextVar[_Place | None] = ContextVar("cupel_asked_at", default=None)
"""Where `enrich` was called: its work may be done in another thread, whose stack does not lead there."""


def _place_of(frame: FrameType) -> _Place:
    return _Place(frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__", ""))


@with_settings
async def aenrich(
    table: Any,
    task: str | None = None,
    *,
    tasks: Sequence[str] = (),
    text: str = "text",
    doc_id: str | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    schema: Mapping[str, Any] | type[BaseModel] | Path | None = None,
    instructions: str = "",
    name: str = "",
    suffix: str = "",
    limit: int | None = None,
    concurrency: int = 16,
    max_usd: float | None = None,
    retry_failed: bool = False,
    near_duplicates: float | None = None,
    packing: bool = False,
    bundle: str | Sequence[str] = "",
    bundle_min: float = 0.95,
    instances: bool = False,
    wait_s: float = DEFAULT_WAIT_S,
    progress: bool | None = None,
    report: bool | None = None,
    project: Project | None = None,
    server: str | None = None,
    key: str | None = None,
    **settings: Any,
) -> Any:
    """Enrich every row of a table; what was given is never changed.

    A `.env` in the project's folder, or in the one the notebook or script runs in, is read and named on stderr, as the
    command line does; variables that are set already stand.

    Args:
        table: The documents, one a row: a pandas or polars DataFrame (any index), a polars LazyFrame, a pyarrow Table, a
            list of dicts, a Series or list of texts. A Dask DataFrame comes back lazy: each partition is enriched on
            a worker when it is computed (`cupel[dask]`, one PostgreSQL run log for all).
        task: A task of the project (`arguments` …); leave it out when you give a `schema`. Where neither is given it is
            `arguments`, and the logger `cupel` says so, with what it will about cost, before anything is paid.
        tasks: Several tasks of the project in one go: one run with one cap, each row asked about for each of them. What it finds
            of earlier runs of one of them is not asked again.
        text: Column with the text; a Series has one column, which need not be named.
        doc_id: Column with your own ids; `id` where there is one, else a hash of the text.
        inputs: Further inputs of the task: its name → your column, e.g. `{"topic": "debate"}`, or a `Path` to a file whose text is every
            document's. Of several tasks each takes those it knows.
        schema: A JSON Schema, a `Path` of one, or a pydantic class, for a one-off task.
        instructions: What to extract, for a one-off task.
        name: What the new columns begin with, of one task; the task's name where left out.
        suffix: Put behind that name, such as `_b` for a second model's columns beside the first's.
        limit: Only the first so many rows; the others come back without an outcome.
        concurrency: Documents worked on at once.
        max_usd: Hard cap on what this run may cost, all tasks together, in US dollars. Reached, the rows that were paid for come back, and
            the others with a status of null and the reason `not run: budget`; with a higher cap the same call goes on.
        retry_failed: Ask anew for documents that failed before.
        near_duplicates: Similarity, from 0.8 to 1, from which a text takes over the record of an earlier one; it
            is the share of three-word sequences they have in common. Equal texts are asked about once in any case.
        packing: Ask about several short documents in one request; refused unless `cupel calibrate --packing`
            certified for this task, prompt and model that the records agree with single ones.
        bundle: Tasks of `tasks` that share a request; refused unless `cupel calibrate --bundle` certified for these tasks,
            prompts and model that the records agree with single ones.
        bundle_min: Least agreement that certificate must promise, for each of them.
        instances: With a pydantic class as schema: the records as its instances, validated. Without, as dicts.
        wait_s: Seconds to wait for a provider that is down, its fallback too, or for a daily limit; `math.inf` waits
            till it answers. What is away is said by the logger `cupel`.
        progress: Whether to show how far it is, what it cost and how long it will take, and a line at the end; where
            left out, in a notebook and on a terminal.
        report: Whether to write the HTML report, which the last line names; where left out, if progress is shown.
        project: The project to use; the one around the current folder, else the starter.
        server: Address of a deployed server of Cupel's that does the documents: its tasks, its models, its money. What it
            finished while nobody listened is fetched by the same call.
        key: The server's key; the variable `CUPEL_SERVER_KEY` when left out.
        **settings: Any field of `RunContext`: `profile`, `cheap_model`, `judge`, `max_refinements` …

    Returns:
        A table of the same kind: the same rows, order and index, with the columns `<task>` (the record), `<task>_status`,
        `_confidence`, `_model`, `_cost_usd`, `_reasons` and `_doc_id`; those of an earlier call are replaced. Records are
        dicts, structs in polars and pyarrow, or JSON text there where the schema gives them no type. A null status means
        that there is no outcome yet, and the reason says why.

    Warns:
        OfflineWarning: If no language model was asked, for want of a key or by choice.

    Raises:
        InputError: For a table of another kind, before anything is asked.
        CupelError: What stops a run, before or after money is spent; call again to resume where it stopped. Such as
            `ProviderDownError` after `wait_s`, or `MachineError` where this machine is short of something.
    """
    project = project or find_project()
    for folder in dict.fromkeys((project.state.parent, Path.cwd())):
        read_variables(folder / ".env")
    is_lazy = is_dask_frame(table)
    frame = None if is_lazy else open_frame(table)
    async with AsyncExitStack() as held:
        reached = await _reach(
            held, server, key, wait_s=wait_s, connections=concurrency, packing=packing, is_lazy=is_lazy
        )
        choices = choose_tasks(
            name_tasks(task, tasks),
            project,
            reached=reached,
            schema=schema,
            instructions=instructions,
            inputs=inputs,
        )
        leads = _leads(choices, name, suffix)
        record_class = choices[0].record_class
        if instances and record_class is None:
            raise SettingError("instances=True makes instances of a pydantic class: give one as schema")
        contexts = [choice.context(settings, reached) for choice in choices]
        check_for_all(choices, contexts[0])
        bundled = choose_bundle(bundle, choices, contexts, min_agreement=bundle_min)
        if bundled is not None and (packing or is_lazy or reached is not None):
            raise SettingError(
                "bundle does not go with packing, server or a Dask frame: leave one of the two out"
            )
        if reached is None and all(is_offline(resolve_models(each, os.environ)) for each in contexts):
            place = _asked_at.get() or _place_of(sys._getframe(1))  # noqa: SLF001  # as above
            warnings.warn_explicit(OFFLINE, OfflineWarning, place.file, place.line, place.module)
        for lead in leads:
            check_columns(
                table.columns if frame is None else frame.columns,
                lead,
                source=frame.name if frame else "the DataFrame",
            )
        terms = {
            "input_name": "DataFrame", "concurrency": concurrency, "max_usd": max_usd, "retry_failed": retry_failed,
            "near_duplicates": near_duplicates, "packing": Packing() if packing else None, "instructions": instructions,
        }  # fmt: skip
        jobs = [
            choice.job(context, bundle=bundled, **terms)
            for choice, context in zip(choices, contexts, strict=True)
        ]
        is_named = bool(task or tasks or schema)
        if not is_named and (frame is None or reached is not None):
            _LOGGER.warning(_UNNAMED, choices[0].task.name, choices[0].task.title)
        if frame is None:
            return await _enrich_lazily(
                table, choices, jobs, project, text=text, doc_id=doc_id, limit=limit, leads=leads,
                instances=instances, wait_s=wait_s,
            )  # fmt: skip
        rows = open_sources(
            frame, choices, text=text, doc_id=doc_id, limit=limit, bundle=bundled, inputs=inputs
        )
        own = each_for_itself(choices, contexts[0])
        for warning in (*warnings_of(rows), *([own] if own else [])):
            _LOGGER.warning("%s", warning)
        outcomes = await _outcomes(
            JointRun(
                [
                    reached.runner(job, project, wait_s=wait_s, tell=_LOGGER.warning)
                    if reached is not None
                    else Runner(job, project, wait_s=wait_s)
                    for job in jobs
                ]
            ),
            rows,
            progress=progress,
            report=report,
            is_named=reached is not None or is_named,
            beside=table,
        )
    of_class = record_class.instance if record_class is not None and instances else None
    return _attach(frame, outcomes, choices, leads, record_of=of_class)


def _attach(
    frame: Frame,
    outcomes: Sequence[Sequence[Outcome | str | None]],
    choices: Sequence[Choice],
    leads: Sequence[str],
    *,
    record_of: Callable[[Record], Any] | None,
) -> Any:
    """A table of the frame's kind with the columns of each task, one after the other."""
    unreached = ["limit"] * (len(frame) - len(outcomes))
    table: Any = frame
    for number, (choice, lead) in enumerate(zip(choices, leads, strict=True)):
        own = [*(each[number] for each in outcomes), *unreached]
        table = attach_columns(table, own, lead, schema=choice.task.schema, record_of=record_of)
    return table


async def _enrich_lazily(
    table: Any,
    choices: Sequence[Choice],
    jobs: Sequence[Job],
    project: Project,
    *,
    leads: Sequence[str],
    **told: Any,
) -> Any:
    """A Dask frame with the columns of each task, to be computed; each task is then a run of its own.

    Raises:
        SettingError: For a cap on several tasks together, which nobody could keep when they are computed one by one.
    """
    if len(jobs) > 1 and jobs[0].max_usd is not None:
        raise SettingError(
            "max_usd is for all tasks of a run together, and a Dask frame is enriched task by task when it is computed: "
            "enrich it for one task at a time with max_usd, or leave max_usd out"
        )
    for choice, job, lead in zip(choices, jobs, leads, strict=True):
        sources = input_sources(choice.task, choice.inputs)
        for said in long_inputs(choice.task, sources):
            _LOGGER.warning("%s", said)
        table = await asyncio.to_thread(enrich_frame, table, job, project, inputs=sources, lead=lead, **told)
    return table


def _leads(choices: Sequence[Choice], name: str, suffix: str) -> list[str]:
    """What the columns of each task begin with.

    Raises:
        SettingError: For one name for several.
        InputError: For two tasks that would write one column.
    """
    if name and len(choices) > 1:
        raise SettingError(
            f"name={name!r} would lead the columns of {len(choices)} tasks: leave it out, and use suffix"
        )
    leads = [f"{name or choice.task.name}{suffix}" for choice in choices]
    check_apart(leads)
    return leads


_UNNAMED = "no task was named, so it is %r (%s); `cupel tasks` lists the others"


async def _reach(
    held: AsyncExitStack,
    url: str | None,
    key: str | None,
    *,
    wait_s: float,
    connections: int,
    packing: bool,
    is_lazy: bool,
) -> Reached | None:
    if url is None:
        if key is not None:
            raise SettingError("key is the key of a server: give server too, or leave it out")
        return None
    from cupel.runs import read_key

    if packing:
        raise SettingError(
            "packing would have no effect with server, which is asked for whole documents; leave it out"
        )
    if is_lazy:
        raise SettingError(
            "a Dask frame is enriched by its own workers: leave server out, or give a pandas frame"
        )
    opening = reach(
        url, read_key(key, os.environ), wait_s=wait_s, connections=connections, tell=_LOGGER.warning
    )
    return await held.enter_async_context(opening)


@twin_of(aenrich)
def enrich(table: Any, task: str | None = None, **settings: Any) -> Any:
    """A new table with the task's columns beside the old ones; also from inside a running loop (a notebook).

    Takes what `aenrich` takes. In a notebook the work runs in a thread of its own, so the cell may be plain; interrupted
    there, it returns what is done, and the same cell goes on from there.
    """
    asked_at = _asked_at.set(_place_of(sys._getframe(1)))  # noqa: SLF001  # Python's word for the caller's frame
    try:
        return finish(aenrich(table, task, **settings), partial=True)
    finally:
        _asked_at.reset(asked_at)


async def _outcomes(
    opening: JointRun,
    rows: Sequence[Table],
    *,
    progress: bool | None,
    report: bool | None,
    is_named: bool,
    beside: Any,
) -> list[list[Outcome | str | None]]:
    """Every row's outcome in each task, or why it has none; shown while it goes on."""
    bar, hand = choose_bar(progress), held_by.get()
    async with opening as run:
        run.expect(rows[0].total)
        if hand is not None:
            hand.take(run.stop)
        if not is_named:
            _LOGGER.warning("%s", await say_choice(run.first, rows[0]))
        async with shown(run, bar):
            outcomes = [[each or run.stop.why for each in row] async for _, row in run.outcomes(rows)]
        summary: dict[str, Any] = await run.summary(None) | {"report": None}
    if report or (report is None and bar is not None):
        summary["report"] = await asyncio.to_thread(_report, run.project, summary, beside)
    if bar is not None:
        bar.close(closing_line(summary))
    _check(run.stop, is_answered=hand is not None)
    if fault := run.common_fault():
        raise fault
    return outcomes


def _check(stop: Stop, *, is_answered: bool) -> None:
    """Raise what ended a run early, but for what its rows say themselves: the cap, and an interrupt that is answered."""
    if stop.why == "budget":
        _LOGGER.warning(
            "%s; the rows say which were not run, and the same call with a higher cap goes on", stop.error
        )
    elif stop.why == "interrupted" and stop.error is None and is_answered:
        _LOGGER.warning("interrupted; the rows say which were not run, and the same call goes on from there")
    else:
        stop.check()


def _report(project: Project, summary: dict[str, Any], beside: Any) -> str | None:
    """The report's path; None, and a line in the log, where it could not be written: the rows are none the worse."""
    from cupel.report import write_run_report
    from cupel.runs import rows_of

    try:
        rows = rows_of(beside)
        return str(write_run_report(project, summary["run_id"], summary, beside=rows))
    except CupelError as trouble:
        _LOGGER.warning("no report was written: %s", trouble)
        return None
