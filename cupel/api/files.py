"""A file of documents through a graph: opened, checked, run, written and reported; what `cupel run` prints."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.api.choices import (
    Choice,
    check_for_all,
    choose_bundle,
    choose_tasks,
    each_for_itself,
    open_sources,
    split_tasks,
    warnings_of,
)
from cupel.api.plans import When, plan_beside, unless_stopped, with_plans
from cupel.api.reached import Reached
from cupel.context import RunContext
from cupel.engine import DEFAULT_TASK, BatchSettings, Bundle, Packing
from cupel.errors import CupelError, SettingError
from cupel.limits import read_wait_s
from cupel.project import Project, find_project
from cupel.runs import Job, JointRun, Outputs, Runner, Terms, say_choice, tidy_paths
from cupel.state import Outcome
from cupel.tables import Output, Row, check_new, check_writable, default_output, task_columns

if TYPE_CHECKING:
    from cupel.evaluation import RunGold

_LOGGER = logging.getLogger("cupel")


@dataclass(frozen=True, kw_only=True, eq=False)
class FileRun(Terms):
    """A run over a file: what `cupel run` is told.

    Attributes:
        file: Documents: CSV, TSV, JSON, JSONL (also .gz), Parquet or Excel.
        task: A task of the project, or several, in a list or with commas; `arguments` where left out and no schema is given.
        out: Where the rows go; the suffix says the format.
        text_column: Column with the text.
        id_column: Column with ids; `id` where there is one.
        inputs: Further inputs of the task: its name → the column, or a `Path` to a file whose text is every document's.
        gold: A file of labels, or a column.
        show_held_out: Also what gold says of documents the gate holds out.
        limit: Only the first so many rows.
        schema: A JSON Schema's file, for a one-off task.
        packing: Several short documents in one request, where that was certified.
        packing_min: Least agreement the certificate must promise.
        bundle: Tasks of the run that share a request, with commas, where that was certified.
        bundle_min: Least agreement that certificate must promise, for each of them.
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
    task: str | Sequence[str] | None = None
    out: Path | None = None
    text_column: str = "text"
    id_column: str | None = None
    inputs: Mapping[str, str | Path] = field(default_factory=dict)
    gold: str = ""
    show_held_out: bool = False
    limit: int | None = None
    schema: Path | None = None
    packing: bool = False
    packing_min: float = 0.95
    bundle: str = ""
    bundle_min: float = 0.95
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
    def tasks(self) -> tuple[str, ...]:
        """The tasks that were named.

        Raises:
            SettingError: For a name that is empty, or there twice.
        """
        return split_tasks(self.task)

    @property
    def output(self) -> Path:
        """`--out`, else the input's name with the task's in it, in the current folder."""
        if self.out is not None:
            return self.out
        if self.schema is None:
            return default_output(self.file, *(self.tasks or (DEFAULT_TASK,)))
        return default_output(self.file, "record", one_off=_hash_file(self.schema, self.instructions))

    @property
    def columns(self) -> str:
        """Where text, ids and inputs are read, in words."""
        named = sorted(self.inputs.items())
        inputs = [f"{name} in {str(told)!r}{' (a file)' * isinstance(told, Path)}" for name, told in named]
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
        self.choices = choose_tasks(
            told.tasks, self.project, reached=reached, schema=told.schema, instructions=told.instructions,
            inputs=told.inputs,
        )  # fmt: skip
        contexts = [choice.context(told.settings, reached) for choice in self.choices]
        check_for_all(self.choices, contexts[0])
        bundle = choose_bundle(told.bundle, self.choices, contexts, min_agreement=told.bundle_min)
        self.tables = open_sources(
            told.file, self.choices, text=told.text_column, doc_id=told.id_column, limit=told.limit, bundle=bundle,
            inputs=told.inputs,
        )  # fmt: skip
        self.table = self.tables[0]
        self.names = [choice.task.name for choice in self.choices]
        for name in self.names:
            check_new(self.table.layout.columns, task_columns(name), name)
        check_writable(told.output, reading=told.file, safe_csv=told.safe_csv)
        for path in tidy_paths(told.output, self.names).values() if told.tidy else ():
            check_writable(path, reading=told.file)
        each = zip(self.choices, contexts, strict=True)
        self.jobs = [self._job(choice, context, bundle) for choice, context in each]

    def _job(self, choice: Choice, context: RunContext, bundle: Bundle | None) -> Job:
        told = self.told
        return choice.job(
            context,
            bundle=bundle,
            **Terms.shared(told),
            input_name=str(told.file),
            output_name=str(told.output),
            packing=Packing(min_agreement=told.packing_min) if told.packing else None,
            batch=_batch_of(told),
        )

    def _runner(self, job: Job, tell: Callable[[str], None]) -> Runner:
        if self.reached is not None:
            return self.reached.runner(job, self.project, wait_s=self.wait_s, tell=tell)
        env = {**os.environ, "CUPEL_LIMITS": self.told.limits} if self.told.limits else None
        return Runner(job, self.project, env=env, wait_s=self.wait_s, tell=tell)

    async def _say_choice(self, runner: Runner) -> str:
        if self.reached is None:
            return await say_choice(runner, self.table, option="--task")
        named = f"no --task was named, so it is {runner.job.task.name!r} on {self.table.total:,} rows"
        return f"{named}, of those the server has"

    async def run(
        self,
        *,
        note: Callable[[str], None] = _LOGGER.warning,
        tell: Callable[[str], None] = _LOGGER.warning,
        show: Callable[[JointRun], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> FileResult:
        """Run it, write the output and the report.

        Args:
            note: Is given what a person should know before anything is paid.
            tell: Is given a line for each outage.
            show: Shows how far the run is while it goes on.

        Raises:
            OutputPathError: If the output is another run's, was changed by somebody, or cannot be written.
        """
        told, table = self.told, self.table
        own = each_for_itself(self.choices, self.jobs[0].context)
        for warning in (*warnings_of(self.tables), *([own] if own else [])):
            note(warning)
        held, notes = await asyncio.to_thread(self._open_gold)
        for each in notes:
            note(each)
        async with JointRun([self._runner(job, tell) for job in self.jobs], check=self._check_outputs) as run:
            run.expect(table.total)
            outputs = self._outputs(run)
            if not told.task and told.schema is None:
                note(await self._say_choice(run.first))
            if held is not None:
                await held.begin(run.first)
            with (
                plan_beside(run, self.tables, when=_when(told)) as planned,
                show(run),
                outputs.open(table, [job.task for job in self.jobs], safe_csv=told.safe_csv) as writers,
            ):
                async for row, outcomes in self._outcomes(run):
                    writers.write(row.values, [outcome or run.stop.why for outcome in outcomes])
                    if held is not None and outcomes[0] is not None:
                        await held.add(run.first, row, outcomes[0])
                # one that is stopped may not have come as far as the last time
                if is_kept := run.stop.requested and outputs.rows.is_fuller(run.progress.done):
                    writers.abandon()
            if not is_kept:
                run.tally.notes.update(writers.notes)
                outputs.note(table.total, run.progress.done)
            run.runtime.calls.begun.set()  # if nothing had to be asked, the plan is made now
            if run.stop.interrupted:
                planned.cancel()
            by_gold = await held.end() if held is not None else None
            summary = with_plans(await run.summary(str(told.output)), await unless_stopped(planned))
        more = {"gold": by_gold, "tidy": _tell_items(outputs, self.names)}
        return self._result(run, summary | more, note)

    async def _outcomes(self, run: JointRun) -> AsyncIterator[tuple[Row, list[Outcome | None]]]:
        if self.told.engine == "local":
            async for pair in run.outcomes(self.tables):
                yield pair
            return
        from cupel.runs import cluster_outcomes, open_cluster

        async with open_cluster(self.told.scheduler) as client:
            walk = partial(cluster_outcomes, client=client, wait_s=self.wait_s)
            async for pair in run.outcomes(self.tables, walk):
                yield pair

    def _outputs(self, run: JointRun) -> Outputs:
        told = self.told
        output = Output(
            path=told.output, state=self.project.state, run_id=run.run_id, task=",".join(run.tasks),
            columns=told.columns,
        )  # fmt: skip
        return Outputs.of(output, run.tasks, tidy=told.tidy)

    def _check_outputs(self, run: JointRun) -> None:
        self._outputs(run).check(self.table.total, overwrite=self.told.overwrite)

    def _result(self, run: JointRun, summary: dict[str, Any], note: Callable[[str], None]) -> FileResult:
        summary["report"] = self._report(summary, note) if self.told.report else None
        return FileResult(
            summary=summary, error=run.stop.error, fault=run.common_fault(),
            is_interrupted=run.stop.interrupted,
            done=min(part.progress.done - part.progress.undecided for part in run.parts),
        )  # fmt: skip

    def _open_gold(self) -> tuple[RunGold | None, list[str]]:
        """What the run is held against, where anything is given or found, and what is to be said of it.

        Raises:
            SettingError: For gold that is given to several tasks: it is one task's records.
        """
        told, table = self.told, self.table
        is_found = any(name.partition(".")[0] == "gold" for name in table.columns)
        if len(self.names) > 1:
            if told.gold:
                raise SettingError(
                    f"--gold {told.gold} is what the records of one task should be, and this run has several "
                    f"({', '.join(self.names)}): run that task by itself with --gold; its answers are found"
                )
            why = "it is of one task, and this run has several; run that one by itself to be held against it"
            return None, [f"the column gold is not looked at: {why}"] if is_found else []
        if not told.gold and not is_found:
            return None, []
        from cupel.evaluation import open_run_gold

        return open_run_gold(
            told.gold, table, self.choices[0].task, self.project, id_column=told.id_column,
            show_held_out=told.show_held_out,
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


def _tell_items(outputs: Outputs, tasks: Sequence[str]) -> str | dict[str, str] | None:
    """Where the items are: a file, or one for each of several tasks."""
    paths = {task: str(output.path) for task, output in outputs.items.items()}
    return paths if len(tasks) > 1 and paths else next(iter(paths.values()), None)


def _when(told: FileRun) -> When:
    """When the plan is made: at a server it is not for this machine to foresee what its models are asked, and cost."""
    if told.server is not None:
        return "never"
    # else the calls are made elsewhere, or much later
    return "once asked" if told.engine == "local" and not told.batch else "at once"


def _check_engine(told: FileRun) -> None:
    """See before anything is opened that the engine can do what is asked."""
    for option, is_given in (
        ("--engine dask", told.engine == "dask"), ("--batch", told.batch), ("--packing", told.packing),
        ("--server", told.server is not None),
    ):  # fmt: skip
        if told.bundle and is_given:
            raise SettingError(f"--bundle does not go with {option}: leave one of the two out")
    if told.engine == "dask":
        from cupel.runs import check_cluster

        check_cluster(os.environ, batch=told.batch)
    elif told.engine != "local":
        raise SettingError(f"--engine {told.engine}: the engines are local and dask")
    elif told.scheduler is not None:
        raise SettingError(f"--scheduler {told.scheduler} is for --engine dask")
