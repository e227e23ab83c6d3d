"""What `cupel run` does: open, check, run, write, report; and stop well when asked to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel.cli._console import print_json
from cupel.cli._progress import live_progress, tell_first, tell_trouble
from cupel.cli._signals import INTERRUPTED
from cupel.context import RunContext, run_context
from cupel.engine import DEFAULT_TASK, BatchSettings, Packing
from cupel.errors import CupelError, SettingError, TaskError
from cupel.files import read_text
from cupel.limits import read_wait_s
from cupel.models import settle_settings
from cupel.project import Project, find_project
from cupel.runs import Job, Runner, plan_for, say_choice
from cupel.state import Outcome
from cupel.tables import (
    Output,
    Row,
    Table,
    check_writable,
    default_output,
    open_table,
    open_writer,
    outcome_columns,
)
from cupel.task import TaskSpec, choose_task

if TYPE_CHECKING:
    from cupel.evaluation import RunGold


@dataclass(frozen=True, kw_only=True)
class FileRun:
    """Everything `cupel run` was told."""

    file: Path
    task: str = ""
    out: Path | None = None
    text_column: str = "text"
    id_column: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    gold: str = ""
    show_held_out: bool = False
    limit: int | None = None
    concurrency: int = 16
    max_usd: float | None = None
    schema: Path | None = None
    instructions: str = ""
    retry_failed: bool = False
    packing: bool = False
    packing_min: float = 0.95
    near_duplicates: float | None = None
    limits: str = ""
    wait: str = "120"
    engine: str = "local"
    scheduler: str | None = None
    server: str | None = None
    key: str | None = None
    batch: bool = False
    batch_poll_s: float = 10.0
    batch_documents: int = 2000
    report: bool = True
    safe_csv: bool = False
    graph: str = "enrich"
    overwrite: bool = False
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        """`--out`, else the input's name with the task's in it, in the current folder."""
        if self.out is not None:
            return self.out
        if self.schema is None:
            return default_output(self.file, self.task or DEFAULT_TASK)
        return default_output(self.file, "record", one_off=_hash_file(self.schema, self.instructions))

    @property
    def columns(self) -> str:
        """Where text, ids and inputs are read, in words."""
        inputs = [f"{name} in {column!r}" for name, column in sorted(self.inputs.items())]
        ids = [f"ids in {self.id_column!r}"] if self.id_column else []
        return ", ".join([f"text in {self.text_column!r}", *ids, *inputs])


def _hash_file(schema: Path, instructions: str) -> str:
    """Tells one one-off task from another."""
    read = schema.read_bytes() if schema.is_file() else b""  # that it cannot be read is said where it is read
    return hashlib.sha256(read + b"\x1f" + instructions.encode()).hexdigest()


def run_file(told: FileRun) -> int:
    """Run a file through a graph; returns the exit code."""
    if told.server is not None:
        return asyncio.run(_run_at_server(told, told.server))
    _check_engine(told)
    wait_s = read_wait_s(told.wait)
    project = find_project()
    task, as_schema = task_of(told.task, told.schema, told.instructions, project, told.inputs)
    table = open_output(told, task)
    check_writable(told.output, reading=told.file, safe_csv=told.safe_csv)
    job = _job_of(told, task, settle_settings(told.settings, os.environ, task=task), as_schema)
    _warn(told, table)
    env = {**os.environ, "CUPEL_LIMITS": told.limits} if told.limits else None
    runner = Runner(job, project, env=env, wait_s=wait_s, tell=tell_trouble)
    return asyncio.run(_run(told, runner, table, project, wait_s))


async def _run_at_server(told: FileRun, url: str) -> int:
    """The same at a deployed server: what it offers stands for the project's tasks, and its models are its own."""
    from cupel.cli.server_key import note_unsent, read_server_key
    from cupel.runs import Server, ServerRunner, ask_offer

    wait_s, project = read_wait_s(told.wait), find_project()
    note_unsent(os.environ)
    key = read_server_key(told.key, url, os.environ)
    async with Server(url, key, wait_s=wait_s, connections=told.concurrency, tell=tell_first) as server:
        offer = await ask_offer(server)
        if told.schema is None:
            task, as_schema = offer.task(told.task or DEFAULT_TASK, told.inputs).spec(), None
        else:
            task, as_schema = task_of(told.task, told.schema, told.instructions, project, told.inputs)
        table = open_output(told, task)
        check_writable(told.output, reading=told.file, safe_csv=told.safe_csv)
        job = _job_of(told, task, run_context(told.settings, {}), as_schema)
        _warn(told, table)
        runner = ServerRunner(job, server, offer, project, wait_s=wait_s, tell=tell_trouble)
        return await _run(told, runner, table, project, wait_s)


def _warn(told: FileRun, table: Table) -> None:
    for warning in table.warnings:
        print(f"note: {warning}", file=sys.stderr)
    if "pyarrow" in sys.modules and told.engine == "local":  # Parquet is read or written
        from cupel.tables import do_without_pandas

        do_without_pandas()


def _job_of(told: FileRun, task: TaskSpec, context: RunContext, as_schema: dict[str, Any] | None) -> Job:
    return Job(
        task=task,
        context=context,
        graph=told.graph,
        input_name=str(told.file),
        output_name=str(told.output),
        concurrency=told.concurrency,
        max_usd=told.max_usd,
        retry_failed=told.retry_failed,
        packing=Packing(min_agreement=told.packing_min) if told.packing else None,
        near_duplicates=told.near_duplicates,
        output_schema=as_schema,
        instructions=told.instructions,
        batch=_batch_of(told),
    )


def _batch_of(told: FileRun) -> BatchSettings | None:
    return BatchSettings(poll_s=told.batch_poll_s, documents=told.batch_documents) if told.batch else None


def task_of(
    name: str, schema: Path | None, instructions: str, project: Project, inputs: Iterable[str] = ()
) -> tuple[TaskSpec, dict[str, Any] | None]:
    """The task named, or the one a schema file makes."""
    as_schema = None if schema is None else _read_schema(schema)
    named = name or ("" if schema is not None else DEFAULT_TASK)
    source = schema or "output_schema"
    task = choose_task(named, as_schema, instructions, project.prompts, inputs=inputs, source=source)
    return task, as_schema


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise TaskError(f"cannot be read as JSON: {why}", path=path) from error
    if not isinstance(schema, dict):
        raise TaskError("the schema of a record is a JSON object", path=path)
    return schema


def open_output(told: FileRun, task: TaskSpec) -> Table:
    """The input, with every further input of the task found in a column of its own name unless told otherwise."""
    inputs = {name: told.inputs.get(name, name) for name in task.inputs} | dict(told.inputs)
    return open_table(told.file, told.text_column, told.id_column, inputs, told.limit, default_id="id")


async def _run(told: FileRun, runner: Runner, table: Table, project: Project, wait_s: float) -> int:
    job = runner.job
    held = await asyncio.to_thread(_open_gold, told, table, job.task, project)
    async with runner:
        runner.progress.total = table.total
        output = Output(
            path=told.output,
            state=project.state,
            run_id=runner.run_id,
            task=job.task.name,
            columns=told.columns,
        )
        output.check(table.total, overwrite=told.overwrite)
        if not told.task and told.schema is None:
            print(f"note: {await _say_choice(told, runner, table)}", file=sys.stderr)
        if held is not None:
            await held.begin(runner)
        with (
            _planning(told, runner, table) as planned,
            live_progress(runner, quiet=told.as_json and not sys.stderr.isatty()),
            open_writer(
                told.output,
                table.layout,
                job.task.name,
                record_schema=job.task.schema,
                safe_csv=told.safe_csv,
            ) as writer,
        ):
            async for row, outcome in _outcomes(told, runner, table, wait_s):
                writer.write(row.values, outcome_columns(outcome, job.task.name))
                if held is not None and outcome is not None:
                    await held.add(runner, row, outcome)
            if writer.formulas:
                runner.tally.notes.add(
                    f"{writer.formulas:,} cells begin with = + - or @, which a spreadsheet may run as a formula; "
                    "--safe-csv writes them as text"
                )
            # one that is stopped may not have come as far as the last time
            if is_kept := runner.stop.requested and output.is_fuller(runner.progress.done):
                writer.abandon()
        if not is_kept:
            output.note(table.total, runner.progress.done)
        runner.runtime.calls.begun.set()  # if nothing had to be asked, the plan is made now
        if runner.stop.interrupted:
            planned.cancel()
        by_gold = await held.end() if held is not None else None
        summary = await runner.summary(str(told.output)) | {"planned": await _unless_stopped(planned)}
        summary["gold"] = by_gold
    return _tell(told, runner, summary, project)


def _open_gold(told: FileRun, table: Table, task: TaskSpec, project: Project) -> RunGold | None:
    """What the run is held against, where anything is given or found; said before anything is paid."""
    if not told.gold and not any(name.partition(".")[0] == "gold" for name in table.columns):
        return None
    from cupel.evaluation import open_run_gold

    held, notes = open_run_gold(
        told.gold, table, task, project, id_column=told.id_column, show_held_out=told.show_held_out
    )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return held


@contextmanager
def _planning(told: FileRun, runner: Runner, table: Table) -> Iterator[asyncio.Task[dict[str, Any] | None]]:
    """What the run is held against is worked out beside it, while the first request is on its way."""
    planned = asyncio.create_task(_plan(told, runner, table))
    try:
        yield planned
    except BaseException:
        planned.cancel()
        raise


async def _unless_stopped(planned: asyncio.Task[dict[str, Any] | None]) -> dict[str, Any] | None:
    await asyncio.wait([planned])
    return None if planned.cancelled() else planned.result()


async def _say_choice(told: FileRun, runner: Runner, table: Table) -> str:
    if told.server is None:
        return await say_choice(runner, table, option="--task")
    return f"no --task was named, so it is {runner.job.task.name!r} on {table.total:,} rows, of those the server has"


async def _plan(told: FileRun, runner: Runner, table: Table) -> dict[str, Any] | None:
    if told.server is not None:
        return None  # what its models are asked, and cost, is not for this machine to foresee
    if told.engine == "local" and not told.batch:  # else the calls are made elsewhere, or much later
        await runner.runtime.calls.begun.wait()
    return await plan_for(runner, table)


def _outcomes(
    told: FileRun, runner: Runner, table: Table, wait_s: float
) -> AsyncIterator[tuple[Row, Outcome | None]]:
    if told.engine == "local":
        return runner.outcomes(table)
    from cupel.runs import cluster_outcomes

    return cluster_outcomes(runner, table, scheduler=told.scheduler, wait_s=wait_s)


def _check_engine(told: FileRun) -> None:
    """See before anything is opened that the engine can do what is asked."""
    if told.engine == "dask":
        from cupel.runs import check_cluster

        check_cluster(os.environ, batch=told.batch)
    elif told.engine != "local":
        raise SettingError(f"--engine {told.engine}: the engines are local and dask")
    elif told.scheduler is not None:
        raise SettingError(f"--scheduler {told.scheduler} is for --engine dask")


def _tell(told: FileRun, runner: Runner, summary: dict[str, Any], project: Project) -> int:
    from cupel.cli.run_summary import tell_run

    error, fault = runner.stop.error, runner.common_fault()
    summary["report"] = None
    if told.report:
        summary["report"] = _report(project, summary, show_held_out=told.show_held_out)
    if told.as_json:
        print_json(summary)
    else:
        tell_run(summary)
    if error is not None:
        rows = runner.progress.done - runner.progress.undecided
        done = f"{rows:,} of {summary['documents']:,} rows are done"
        print(f"stopped: {error}\n{done}; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED if runner.stop.interrupted else error.exit_code
    if fault is not None:
        print(f"{fault}\nMend it, and give the same command with --retry-failed.", file=sys.stderr)
        return fault.exit_code
    if runner.stop.interrupted:
        print("stopped; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _report(project: Project, summary: dict[str, Any], *, show_held_out: bool) -> str | None:
    """The report's path; None, and a note, where it could not be written: the run itself is none the worse."""
    from cupel.report import write_run_report

    try:
        return str(write_run_report(project, summary["run_id"], summary, show_held_out=show_held_out))
    except CupelError as trouble:
        print(f"note: no report was written: {trouble}", file=sys.stderr)
        return None
