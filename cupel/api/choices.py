"""Which tasks a run is of, with the table and the settings of each: what only one of them could use is refused."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel.api.source import open_source, read_task
from cupel.context import RunContext
from cupel.engine import DEFAULT_TASK, Bundle
from cupel.errors import MissingColumnError, SettingError
from cupel.models import settle_settings
from cupel.project import Project
from cupel.runs import Job
from cupel.tables import Table, check_apart, input_sources
from cupel.task import RecordClass, TaskSpec

if TYPE_CHECKING:
    from cupel.api.reached import Reached

_OF_A_REPLY = ("cheap_model", "profile", "output_language", "temperature", "max_output_tokens", "timeout_s")
"""Settings that decide a model's first reply."""

_OF_ONE_TASK = ("prerouter", "extract_prompt", "judge_prompt", "judge_items_prompt", "refine_prompt")
"""Settings that are made for one task; a policy is one too, where it is a file."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A task of a run, and what of the rest is its own.

    Attributes:
        task: The task.
        inputs: Its further inputs that were told of: name → column, or `Path` of a file.
        schema: Of a one-off task, as it was given.
        record_class: The class that schema was made of.
    """

    task: TaskSpec
    inputs: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    record_class: RecordClass | None = None

    def context(self, settings: Mapping[str, Any], reached: Reached | None = None) -> RunContext:
        """The settings of its documents; only what was told, where a server has the rest."""
        return reached.context(settings) if reached else settle_settings(settings, os.environ, task=self.task)

    def job(self, context: RunContext, *, bundle: Bundle | None = None, **terms: Any) -> Job:
        """What is to be done to its documents, within these terms; with the bundle, where it is in it."""
        return Job(
            task=self.task, context=context, output_schema=self.schema, record_class=self.record_class,
            bundle=bundle if bundle is not None and self.task.name in bundle.names else None, **terms,
        )  # fmt: skip


def split_tasks(said: str | Iterable[str] | None) -> tuple[str, ...]:
    """The tasks that are named, with commas or one by one, each once.

    Raises:
        SettingError: For one that is empty, or there twice.

    >>> split_tasks("arguments, stance"), split_tasks(["arguments", "stance,summary"]), split_tasks(None)
    (('arguments', 'stance'), ('arguments', 'stance', 'summary'), ())
    """
    parts = [said] if isinstance(said, str) else list(said or ())
    if strange := [part for part in parts if not isinstance(part, str)]:
        raise SettingError(
            f"tasks={parts!r}: {strange[0]!r} is no name of a task; list texts, such as ['arguments', 'stance']"
        )
    if parts in ([], [""]):
        return ()
    names = [name.strip() for part in parts for name in part.split(",")]
    shown = ",".join(names)
    if "" in names:
        raise SettingError(f"--task {shown}: a name is empty; write TASK,TASK, such as arguments,stance")
    if again := [name for name in names if names.count(name) > 1]:
        raise SettingError(f"--task {shown}: {again[0]!r} is there twice; name each task once")
    return tuple(names)


def name_tasks(task: str | None, tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks that are named, in either way.

    Raises:
        SettingError: For both at once, and for a text where names are listed.
    """
    if task is not None and tasks:
        raise SettingError(f"task={task!r} and tasks={list(tasks)!r}: give one of the two")
    if isinstance(tasks, str):
        raise SettingError(f"tasks={tasks!r}: list the names, such as tasks={tasks.split(',')!r}")
    if not isinstance(tasks, list | tuple):  # a set has no order, and the columns have one
        raise SettingError(
            f"tasks={tasks!r}: list the names in the order of their columns, such as tasks=['arguments', 'stance']"
        )
    return split_tasks(tasks or task)


def choose_tasks(
    names: Sequence[str],
    project: Project,
    *,
    reached: Reached | None = None,
    schema: Mapping[str, Any] | type[Any] | Path | None = None,
    instructions: str = "",
    inputs: Mapping[str, Any] | None = None,
) -> list[Choice]:
    """The tasks of a run: those that are named, else the one-off task of a schema, else the default.

    Raises:
        SettingError: For what has no effect on any of them, or could only be meant for one of several.
        TaskError: If one is not there, or wrong.
    """
    if len(names) > 1:
        if schema is not None or instructions:
            raise SettingError(
                f"a schema is one task of its own: it does not go with the tasks {', '.join(names)}; run it by itself"
            )
        return _several(names, project, reached, inputs or {})
    name = names[0] if names else None
    if reached is not None and schema is None:
        return [Choice(reached.task(name or DEFAULT_TASK, inputs or {}), inputs or {})]
    task, as_schema, record_class = read_task(
        name, project, default=DEFAULT_TASK, schema=schema, instructions=instructions, inputs=inputs or {}
    )
    return [Choice(task, inputs or {}, as_schema, record_class)]


def _several(
    names: Sequence[str], project: Project, reached: Reached | None, inputs: Mapping[str, Any]
) -> list[Choice]:
    tasks = [
        reached.task(name, ()) if reached is not None else read_task(name, project, default=name)[0]
        for name in names
    ]
    check_apart([task.name for task in tasks])
    same = {task.identity: task.name for task in reversed(tasks)}
    if twins := [task.name for task in tasks if same[task.identity] != task.name]:
        first = next(same[task.identity] for task in tasks if task.name == twins[0])
        raise SettingError(
            f"tasks {first!r} and {twins[0]!r} say the same, word for word, so both would be one run: edit one of them, or leave it out"
        )
    taken = {name for task in tasks for name in task.inputs}
    if unknown := [name for name in inputs if name not in taken]:
        takes = "; ".join(f"{task.name}: {', '.join(task.inputs) or 'none'}" for task in tasks)
        raise SettingError(f"no task takes an input {unknown[0]!r} (inputs: {takes}); leave it out")
    return [
        Choice(task, {name: column for name, column in inputs.items() if name in task.inputs})
        for task in tasks
    ]


def check_for_all(choices: Sequence[Choice], context: RunContext) -> None:
    """Refuse a setting that is made for one task, where a run has several.

    Raises:
        SettingError: Naming it.
    """
    if len(choices) < 2:
        return
    made = [name for name in _OF_ONE_TASK if getattr(context, name) != RunContext.model_fields[name].default]
    if context.policy not in ("auto", "none"):
        made.append("policy")
    if made:
        names = ", ".join(choice.task.name for choice in choices)
        raise SettingError(
            f"{made[0]}={getattr(context, made[0])!r} is made for one task, and this run has several ({names}): "
            "leave it out, or run that task by itself. A calibrated policy of each task is found with policy=auto"
        )


def choose_bundle(
    said: str | Iterable[str], choices: Sequence[Choice], contexts: Sequence[RunContext], **terms: Any
) -> Bundle | None:
    """The tasks of a run that share a request; None where none was named.

    Args:
        said: Their names.
        choices: The tasks of the run.
        contexts: The settings of each.
        terms: Of the bundle, such as `min_agreement`.

    Raises:
        SettingError: For a task the run has not, or tasks that are asked under different settings.
    """
    names = split_tasks(said)
    if not names:
        return None
    found = {
        choice.task.name: (choice.task, context) for choice, context in zip(choices, contexts, strict=True)
    }
    if unknown := [name for name in names if name not in found]:
        raise SettingError(
            f"--bundle {','.join(names)}: {unknown[0]!r} is no task of this run; it has {', '.join(found)}"
        )
    chosen = [found[name] for name in sorted(names)]
    first = chosen[0][1]
    for task, context in chosen:
        if unlike := [name for name in _OF_A_REPLY if getattr(context, name) != getattr(first, name)]:
            raise SettingError(
                f"--bundle {','.join(names)}: {task.name} has another {unlike[0]} ({getattr(context, unlike[0])!r}) than "
                f"{chosen[0][0].name} ({getattr(first, unlike[0])!r}); tasks that share a request have one"
            )
    return Bundle(tasks=tuple(task for task, _ in chosen), context=first, **terms)


def widen(choices: Sequence[Choice], bundle: Bundle, inputs: Mapping[str, Any]) -> list[Choice]:
    """The tasks with all inputs of their bundle: whichever of them asks, it asks for all."""
    shared = {
        name: source
        for task in bundle.tasks
        for name, source in input_sources(
            task, {each: inputs[each] for each in task.inputs if each in inputs}
        ).items()
    }
    return [
        replace(choice, inputs=shared) if choice.task.name in bundle.names else choice for choice in choices
    ]


def each_for_itself(choices: Sequence[Choice], context: RunContext) -> str | None:
    """What is to be said of a setting that counts for each of several tasks by itself; None where nothing is."""
    if len(choices) < 2 or context.max_usd_per_document is None:
        return None
    return (
        f"max_usd_per_document counts a document in each of the {len(choices)} tasks by itself; "
        "max_usd is for all together"
    )


def open_sources(
    source: Any,
    choices: Sequence[Choice],
    *,
    text: str,
    doc_id: str | None,
    limit: int | None,
    bundle: Bundle | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> list[Table]:
    """The documents for each task, with its own inputs; whatever one of them lacks is said before any is begun.

    Those of a bundle have the inputs of all its tasks, once it is seen that each has its own.

    Raises:
        InputError: For a file or table that cannot be read, or a column that is not there.
    """  # fmt: skip
    tables = [_open(source, choice, choices, text=text, doc_id=doc_id, limit=limit) for choice in choices]
    if bundle is None:
        return tables
    return open_sources(source, widen(choices, bundle, inputs or {}), text=text, doc_id=doc_id, limit=limit)


def _open(source: Any, choice: Choice, among: Sequence[Choice], **told: Any) -> Table:
    try:
        return open_source(source, choice.task, inputs=choice.inputs, **told)
    except MissingColumnError as error:
        if len(among) == 1:
            raise
        raise MissingColumnError(f"task {choice.task.name!r}: {error}") from error


def warnings_of(tables: Sequence[Table]) -> list[str]:
    """What is to be said of the documents, and of the inputs of each task; once each."""
    return list(dict.fromkeys(warning for table in tables for warning in table.warnings))
