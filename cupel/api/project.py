"""Labels and prompts of a project, as the command line has them; each function is what a command prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.engine import DEFAULT_TASK
from cupel.project import Project, find_project

if TYPE_CHECKING:
    from cupel.evaluation import LabelFile
    from cupel.metrics import Labels


def make_labels(
    source: str | Path, out: str | Path, task: str = DEFAULT_TASK, *, text: str = "text", project: Project | None = None
) -> LabelFile:  # fmt: skip
    """Write a run's records as labels to correct; none is gold until its `checked` is true.

    Args:
        source: A run's output, or its id, or enough of its beginning.
        out: The JSONL to make; one that is there stays.
        task: The run's task.
        text: Column with the text, in an output.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For no such file or run, or one of another task.
        OutputPathError: If the file is there, or is no JSONL.
    """
    from cupel.evaluation import make_labels as made

    return made(project or find_project(), str(source), task, Path(out), text_column=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCheck(Shown):
    """A file of labels that was read.

    Attributes:
        path: The file.
        task: Whose labels they are.
        labels: What of it can be used, and what was left out.
    """

    path: str
    task: str
    labels: Labels

    def to_json(self) -> dict[str, Any]:
        """What `cupel labels check --json` prints."""
        lines = self.labels.lines
        return {
            "labels": self.path,
            "task": self.task,
            "documents": len(lines),
            "gold": sum(line.gold is not None for line in lines),
            "verdicts": sum(line.passed is not None or bool(line.criteria) for line in lines),
            "notes": list(self.labels.notes),
        }


def check_labels(path: str | Path, task: str = DEFAULT_TASK, *, project: Project | None = None) -> LabelCheck:
    """What of a file of labels can be used, read as every command does.

    Args:
        path: CSV, TSV, JSON, JSONL or Parquet.
        task: Whose labels they are.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For lines that cannot be used, each with its reason.
    """
    from cupel.evaluation import check_labels as checked

    labels = checked(project or find_project(), Path(path), task)
    return LabelCheck(path=str(path), task=task, labels=labels)


def diff_versions(task: str, old: str, new: str = "", *, project: Project | None = None) -> str:
    """How two versions of a prompt differ, and in what; empty where they say the same.

    Args:
        task: A task of the project.
        old: A version of the ledger, or enough of its beginning.
        new: Another one; what the folder has where left out.
        project: The project to use; the one around the current folder where left out.

    Raises:
        UsageError: For no such version.
    """
    from cupel.improvement import diff_versions as differing

    return differing(project or find_project(), task, old, new)


def copy_prompt(task: str, folder: str | Path, *, project: Project | None = None) -> list[str]:
    """Copy what of a prompt is sent into a folder to edit; the names of the files.

    Args:
        task: A task of the project.
        folder: Where the copy goes; new, or empty.
        project: The project to use; the one around the current folder where left out.

    Raises:
        OutputPathError: If the folder holds anything, or cannot be written.
    """
    from cupel.improvement import copy_prompt as copied
    from cupel.task import load_task

    return copied(load_task(task, (project or find_project()).prompts), Path(folder))
