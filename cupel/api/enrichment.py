"""Documents in a DataFrame enriched from Python: `enrich`, and `aenrich` for code that is async already."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import sys
import warnings
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AsyncExitStack
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cupel.context import RunContext, run_context
from cupel.engine import DEFAULT_TASK, STOP_WITHIN_S, Packing
from cupel.errors import OfflineWarning, SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.models import OFFLINE, is_offline, resolve_models, settle_settings
from cupel.project import Project, find_project, read_variables
from cupel.runs import Job, Runner, enrich_frame, is_dask_frame, say_choice
from cupel.tables import attach_columns, check_columns, frame_rows
from cupel.task import RecordClass, TaskSpec, choose_task

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

    from cupel.runs import Offer, Server

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


def enrich(df: pd.DataFrame, task: str | None = None, **settings: Any) -> pd.DataFrame:
    """A new frame with the task's columns beside the old ones; also from inside a running loop (a notebook).

    Takes what `aenrich` takes. In a notebook the work runs in a thread of its own, so the cell may be plain.
    """
    asked_at = _asked_at.set(_place_of(sys._getframe(1)))  # noqa: SLF001  # Python's word for the caller's frame
    try:
        work = aenrich(df, task, **settings)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work)
        return _in_thread(work)
    finally:
        _asked_at.reset(asked_at)


def _in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in another thread, with the caller's context; interrupted, it ends there as well."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def begin() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    pool = ThreadPoolExecutor(1, "cupel-enrich")
    result = pool.submit(contextvars.copy_context().run, asyncio.run, begin())
    pool.shutdown(wait=False)
    try:
        return result.result()
    except KeyboardInterrupt:
        loop, task = started.result()
        try:  # as a first Ctrl-C does it elsewhere: nothing new is sent, and what is in flight lands
            _cancel(loop, task)
            wait([result], timeout=STOP_WITHIN_S + 1)
        except KeyboardInterrupt:  # and a second: nothing is waited for
            _cancel(loop, task)
        raise


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
    if task is not None and not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)


async def aenrich(
    df: pd.DataFrame,
    task: str | None = None,
    *,
    text: str = "text",
    doc_id: str | None = None,
    inputs: Mapping[str, str] | None = None,
    schema: Mapping[str, Any] | type[BaseModel] | None = None,
    instructions: str = "",
    limit: int | None = None,
    concurrency: int = 16,
    max_usd: float | None = None,
    retry_failed: bool = False,
    near_duplicates: float | None = None,
    packing: bool = False,
    instances: bool = False,
    wait_s: float = DEFAULT_WAIT_S,
    project: Project | None = None,
    server: str | None = None,
    key: str | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Enrich every row of a frame; the frame itself is never changed.

    A `.env` in the project's folder, or in the one the notebook or script runs in, is read and named on stderr, as the
    command line does; variables that are set already stand.

    Args:
        df: The documents, one a row; any index. A Dask DataFrame comes back lazy: each partition is enriched on
            a worker when it is computed (`cupel[dask]`, one PostgreSQL run log for all).
        task: A task of the project (`arguments` …); leave it out when you give a `schema`. Where neither is given it is
            `arguments`, and the logger `cupel` says so, with what it will about cost, before anything is paid.
        text: Column with the text.
        doc_id: Column with your own ids; a hash of the text where there is none.
        inputs: Further inputs of the task: its name → your column, e.g. `{"topic": "debate"}`.
        schema: A JSON Schema, or a pydantic class, for a one-off task.
        instructions: What to extract, for a one-off task.
        limit: Only the first so many rows; the others come back without an outcome.
        concurrency: Documents worked on at once.
        max_usd: Hard cap on what this run may cost, in US dollars.
        retry_failed: Ask anew for documents that failed before.
        near_duplicates: Similarity, from 0.8 to 1, from which a text takes over the record of an earlier one; it
            is the share of three-word sequences they have in common. Equal texts are asked about once in any case.
        packing: Ask about several short documents in one request; refused unless `cupel calibrate --packing`
            certified for this task, prompt and model that the records agree with single ones.
        instances: With a pydantic class as schema: the records as its instances, validated. Without, as dicts.
        wait_s: Seconds to wait for a provider that is down, its fallback too, or for a daily limit; `math.inf` waits
            till it answers. What is away is said by the logger `cupel`.
        project: The project to use; the one around the current folder, else the starter.
        server: Address of a deployed server of Cupel's that does the documents: its tasks, its models, its money. What it
            finished while nobody listened is fetched by the same call.
        key: The server's key; the variable `CUPEL_SERVER_KEY` when left out.
        **settings: Any field of `RunContext`: `profile`, `cheap_model`, `judge`, `max_refinements` …

    Returns:
        The same rows, order and index, with the columns `<task>` (the record), `<task>_status`,
        `_confidence`, `_model`, `_cost_usd`, `_reasons` and `_doc_id`.

    Warns:
        OfflineWarning: If no language model was asked, for want of a key or by choice.

    Raises:
        CupelError: What stops a run, before or after money is spent; call again to resume where it stopped. Such as
            `ProviderDownError` after `wait_s`, or `MachineError` where this machine is short of something.
    """
    project = project or find_project()
    for folder in dict.fromkeys((project.state.parent, Path.cwd())):
        read_variables(folder / ".env")
    async with AsyncExitStack() as held:
        reached = await _reach(held, server, key, wait_s=wait_s, concurrency=concurrency, packing=packing)
        spec, as_schema, record_class = _spec(
            task, schema, instructions, project, inputs or {}, reached=reached
        )
        if instances and record_class is None:
            raise SettingError("instances=True makes instances of a pydantic class: give one as schema")
        check_columns(df.columns, spec.name)
        job = Job(
            task=spec,
            context=_context(settings, spec) if reached is None else run_context(settings, {}),
            input_name="DataFrame",
            concurrency=concurrency,
            max_usd=max_usd,
            retry_failed=retry_failed,
            near_duplicates=near_duplicates,
            packing=Packing() if packing else None,
            output_schema=as_schema,
            instructions=instructions,
            record_class=record_class,
        )
        record_of = record_class.instance if record_class is not None and instances else None
        is_named = task is not None or schema is not None
        if is_dask_frame(df):
            if reached is not None:
                raise SettingError(
                    "a Dask frame is enriched by its own workers: leave server out, or give a pandas frame"
                )
            if not is_named:
                _LOGGER.warning(_UNNAMED, spec.name, spec.title)
            lazy: pd.DataFrame = await asyncio.to_thread(
                enrich_frame, df, job, project, text=text, doc_id=doc_id, inputs=inputs or {}, limit=limit,
                instances=instances, wait_s=wait_s,
            )  # fmt: skip
            return lazy
        table = frame_rows(df, text, id_column=doc_id, inputs=inputs or {}, limit=limit)
        runner = (
            Runner(job, project, wait_s=wait_s)
            if reached is None
            else reached.runner(job, project, wait_s=wait_s)
        )
        async with runner:
            if not is_named and reached is None:
                _LOGGER.warning("%s", await say_choice(runner, table))
            elif not is_named:
                _LOGGER.warning(_UNNAMED, spec.name, spec.title)
            outcomes = [outcome async for _, outcome in runner.outcomes(table)]
    runner.stop.check()
    if fault := runner.common_fault():
        raise fault
    unreached = [None] * (len(df) - len(outcomes))
    return attach_columns(df, [*outcomes, *unreached], spec.name, record_of=record_of)


_UNNAMED = "no task was named, so it is %r (%s); `cupel tasks` lists the others"


def _context(settings: Mapping[str, Any], spec: TaskSpec) -> RunContext:
    context = settle_settings(settings, os.environ, task=spec)
    if is_offline(resolve_models(context, os.environ)):
        place = _asked_at.get() or _place_of(sys._getframe(2))  # noqa: SLF001  # as above
        warnings.warn_explicit(OFFLINE, OfflineWarning, place.file, place.line, place.module)
    return context


class _Reached(NamedTuple):
    """A server that answered, and what it offers."""

    server: Server
    offer: Offer

    def runner(self, job: Job, project: Project, *, wait_s: float) -> Runner:
        from cupel.runs import ServerRunner

        return ServerRunner(job, self.server, self.offer, project, wait_s=wait_s)


async def _reach(
    held: AsyncExitStack, url: str | None, key: str | None, *, wait_s: float, concurrency: int, packing: bool
) -> _Reached | None:
    if url is None:
        if key is not None:
            raise SettingError("key is the key of a server: give server too, or leave it out")
        return None
    from cupel.runs import Server, ask_offer, read_key

    if packing:
        raise SettingError(
            "packing would have no effect with server, which is asked for whole documents; leave it out"
        )
    server = Server(
        url, read_key(key, os.environ), wait_s=wait_s, connections=concurrency, tell=_LOGGER.warning
    )
    return _Reached(await held.enter_async_context(server), await ask_offer(server))


def _spec(
    task: str | None,
    schema: Mapping[str, Any] | type[BaseModel] | None,
    instructions: str,
    project: Project,
    inputs: Mapping[str, str],
    *,
    reached: _Reached | None,
) -> tuple[TaskSpec, Mapping[str, Any] | None, RecordClass | None]:
    name = task or ("" if schema is not None else DEFAULT_TASK)
    if reached is not None and schema is None:
        return reached.offer.task(name, inputs).spec(), None, None
    if schema is None or isinstance(schema, Mapping):
        spec = choose_task(name, schema, instructions, project.prompts, inputs=inputs, source="schema")
        return spec, schema, None
    if not hasattr(schema, "model_json_schema"):
        raise SettingError(f"schema={schema!r}: give a JSON Schema as a dict, or a pydantic class")
    made = RecordClass(schema)
    spec = choose_task(
        name, made.schema, instructions, project.prompts, inputs=inputs, check=made, source=schema.__name__
    )
    return spec, made.schema, made
