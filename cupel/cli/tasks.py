"""What `cupel tasks` does: read every task folder, and say of a broken one what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from cupel.cli._console import open_console, print_json
from cupel.errors import CupelError, ProjectError
from cupel.project import find_project
from cupel.redaction import redact
from cupel.report import safe
from cupel.task import TaskSpec, check_prompts, load_task


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A task folder: what it holds, or why it cannot be used."""

    name: str
    spec: TaskSpec | None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        if self.spec is None:
            return {"name": self.name, "error": self.error}
        return {
            "name": self.name,
            "title": self.spec.title,
            "description": self.spec.description,
            "inputs": list(self.spec.inputs),
            "fields": list(self.spec.fields),
            "criteria": len(self.spec.criteria),
            "rules": len(self.spec.rules),
            "examples": len(self.spec.examples),
        }


def list_tasks(prompts: Path) -> list[ListedTask]:
    """Every task folder, sorted by name; folders that begin with `_` or `.` are no tasks.

    Raises:
        ProjectError: If there is no prompts folder.
    """
    if not prompts.is_dir():
        raise ProjectError(
            f"{prompts}: there is no such folder; `cupel init NAME` makes a project with tasks"
        )
    folders = sorted(path for path in prompts.iterdir() if path.is_dir() and path.name[0] not in "_.")
    return [_list(folder, prompts) for folder in folders]


def _list(folder: Path, prompts: Path) -> ListedTask:
    if not (folder / "task.toml").is_file():
        return ListedTask(folder.name, None, f"{folder / 'task.toml'}: missing, so this is no task yet")
    try:
        spec = load_task(folder.name, prompts)
        check_prompts(spec)
    except CupelError as error:
        return ListedTask(folder.name, None, str(error))
    except Exception as error:  # noqa: BLE001 - one folder's fault may not hide the other tasks
        return ListedTask(folder.name, None, redact(f"{folder}: {type(error).__name__}: {error}"))
    return ListedTask(folder.name, spec)


def show_tasks(*, as_json: bool) -> None:
    """Print the tasks of the project."""
    project = find_project()
    tasks = list_tasks(project.prompts)
    if as_json:
        print_json([task.to_json() for task in tasks])
        return
    console = open_console()
    console.print(f"{len(tasks)} tasks in {project.prompts}", soft_wrap=True)
    for task in tasks:
        console.print(Text("\n").join([Text(), *_tell(task)]))


def _tell(task: ListedTask) -> Iterator[Text]:
    yield Text(task.name, style="bold red" if task.spec is None else "bold")
    if task.spec is None:
        yield Text(f"  broken: {safe(task.error or '')}", style="red")
        return
    yield Text(f"  {safe(task.spec.title)}: {safe(task.spec.description)}")
    if task.spec.inputs:
        needed = " ".join(f"--input {name}=COLUMN" for name in task.spec.inputs)
        yield Text(f"  inputs: {', '.join(task.spec.inputs)} ({needed})")
    fields = ", ".join(task.spec.fields)
    yield Text(f"  fields: {safe(fields)} · {len(task.spec.criteria)} criteria for the judge")
