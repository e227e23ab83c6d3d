"""A file of documents through a graph: opened, checked, run, written and reported; what `cupel run` prints."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.api.reached import Reached
from cupel.api.source import open_source, read_task
from cupel.engine import DEFAULT_TASK, BatchSettings, Packing
from cupel.errors import CupelError, SettingError
from cupel.limits import read_wait_s
from cupel.models import settle_settings
from cupel.project import Project, find_project
from cupel.runs import Job, Outputs, Runner, Terms, plan_for, say_choice
from cupel.state import Outcome
from cupel.tables import Output, Row, Table, check_writable, default_output, tidy_path
from cupel.task import TaskSpec

if TYPE_CHECKING:
    from cupel.evaluation import RunGold

_LOGGER = logging.getLogger("cupel")


@dataclass(frozen=True, kw_only=True, eq=False)
class FileRun(Terms):
    """A run over a file: what `cupel run` is told.

    Attributes:
        file: Documents: CSV, TSV, JSON, JSONL (also .gz), Parquet or Excel.
        task: A task of the project; `arguments` where left out and no schema is given.
        out: Where the rows go; the suffix says the format.
        text_column: Column with the text.
        id_column: Column with ids; `id` where there is one.
        inputs: Further inputs of the task: its name → the column.
        gold: A file of labels, or a column.
        show_held_out: Also what gold says of documents the gate holds out.
        limit: Only the first so many rows.
        schema: A JSON Schema's file, for a one-off task.
        packing: Several short documents in one request, where that was certified.
        packing_min: Least agreement the certificate must promise.
        limits: Limits of one's own; `CUPEL_LIMITS` where left out.
        wait: Seconds to wait for a provider that is down, or `forever`.
        engine: `local`, or `dask`.
        scheduler: Address of a Dask scheduler.
        server: Address of a deployed server that does the documents.
        key: Where its key is: a file, `-` for a question; else the variable `CUPEL_SERVER_KEY`.
        batch: By the providers' batch APIs.
        batch_poll_s: Seconds before the first look at a batch job.
        batch_documents: Documents in one wave of batch jobs.
        report: Whether the HTML report is written.
        safe_csv: Whether cells that a spreadsheet would run are written as text.
        tidy: Whether a row for each item is written too, beside the output.
        overwrite: Whether an output another run wrote is replaced.
        settings: Fields of `RunContext`.
    """

    file: Path
    task: str = ""
    out: Path | None = None
    text_column: str = "text"
    id_column: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    gold: str = ""
    show_held_out: bool = False
    limit: int | None = None
    schema: Path | None = None
    packing: bool = False
    packing_min: float = 0.95
    limits: str = ""
    wait: str = "120"
    engine: str = "local"
    scheduler: str | None = None
    server: str | None = None
    key: str | None = field(default=None, repr=False)
    batch: bool = False
    batch_poll_s: float = 10.0
    batch_documents: int = 2000
    report: bool = True
    safe_csv: bool = False
    tidy: bool = False
    overwrite: bool = False
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


@dataclass(frozen=True, kw_only=True, eq=False)
class FileResult(Shown):
    """What became of a run over a file.

    Attributes:
        summary: Statuses, calls, cost, notes, and where everything is.
        error: What ended it early, but for a person; None where nothing did. The same call goes on from there.
        fault: What failed every row for one cause of a provider's; None where nothing did.
        is_interrupted: Whether a person, or whoever ends processes here, stopped it.
        done: Rows that have an outcome that stands.
    """

    summary: dict[str, Any]
    error: CupelError | None = None
    fault: CupelError | None = None
    is_interrupted: bool = False
    done: int = 0

    def to_json(self) -> dict[str, Any]:
        """What `cupel run --json` prints."""
        return self.summary


class FileWork:
    """A run over a file that is opened and checked: nothing is asked yet.

    Args:
        told: What is to be done.
        project: The project to use; the one around the current folder where left out.
        reached: The server that does the documents, where one is told of.

    Raises:
        InputError: For a file that cannot be read.
        OutputPathError: For an output that cannot be written.
        SettingError: For a setting that is unknown, or has no effect.
    """

    def __init__(
        self, told: FileRun, project: Project | None = None, *, reached: Reached | None = None
    ) -> None:
        _check_engine(told)
        if told.server is not None and reached is None:
            raise SettingError(f"--server {told.server}: it has to be reached first, with `cupel.api.reach`")
        self.told, self.wait_s, self.reached = told, read_wait_s(told.wait), reached
        self.project = project or find_project()
        task, as_schema = self._task()
        self.table = open_source(
            told.file,
            task,
            text=told.text_column,
            doc_id=told.id_column,
            inputs=told.inputs,
            limit=told.limit,
        )
        check_writable(told.output, reading=told.file, safe_csv=told.safe_csv)
        if told.tidy:
            check_writable(tidy_path(told.output), reading=told.file)
        self.job = Job(
            **Terms.shared(told),
            task=task,
            context=reached.context(told.settings)
            if reached
            else settle_settings(told.settings, os.environ, task=task),
            input_name=str(told.file),
            output_name=str(told.output),
            packing=Packing(min_agreement=told.packing_min) if told.packing else None,
            output_schema=as_schema,
            batch=_batch_of(told),
        )

    def _task(self) -> tuple[TaskSpec, Mapping[str, Any] | None]:
        told = self.told
        if self.reached is not None and told.schema is None:
            return self.reached.task(told.task or DEFAULT_TASK, told.inputs), None
        task, as_schema, _ = read_task(
            told.task, self.project, default=DEFAULT_TASK, schema=told.schema, instructions=told.instructions,
            inputs=told.inputs,
        )  # fmt: skip
        return task, as_schema

    def _runner(self, tell: Callable[[str], None]) -> Runner:
        if self.reached is not None:
            return self.reached.runner(self.job, self.project, wait_s=self.wait_s, tell=tell)
        env = {**os.environ, "CUPEL_LIMITS": self.told.limits} if self.told.limits else None
        return Runner(self.job, self.project, env=env, wait_s=self.wait_s, tell=tell)

    async def _say_choice(self, runner: Runner) -> str:
        if self.reached is None:
            return await say_choice(runner, self.table, option="--task")
        named = f"no --task was named, so it is {self.job.task.name!r} on {self.table.total:,} rows"
        return f"{named}, of those the server has"

    async def run(
        self,
        *,
        note: Callable[[str], None] = _LOGGER.warning,
        tell: Callable[[str], None] = _LOGGER.warning,
        show: Callable[[Runner], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> FileResult:
        """Run it, write the output and the report.

        Args:
            note: Is given what a person should know before anything is paid.
            tell: Is given a line for each outage.
            show: Shows how far the run is while it goes on.

        Raises:
            OutputPathError: If the output is another run's, was changed by somebody, or cannot be written.
        """
        told, job, table = self.told, self.job, self.table
        for warning in table.warnings:
            note(warning)
        held, notes = await asyncio.to_thread(_open_gold, told, table, job.task, self.project)
        for each in notes:
            note(each)
        async with self._runner(tell) as runner:
            runner.progress.total = table.total
            outputs = self._outputs(runner)
            if not told.task and told.schema is None:
                note(await self._say_choice(runner))
            if held is not None:
                await held.begin(runner)
            with (
                _planning(told, runner, table) as planned,
                show(runner),
                outputs.open(table, job.task, safe_csv=told.safe_csv) as writers,
            ):
                async for row, outcome in _outcomes(told, runner, table, self.wait_s):
                    writers.write(row.values, outcome or runner.stop.why)
                    if held is not None and outcome is not None:
                        await held.add(runner, row, outcome)
                # one that is stopped may not have come as far as the last time
                if is_kept := runner.stop.requested and outputs.rows.is_fuller(runner.progress.done):
                    writers.abandon()
            if not is_kept:
                runner.tally.notes.update(writers.notes)
                outputs.note(table.total, runner.progress.done)
            runner.runtime.calls.begun.set()  # if nothing had to be asked, the plan is made now
            if runner.stop.interrupted:
                planned.cancel()
            by_gold = await held.end() if held is not None else None
            summary = await runner.summary(str(told.output)) | {"planned": await _unless_stopped(planned)}
        more = {"gold": by_gold, "tidy": str(outputs.items.path) if outputs.items else None}
        return self._result(runner, summary | more, note)

    def _outputs(self, runner: Runner) -> Outputs:
        told = self.told
        output = Output(
            path=told.output, state=self.project.state, run_id=runner.run_id, task=self.job.task.name,
            columns=told.columns,
        )  # fmt: skip
        outputs = Outputs.of(output, tidy=told.tidy)
        outputs.check(self.table.total, overwrite=told.overwrite)
        return outputs

    def _result(self, runner: Runner, summary: dict[str, Any], note: Callable[[str], None]) -> FileResult:
        summary["report"] = self._report(summary, note) if self.told.report else None
        return FileResult(
            summary=summary, error=runner.stop.error, fault=runner.common_fault(),
            is_interrupted=runner.stop.interrupted, done=runner.progress.done - runner.progress.undecided,
        )  # fmt: skip

    def _report(self, summary: dict[str, Any], note: Callable[[str], None]) -> str | None:
        """The report's path; None, and a note, where it could not be written: the run itself is none the worse."""
        from cupel.report import write_run_report

        run_id, shown = summary["run_id"], self.told.show_held_out
        try:
            return str(write_run_report(self.project, run_id, summary, show_held_out=shown))
        except CupelError as trouble:
            note(f"no report was written: {trouble}")
            return None


def _batch_of(told: FileRun) -> BatchSettings | None:
    return BatchSettings(poll_s=told.batch_poll_s, documents=told.batch_documents) if told.batch else None


def _open_gold(
    told: FileRun, table: Table, task: TaskSpec, project: Project
) -> tuple[RunGold | None, list[str]]:
    """What the run is held against, where anything is given or found, and what is to be said of it."""
    if not told.gold and not any(name.partition(".")[0] == "gold" for name in table.columns):
        return None, []
    from cupel.evaluation import open_run_gold

    return open_run_gold(
        told.gold, table, task, project, id_column=told.id_column, show_held_out=told.show_held_out
    )


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
