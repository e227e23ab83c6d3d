"""The tasks of a project: what each needs, gives and costs, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel._format import Shown
from cupel.api.lists import Listing
from cupel.errors import CupelError, ProjectError
from cupel.judging import check_task
from cupel.project import Project, find_project
from cupel.redaction import redact
from cupel.tables import ITEM, tidy_of
from cupel.task import TaskSpec, load_task, prompt_tokens


@dataclass(frozen=True, slots=True)
class ListedTask(Shown):
    """A task folder: what it holds, or why it cannot be used.

    Attributes:
        name: The folder's.
        spec: The task; None where it is broken.
        error: What is wrong with it.
    """

    name: str
    spec: TaskSpec | None
    error: str | None = None

    @property
    def tokens(self) -> int:
        """What a request takes besides the text, at most; 0 for a broken one."""
        return 0 if self.spec is None else prompt_tokens(self.spec)

    @property
    def columns(self) -> list[str]:
        """The columns of its tidy rows, beside those every task's have."""
        return (
            []
            if self.spec is None
            else [name for name in tidy_of(self.spec.schema).columns if name not in ITEM]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        if self.spec is None:
            return {"name": self.name, "error": self.error}
        return {
            "name": self.name, "title": self.spec.title, "description": self.spec.description,
            "inputs": list(self.spec.inputs), "optional_inputs": sorted(self.spec.optional_inputs),
            "fields": list(self.spec.fields), "columns": self.columns, "tokens": self.tokens,
            "criteria": len(self.spec.criteria), "rules": len(self.spec.rules), "examples": len(self.spec.examples),
        }  # fmt: skip


def list_tasks(project: Project | None = None, *, names: Sequence[str] = ()) -> Listing[ListedTask]:
    """Every task of a project, sorted by name; what `cupel tasks` prints. Folders that begin with `_` or `.` are none.

    Args:
        project: The project to use; the one around the current folder where left out.
        names: These alone; all where left out.

    Returns:
        For each task its name, title, inputs, fields, the columns of its tidy rows, and the tokens a request takes besides
        the text; of one that cannot be used, why.

    Raises:
        ProjectError: If there is no prompts folder.
        TaskError: For a name that is none of a folder in it.
    """
    prompts = (project or find_project()).prompts
    if not prompts.is_dir():
        raise ProjectError(
            f"{prompts}: there is no such folder; `cupel init NAME` makes a project with tasks"
        )
    folders = sorted(path for path in prompts.iterdir() if path.is_dir() and path.name[0] not in "_.")
    known = [folder.name for folder in folders]
    for name in names:
        if name not in known:
            load_task(name, prompts)  # says which there are
    return Listing(_list(folder, prompts) for folder in folders if not names or folder.name in names)


def _list(folder: Path, prompts: Path) -> ListedTask:
    if not (folder / "task.toml").is_file():
        return ListedTask(folder.name, None, f"{folder / 'task.toml'}: missing, so this is no task yet")
    try:
        spec = load_task(folder.name, prompts)
        check_task(spec)
    except CupelError as error:
        return ListedTask(folder.name, None, str(error))
    except Exception as error:  # noqa: BLE001 - one folder's fault may not hide the other tasks
        return ListedTask(folder.name, None, redact(f"{folder}: {type(error).__name__}: {error}"))
    return ListedTask(folder.name, spec)
