"""The run log as commands read it: one that is there is opened, none is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cupel.errors import InputError
from cupel.project import Project
from cupel.runlog.address import SQLITE, database_url
from cupel.runlog.parts import PART, choose_part, is_of
from cupel.runlog.store import RunLog, open_run_log
from cupel.runlog.worker import Row

SHOWN = 8


def run_log_file(project: Project) -> Path | None:
    """The SQLite file a project's run log is in; None where it is a database of its own.

    Raises:
        SettingError: `CUPEL_DATABASE_URL` is no address.
    """
    url = database_url(project.state, os.environ)
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


@contextmanager
def existing_run_log(project: Project) -> Iterator[RunLog]:
    """The project's run log.

    Raises:
        InputError: If nothing was ever run here.
        RunLogError: If the log cannot be read.
    """
    path = run_log_file(project)
    if path is not None and not (
        path.exists() or path.is_symlink() or path.with_name(path.name + "-wal").exists()
    ):
        raise InputError(
            f"nothing was run here yet: there is no run log {path}; `cupel run FILE --task TASK` makes it, "
            "or go to the folder the run was started in"
        )
    run_log = open_run_log(project.state, os.environ)
    try:
        yield run_log
    finally:
        run_log.close()


RUN_FIELDS = (
    "run_id", "task", "kind", "state", "rows", "input_name", "output_name", "started_at", "updated_at",
)  # fmt: skip
"""What is told of a run where runs are listed."""


def list_runs(project: Project, task: str | None = None, *, trials: bool = False) -> list[Row]:
    """The runs of a project, newest first, each with `RUN_FIELDS`; a run of several tasks is one of them.

    Args:
        project: The project.
        task: Only this task's, alone or with others; all where None.
        trials: Also those of prompts that were only tried.

    Raises:
        InputError: If nothing was ever run here.
    """
    with existing_run_log(project) as run_log:
        runs = [row for row in run_log.runs(trials=trials) if row["kind"] != PART]
    return [{name: row[name] for name in RUN_FIELDS} for row in runs if is_of(row, task)]


def find_run(run_log: RunLog, wanted: str | None, task: str | None = None) -> Row:
    """A run of one task: the one with this id, or with the only id that begins so; the newest where none is named.

    Of a run of several tasks it is the part of the task. Trials, of a prompt that `improve` or `eval` only tried, are
    found by their id and are never the newest.

    Args:
        run_log: Where.
        wanted: The id, or enough of its beginning.
        task: Which task is meant.

    Raises:
        InputError: For no such run, or several, with those there are; for several tasks where none is named, or another.
    """
    found = find_whole(run_log, wanted, task)
    part = choose_part(found, task)
    if part == found["run_id"]:
        return found
    row = next(row for row in run_log.runs() if row["run_id"] == part)
    return {**row, "output_name": row["output_name"] or found["output_name"]}


def find_whole(run_log: RunLog, wanted: str | None, task: str | None = None) -> Row:
    """A run as it was started, of however many tasks; found as `find_run` finds it, the newest among those of the task.

    Raises:
        InputError: For no such run, or several; it lists those there are.
    """
    runs = run_log.runs(trials=wanted is not None)
    if wanted is None:
        runs = [run for run in runs if run["kind"] != PART and is_of(run, task)]
    if not runs:
        if task is not None and wanted is None:
            raise InputError(
                f"no run of task {task!r} in {run_log.name}; `cupel run FILE --task {task}` makes one"
            )
        raise InputError(
            f"the run log {run_log.name} holds no run yet; `cupel run FILE --task TASK` makes one"
        )
    if wanted is None:
        return runs[0]
    matches = [run for run in runs if run["run_id"] == wanted] or [
        run for run in runs if run["run_id"].startswith(wanted)
    ]
    if len(matches) == 1:
        return matches[0]
    problem = f"{len(matches)} runs begin with {wanted!r}" if matches else f"no run {wanted!r}"
    raise InputError(f"{problem} in {run_log.name}; {_list(matches or runs)}")


def _list(runs: list[Row]) -> str:
    lines = [
        f"{run['run_id']} ({run['task']}, {run['input_name']}, {run['updated_at']})" for run in runs[:SHOWN]
    ]
    more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    return f"there are {'; '.join(lines)}{more}"


def find_document_id(run_log: RunLog, wanted: str) -> str:
    """A document's id in the run log: as given, or the only one that begins so.

    Raises:
        InputError: For no such id, or several; it lists the likely ones.
    """
    if run_log.find_document(wanted):
        return wanted
    matches = run_log.document_ids(wanted, limit=SHOWN + 1) if wanted else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        shown = ", ".join(sorted(matches)[:SHOWN]) + (" …" if len(matches) > SHOWN else "")
        raise InputError(f"several documents begin with {wanted!r}: {shown}; give more of the id")
    raise InputError(f"no document {wanted!r} in the run log {run_log.name}{_near(run_log, wanted)}")


def _near(run_log: RunLog, wanted: str) -> str:
    from rapidfuzz import process

    ids = run_log.document_ids(limit=100_000)
    if not ids:
        return ": it holds no outcome yet"
    alike = process.extract(wanted.casefold(), ids, processor=str.casefold, limit=3, score_cutoff=70)
    near = [doc_id for doc_id, _, _ in alike]
    return f"; did you mean {', '.join(near)}?" if near else f"; it has {', '.join(sorted(ids)[:SHOWN])} …"
