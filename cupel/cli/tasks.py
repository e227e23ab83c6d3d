"""What `cupel tasks` prints: every task, and of a broken one what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from cupel.api import ListedTask, list_tasks
from cupel.cli._console import open_console, print_json
from cupel.project import find_project
from cupel.report import safe
from cupel.task import TaskSpec


def show_tasks(names: Sequence[str], *, as_json: bool) -> bool:
    """Print the tasks of the project, or those named; whether none that was named is broken."""
    project = find_project()
    tasks = list_tasks(project, names=names)
    if as_json:
        print_json(tasks.to_json())
    else:
        console = open_console()
        if not names:
            console.print(f"{len(tasks)} tasks in {project.prompts}", soft_wrap=True)
        for task in tasks:
            console.print(Text("\n").join([Text(), *_tell(task)]))
    return not names or all(task.spec is not None for task in tasks)


def _tell(task: ListedTask) -> Iterator[Text]:
    yield Text(task.name, style="bold red" if task.spec is None else "bold")
    if task.spec is None:
        yield Text(f"  broken: {safe(task.error or '')}", style="red")
        return
    yield Text(f"  {safe(task.spec.title)}: {safe(task.spec.description)}")
    yield from map(Text, _tell_inputs(task.spec))
    fields = ", ".join(task.spec.fields)
    yield Text(f"  fields: {safe(fields)} · {len(task.spec.criteria)} criteria for the judge")
    yield Text(f"  columns of its rows (--tidy): {safe(', '.join(task.columns))}")
    yield Text(f"  about {task.tokens:,} tokens a request besides the text")


def _tell_inputs(spec: TaskSpec) -> Iterator[str]:
    if spec.required_inputs:
        needed = " ".join(f"--input {name}=COLUMN" for name in spec.required_inputs)
        yield f"  inputs: {', '.join(spec.required_inputs)} ({needed})"
    if spec.optional_inputs:
        may = [name for name in spec.inputs if name in spec.optional_inputs]
        yield f"  may have: {', '.join(may)} (a column of that name, --input {may[0]}=COLUMN, or --input {may[0]}=@FILE)"
