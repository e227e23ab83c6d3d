"""Runs, labels and prompts of a project, as the command line has them; each function is what a command prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel.engine import DEFAULT_TASK
from cupel.project import Project, find_project

if TYPE_CHECKING:
    from cupel.evaluation import LabelFile
    from cupel.metrics import Labels


def list_runs(
    task: str | None = None, *, trials: bool = False, project: Project | None = None
) -> list[dict[str, Any]]:
    """The runs of the run log, newest first.

    Args:
        task: Only this task's.
        trials: Also those of prompts that were only tried.
        project: The project to use; the one around the current folder where left out.

    Returns:
        For each run `run_id`, `task`, `kind`, `state`, `rows` (None where they were not counted), `input_name`, `output_name`,
        `started_at` and `updated_at`.

    Raises:
        InputError: If nothing was ever run here.
    """
    from cupel.runlog import list_runs as listed

    return listed(project or find_project(), task, trials=trials)


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


def check_labels(path: str | Path, task: str = DEFAULT_TASK, *, project: Project | None = None) -> Labels:
    """What of a file of labels can be used, read as every command does.

    Args:
        path: CSV, TSV, JSON, JSONL or Parquet.
        task: Whose labels they are.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For lines that cannot be used, each with its reason.
    """
    from cupel.evaluation import check_labels as checked

    return checked(project or find_project(), Path(path), task)


def list_versions(task: str, *, project: Project | None = None) -> list[dict[str, Any]]:
    """Every version of a task's prompt, oldest first, with its state and what the gate said of it.

    Args:
        task: A task of the project.
        project: The project to use; the one around the current folder where left out.

    Returns:
        For each version `version`, `state`, `parent`, `author`, `at`, `gate` (its figures; None where it was at no gate),
        `holds` (whether a decision to promote holds today; None where there is none) and `doubts` (why not).
    """
    from cupel.improvement import list_versions as listed

    return listed(project or find_project(), task)


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
